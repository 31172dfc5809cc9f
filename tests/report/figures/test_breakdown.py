"""Figures over all runs: by class, IoU threshold, number and size of the objects; also for unusual data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.made_up_run import DATA, run_section
from support.pictures import check

from rsis.eval.scores import CURVE_COLUMNS, OBJECT_COLUMNS, Scores, read_scores, write_scores
from rsis.report.figures.breakdown import breakdown, class_figure, number_figure, overlap_figure, size_figure
from rsis.report.tables.protocol import ScoredRun

CLASSES = ("cat", "dog", "person")


def scored(name: str = "mine", dataset: str = "scenes", values: tuple[float, ...] = (0.5, np.nan, 0.25)) -> ScoredRun:
    """A run on four images with 0 to 3 objects; the last object of each image is always missed."""
    per_class = pd.DataFrame({"class_name": CLASSES[: len(values)], "objects": 2, "voc/APr50": values})
    rows = [(f"i{n}", "cat", 4.0 ** (k + 2), 0.0 if k == n - 1 else 0.8, k, 0.1) for n in range(4) for k in range(n)]
    objects = pd.DataFrame(rows, columns=list(OBJECT_COLUMNS))
    per_image = pd.DataFrame({"image_id": [f"i{n}" for n in range(4)], "objects": range(4), "predicted": 1})
    scorer = "voc" if dataset == "scenes" else "cvppp"
    curves = pd.DataFrame([("voc", t, 1 - t) for t in (0.5, 0.7, 0.9) if scorer == "voc"], columns=list(CURVE_COLUMNS))
    run = run_section(dataset)
    metrics = {"voc/APr50": 0.4} if dataset == "scenes" else {"cvppp/sbd": 0.4}
    return ScoredRun(name, run, DATA[dataset], Scores(metrics, per_image, per_class, objects, curves, {}))


def void(run: ScoredRun) -> ScoredRun:
    """The same run, with scores of images without objects."""
    scores = run.scores
    return replace(
        run,
        scores=replace(
            scores,
            per_image=scores.per_image.assign(objects=0),
            per_class=scores.per_class.assign(**{"voc/APr50": np.nan}),
            objects=scores.objects.iloc[:0],
            curves=scores.curves.assign(ap=np.nan),
        ),
    )


def test_runs_of_one_data_set_stand_in_one_figure() -> None:
    runs = [scored("one"), scored("other", "tiny", (0.5,)), scored("two")]
    pictures = breakdown(runs)
    assert [picture.name for picture in pictures] == [
        "class-voc-APr50-scenes.png",
        "overlap-voc-scenes.png",
        "number-scenes.png",
        "size-scenes.png",
        "missed-scenes.png",
        "number-tiny.png",
        "size-tiny.png",
        "missed-tiny.png",
    ]
    for picture in pictures:
        check(picture)
        assert ("two" in picture.alt) == ("scenes" in picture.name)


def test_bars_are_as_long_as_their_values_and_name_classes_without_objects() -> None:
    picture = class_figure([scored(values=(1.0, np.nan, 0.1))], "voc/APr50")
    check(picture)
    assert "Without objects: dog." in picture.caption
    assert class_figure([scored(values=(0.2, np.nan, 0.1))], "voc/APr50").data != picture.data


def test_the_numbers_behind_the_lines() -> None:
    number, size = number_figure([scored()]), size_figure([scored()])
    assert number is not None
    assert size is not None
    assert "mine from 0.0 to 66.7 %" in number.alt  # with one object none is found, with three objects two are
    assert "mine from 53.3 to 0.0 %" in size.alt  # two of the three smallest objects are found, none of the largest
    overlap = overlap_figure([scored()], "voc")
    assert "mine from 50.0 % at 0.50 to 10.0 % at 0.90" in overlap.alt


def test_the_score_of_leaves_is_sbd() -> None:
    run = scored("leaves", "tiny", (0.5,))
    run.scores.per_image["cvppp/sbd"] = [0.0, 0.9, 0.8, 0.7]
    picture = number_figure([run])
    assert picture is not None
    assert "Mean SBD" in picture.caption
    assert "leaves from 90.0 to 70.0 %" in picture.alt  # the image without objects is left out


def test_many_numbers_of_objects_are_put_together() -> None:
    run = scored()
    many = pd.DataFrame({"image_id": [f"i{n}" for n in range(300)], "objects": range(300), "predicted": 1})
    many["cvppp/sbd"] = 0.5
    picture = number_figure([replace(run, scores=replace(run.scores, per_image=many))])
    assert picture is not None
    check(picture)


@pytest.mark.parametrize("values", [(0.5,), (0.0, 1.0), (np.nan, np.nan, np.nan)])
def test_few_classes_or_none(values: tuple[float, ...]) -> None:
    check(class_figure([scored(values=values)], "voc/APr50"))
    check(class_figure([scored("a", values=values), scored("b", values=values)], "voc/APr50"))


@pytest.mark.parametrize("name", ["$a$", "$\\frac{$ $", "$x_{$y$", "\\$$", "a$b", "<b>&amp;"])
def test_names_of_classes_are_drawn_as_they_are(name: str) -> None:
    run = scored()
    per_class = run.scores.per_class.assign(class_name=[name, f"{name}2", f"{name}$3$"])
    picture = class_figure([replace(run, scores=replace(run.scores, per_class=per_class))], "voc/APr50")
    check(picture)
    assert name in picture.caption or f"{name}2" in picture.caption


def test_no_object_at_all() -> None:
    run = void(scored())
    assert number_figure([run]) is None
    assert size_figure([run]) is None
    assert [picture.name for picture in breakdown([run])] == ["class-voc-APr50-scenes.png"]
    assert [p.name for p in breakdown([run, scored("two")])][1] == "overlap-voc-scenes.png"
    assert breakdown([]) == []


def test_tables_read_from_files_without_rows_can_be_drawn(tmp_path: Path) -> None:
    run = void(scored())
    write_scores(run.scores, tmp_path / "m.json", tmp_path / "scores")
    read = replace(run, scores=read_scores(tmp_path / "m.json", tmp_path / "scores"))
    assert size_figure([read]) is None
    assert number_figure([read]) is None


def test_twenty_runs_can_be_told_apart() -> None:
    runs = [scored(f"run{n}") for n in range(20)]
    for picture in breakdown(runs):
        check(picture)
