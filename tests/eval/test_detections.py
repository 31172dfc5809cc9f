"""Tests of the rules that turn masks into detections and instance maps."""

from dataclasses import replace

import numpy as np
import pandas as pd
from support.memory_truth import MemoryTruth

from rsis.eval.detections import Detection, detections_of, without_ignored
from rsis.eval.mistakes import judge_image, tables_of
from rsis.eval.truths.base import TrueObject
from rsis.masks import decode_rle, encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile

LEFT = np.array([[True, True, False], [True, True, False]])
RIGHT = np.array([[False, False, True], [False, False, True]])
BOTH = ImagePrediction(
    "a",
    (2, 3),
    (
        InstancePrediction(encode_rle(LEFT), (0.25, 0.75), 0.5, 0),
        InstancePrediction(encode_rle(RIGHT), (0.5, 0.5), 1.0, 3),
    ),
)
FILE = PredictionFile("things", "demo", "test", "", ("cat", "dog"), {}, (BOTH, replace(BOTH, image_id="b")))


def test_every_class_or_the_best_one() -> None:
    left, right = encode_rle(LEFT), encode_rle(RIGHT)
    assert detections_of(BOTH, "best") == [Detection(left, 2, 0.375), Detection(right, 1, 0.5)]
    assert detections_of(BOTH, "all") == [
        Detection(left, 1, 0.125),
        Detection(left, 2, 0.375),
        Detection(right, 1, 0.5),
        Detection(right, 2, 0.5),
    ]


def test_ignored_pixels_leave_the_masks_of_their_image_and_empty_masks_go() -> None:
    ignored = np.array([[True, False, True], [False, False, True]])
    truth = MemoryTruth({"a": [], "b": []}, ("cat", "dog"), (2, 3), {"a": ignored})
    first, second = (without_ignored(image, truth) for image in FILE.images)
    assert [decode_rle(item.rle).tolist() for item in first.instances] == [(LEFT & ~ignored).tolist()]
    assert first.instances[0].class_probs == (0.25, 0.75)
    assert second == FILE.images[1]


def test_crowd_regions_are_left_to_the_scorers() -> None:
    crowd, void = np.zeros((2, 3), bool), np.zeros((2, 3), bool)
    crowd[:, 0], void[0, 1] = True, True

    class Truth(MemoryTruth):
        def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
            return (TrueObject(encode_rle(crowd), 1, 2.0, iscrowd=True),)

    truth = Truth({"a": [], "b": []}, ("cat", "dog"), (2, 3), {"a": crowd | void})
    first = without_ignored(BOTH, truth).instances[0]
    assert decode_rle(first.rle).tolist() == (LEFT & ~void).tolist()


def score_objects(predictions: PredictionFile, truth: MemoryTruth) -> pd.DataFrame:
    return tables_of([judge_image(image, predictions.class_names, truth) for image in predictions.images])[0]


def test_objects_table_names_the_step_that_fits_best() -> None:
    top = np.array([[True, True, True], [False, False, False]])
    truth = MemoryTruth({"a": [(RIGHT, 2), (top, 1)], "b": []}, ("cat", "dog"), (2, 3))
    table = score_objects(FILE, truth)
    assert table.drop(columns="iou").values.tolist() == [["a", "dog", 2.0, 3, 2 / 6], ["a", "cat", 3.0, 0, 3 / 6]]
    assert np.allclose(table["iou"], [1.0, 2 / 5])
    none = replace(FILE, images=(replace(BOTH, instances=()),))
    missed = score_objects(none, truth)
    assert missed["iou"].tolist() == [0.0, 0.0]
    assert missed["step"].isna().all()
