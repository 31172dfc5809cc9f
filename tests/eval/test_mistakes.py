"""Tests of the error analysis: one drawn example or more for each kind of mask."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.memory_truth import MemoryTruth

from rsis.eval.mistakes import judge_image, tables_of
from rsis.eval.truths.base import TrueObject
from rsis.masks import encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile

CLASSES = ("cat", "dog")


def box(left: int, right: int) -> np.ndarray:
    mask = np.zeros((4, 40), bool)
    mask[:, left:right] = True
    return mask


def predicted(*masks: tuple[np.ndarray, int, float], said: tuple[float, ...] = ()) -> PredictionFile:
    found = tuple(
        InstancePrediction(encode_rle(mask), (0.9, 0.1) if class_id == 1 else (0.1, 0.9), objectness, step)
        for step, (mask, class_id, objectness) in enumerate(masks)
    )
    return PredictionFile("d", "r", "test", "0", CLASSES, {}, (ImagePrediction("one", (4, 40), found, said),))


def judge_masks(predictions: PredictionFile, truth: MemoryTruth) -> pd.DataFrame:
    return tables_of([judge_image(image, CLASSES, truth) for image in predictions.images])[1]


def judge_steps(predictions: PredictionFile, truth: MemoryTruth) -> pd.DataFrame:
    return tables_of([judge_image(image, CLASSES, truth) for image in predictions.images])[2]


class WithCrowd(MemoryTruth):
    """A ground truth whose last object is a crowd region."""

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        *first, last = super().annotations(image_id)
        return (*first, TrueObject(last.rle, last.class_id, last.area, iscrowd=True))


TRUTH = MemoryTruth({"one": [(box(0, 10), 1), (box(20, 30), 2)]}, CLASSES, (4, 40))


@pytest.mark.parametrize(
    ("masks", "kinds"),
    [
        ([(box(0, 10), 1, 0.9), (box(20, 30), 2, 0.9)], ["correct", "correct"]),
        ([(box(0, 10), 1, 0.9), (box(0, 9), 1, 0.8)], ["correct", "duplicate"]),
        # the mask with the higher score is the correct one, whichever was predicted first
        ([(box(0, 9), 1, 0.8), (box(0, 10), 1, 0.9)], ["duplicate", "correct"]),
        ([(box(0, 10), 2, 0.9)], ["classification"]),
        ([(box(7, 17), 1, 0.9), (box(27, 37), 1, 0.9)], ["localisation", "localisation"]),
        ([(box(11, 19), 1, 0.9), (box(9, 19), 1, 0.9)], ["background", "background"]),
    ],
)
def test_kinds(masks: list[Any], kinds: list[str]) -> None:
    table = judge_masks(predicted(*masks), TRUTH)
    assert table["kind"].tolist() == kinds
    assert table["step"].tolist() == list(range(len(masks)))
    assert table["class_name"].tolist() == [CLASSES[class_id - 1] for _, class_id, _ in masks]


def test_overlap_is_with_the_best_object_of_any_class() -> None:
    table = judge_masks(predicted((box(25, 35), 1, 0.9), (box(12, 18), 1, 0.9)), TRUTH)
    assert table["iou"].tolist() == pytest.approx([5 / 15, 0])


def test_masks_in_crowds_are_neither_right_nor_wrong() -> None:
    truth = WithCrowd({"one": [(box(0, 10), 1), (box(15, 40), 2)]}, CLASSES, (4, 40))
    table = judge_masks(predicted((box(20, 30), 1, 0.9), (box(0, 10), 1, 0.5), (box(11, 14), 2, 0.5)), truth)
    assert table["kind"].tolist() == ["ignored", "correct", "background"]
    assert judge_steps(predicted(said=(0.9, 0.8)), truth)["left"].tolist() == [1, 0]


def test_no_mask_and_no_object() -> None:
    empty = MemoryTruth({"one": []}, CLASSES, (4, 40))
    assert judge_masks(predicted(), TRUTH).empty
    assert judge_masks(predicted((box(0, 4), 1, 0.9)), empty)["kind"].tolist() == ["background"]


def test_steps_say_whether_an_object_was_left() -> None:
    table = judge_steps(predicted((box(0, 10), 1, 0.9), said=(0.9, 0.7, 0.2)), TRUTH)
    assert table["step"].tolist() == [0, 1, 2]
    assert table["objectness"].tolist() == [0.9, 0.7, 0.2]
    assert table["left"].tolist() == [1, 1, 0]
