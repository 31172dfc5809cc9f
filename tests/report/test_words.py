"""Scores in sentences: every number is counted from small tables by hand."""

from dataclasses import replace

import pandas as pd
import pytest

from rsis.eval.scores import MASK_COLUMNS, OBJECT_COLUMNS, Scores
from rsis.report.words import image_scores, in_words


def table(columns: tuple[str, ...], rows: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns))


def scores() -> Scores:
    """Three images: of "a" two of three objects are found, one of them twice; "b" is perfect; "c" is empty."""
    best = {"a": (0.8, 0.5, 0.49), "b": (0.9,)}
    objects = [{"image_id": i, "class_name": "nucleus", "iou": iou} for i, ious in best.items() for iou in ious]
    judged = [("a", 0.8, "correct"), ("a", 0.5, "correct"), ("a", 0.7, "duplicate"), ("a", 0.2, "localisation")]
    judged += [("a", 0.0, "ignored"), ("b", 0.9, "correct")]
    masks = [{"image_id": image_id, "iou": iou, "kind": kind} for image_id, iou, kind in judged]
    images = pd.DataFrame({"image_id": ["a", "b", "c"], "objects": [3, 1, 0], "predicted": [5, 1, 0]})
    classes, empty = pd.DataFrame({"class_name": ["nucleus"], "objects": [4]}), pd.DataFrame()
    return Scores({}, images, classes, table(OBJECT_COLUMNS, objects), empty, {}, table(MASK_COLUMNS, masks))


def test_the_sentences() -> None:
    assert in_words(scores()) == (
        "It finds 75 % of the 4 objects (nucleus) at IoU 0.5. Of its 5 masks, 60 % are right. It counts them wrong by "
        "0.67 an image on average, exactly right in 2 of 3 images."
    )


def test_the_error_of_the_count_is_that_of_the_table() -> None:
    assert "wrong by 1.25 an image" in in_words(replace(scores(), metrics={"cvppp/abs_dic": 1.25}))


@pytest.mark.parametrize(
    ("names", "counts", "said"),
    [
        (["object"], [4], "of the 4 objects at IoU"),
        (["car", "person", "bus"], [3, 1, 0], "of the 4 objects of 2 classes at IoU"),
        (["car", "person"], [4, 0], "of the 4 objects of 1 class at IoU"),
    ],
)
def test_how_classes_are_called(names: list[str], counts: list[int], said: str) -> None:
    assert said in in_words(replace(scores(), per_class=pd.DataFrame({"class_name": names, "objects": counts})))


def test_nothing_to_find_and_nothing_found() -> None:
    whole = scores()
    assert in_words(replace(whole, objects=whole.objects[:0])).startswith("No scored image has an object. ")
    assert "It predicts no mask. It counts" in in_words(replace(whole, masks=whole.masks[:0]))


@pytest.mark.parametrize(("found", "said"), [(0, "0 %"), (1, "under 1 %"), (299, "over 99 %"), (300, "100 %")])
def test_only_all_are_all_and_only_none_are_none(found: int, said: str) -> None:
    objects = pd.DataFrame({"image_id": "a", "iou": [1.0] * found + [0.0] * (300 - found)})
    assert in_words(replace(scores(), objects=objects)).startswith(f"It finds {said} of the 300 objects")


def test_the_score_of_an_image() -> None:
    name, values = image_scores(scores())
    assert name == "matched IoU"
    assert values == pytest.approx({"a": (0.8 + 0.5) / ((3 + 4) / 2), "b": 0.9, "c": 1.0})
    images = scores().per_image.assign(**{"cvppp/sbd": [0.5, 0.9, 1.0]})
    assert image_scores(replace(scores(), per_image=images)) == ("SBD", {"a": 0.5, "b": 0.9, "c": 1.0})
