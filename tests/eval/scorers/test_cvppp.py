"""Tests of the CVPPP scorer against the organisers' numbers and a slow twin, and on cases solved by hand."""

from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.reference_data import golden_files
from support.scoring import score_by

from rsis.config.runs import ScoreSection
from rsis.eval.scorers.cvppp import (
    CvpppScorer,
    PairScore,
    best_dice,
    overlap_of,
    score_pair,
)
from rsis.eval.truths.base import GroundTruth, TrueObject
from rsis.masks import encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile

RULES = ScoreSection(scorers=("cvppp",))


class Truth(GroundTruth):
    """A ground truth in memory with one class."""

    def __init__(self, maps: dict[str, np.ndarray], ignored: dict[str, np.ndarray] | None = None) -> None:
        super().__init__(list(maps), ["leaf"])
        self.maps = maps
        self.ignored = ignored or {}

    def image_path(self, image_id: str) -> Path:
        return Path(image_id)

    def size(self, image_id: str) -> tuple[int, int]:
        return self.maps[image_id].shape

    def instance_map(self, image_id: str) -> np.ndarray:
        return self.maps[image_id].astype(np.int32)

    def ignore_mask(self, image_id: str) -> np.ndarray:
        return self.ignored.get(image_id, np.zeros(self.size(image_id), bool))

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        raise NotImplementedError


def predict(masks: dict[str, list[np.ndarray]], size: tuple[int, int]) -> PredictionFile:
    images = tuple(
        ImagePrediction(
            name, size, tuple(InstancePrediction(encode_rle(mask), (1.0,), 0.9, t) for t, mask in enumerate(stack))
        )
        for name, stack in masks.items()
    )
    return PredictionFile("plants", "demo", "test", "", ("leaf",), {}, images)


def score_one(masks: list[np.ndarray], truth: np.ndarray, ignored: np.ndarray | None = None) -> dict[str, float]:
    ground_truth = Truth({"p": truth}, {} if ignored is None else {"p": ignored})
    return score_by(CvpppScorer, predict({"p": masks}, truth.shape), ground_truth, RULES).metrics


def slow_dice(x: np.ndarray, y: np.ndarray) -> float:
    total = int(x.sum()) + int(y.sum())
    return 2 * int((x & y).sum()) / total if total else 0.0


def slow_best_dice(a: np.ndarray, b: np.ndarray) -> float:
    """Return BD(a, b) by the published definition, with a loop over the labels."""
    if a.min() == a.max():
        return 0.0
    best = []
    for i in range(int(a.min()) + 1, int(a.max()) + 1):
        of_i = [slow_dice(a == i, b == j) for j in range(int(b.min()) + 1, int(b.max()) + 1)]
        best.append(max(of_i, default=0.0))
    return sum(best) / len(best)


def slow_score(pred: np.ndarray, target: np.ndarray) -> PairScore:
    dic = (int(pred.max()) - int(pred.min())) - (int(target.max()) - int(target.min()))
    sbd = min(slow_best_dice(pred, target), slow_best_dice(target, pred))
    return PairScore(sbd, slow_dice(pred > pred.min(), target > target.min()), dic, abs(dic))


@st.composite
def map_pairs(draw: st.DrawFn, labels: st.SearchStrategy[int]) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=8))
    pair = [draw(hnp.arrays(draw(st.sampled_from([np.uint8, np.int32])), shape, elements=labels)) for _ in range(2)]
    return pair[0], pair[1]


@pytest.mark.golden
@pytest.mark.parametrize("path", golden_files("cvppp_expected.csv"), ids=lambda path: path.parent.name)
def test_figures_of_the_organisers_functions(path: Path) -> None:
    expected = pd.read_csv(path)
    with np.load(path.with_name("cvppp_pairs.npz")) as maps:
        for row in expected.itertuples():
            found = score_pair(maps[f"pred_{row.pair:02}"], maps[f"gt_{row.pair:02}"])
            assert found.sbd == pytest.approx(row.sbd, abs=1e-9, rel=0), f"pair {row.pair}"
            assert found.fg_bg_dice == pytest.approx(row.fg_bg_dice, abs=1e-9, rel=0), f"pair {row.pair}"
            assert (found.dic, found.abs_dic) == (row.dic, row.abs_dic), f"pair {row.pair}"
    assert len(expected) > 0


@settings(deadline=None, derandomize=True, max_examples=150)
@given(map_pairs(st.integers(0, 6)))
def test_fast_figures_are_the_definition(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found, expected = score_pair(*pair), slow_score(*pair)
    assert found.sbd == pytest.approx(expected.sbd, abs=1e-12)
    assert found.fg_bg_dice == pytest.approx(expected.fg_bg_dice, abs=1e-12)
    assert (found.dic, found.abs_dic) == (expected.dic, expected.abs_dic)
    assert best_dice(overlap_of(*pair)) == pytest.approx(slow_best_dice(*pair), abs=1e-12)


def test_conventions_of_the_organisers() -> None:
    one_leaf = np.array([[0, 1, 1, 1]])
    # label 1 does not occur, but counts
    assert best_dice(overlap_of(np.array([[0, 2, 2, 2]]), one_leaf)) == 0.5
    assert score_pair(np.array([[0, 9, 9, 9]]), one_leaf).dic == 8
    assert score_pair(np.array([[3, 4, 4, 4]]), one_leaf) == PairScore(1.0, 1.0, 0, 0)  # the lowest label is background
    empty = np.zeros((1, 4), int)
    assert score_pair(empty, empty) == PairScore(0.0, 0.0, 0, 0)
    assert score_pair(empty, one_leaf) == PairScore(0.0, 0.0, -1, 1)
    with pytest.raises(ValueError, match=r"shapes \(1, 4\) and \(4, 1\)"):
        score_pair(empty, empty.T)


def test_large_labels_take_no_large_tables() -> None:
    pred = np.array([[0, 2_000_000_000, 2_000_000_000]])
    assert score_pair(pred, np.array([[0, 1, 1]])).sbd == pytest.approx(1 / 2_000_000_000)


def test_prediction_of_the_truth_is_perfect_in_any_order() -> None:
    truth = np.repeat(np.arange(5), 6).reshape(5, 6)
    assert score_one([truth == k for k in (3, 1, 4, 2)], truth) == {
        "cvppp/sbd": 1.0,
        "cvppp/sbd_std": 0.0,
        "cvppp/fg_bg_dice": 1.0,
        "cvppp/fg_bg_dice_std": 0.0,
        "cvppp/dic": 0.0,
        "cvppp/dic_std": 0.0,
        "cvppp/abs_dic": 0.0,
        "cvppp/abs_dic_std": 0.0,
    }


def test_objects_that_cover_every_pixel_are_still_objects() -> None:
    truth = np.array([[1, 1, 2, 2]])
    perfect = score_one([truth == 1, truth == 2], truth)
    assert perfect["cvppp/sbd"] == perfect["cvppp/fg_bg_dice"] == 1.0
    assert score_one([truth > 0], truth)["cvppp/sbd"] == pytest.approx(2 / 3)
    assert score_one([truth > 0], truth)["cvppp/dic"] == -1
    assert score_one([], truth)["cvppp/dic"] == -2


def test_gaps_in_the_annotation_are_no_objects() -> None:
    truth = np.array([[0, 2, 2, 9]])
    assert score_one([truth == 2, truth == 9], truth)["cvppp/sbd"] == 1.0
    assert score_one([truth == 2, truth == 9], truth)["cvppp/dic"] == 0


def test_earlier_object_keeps_contested_pixels_and_lost_objects_do_not_count() -> None:
    truth = np.array([[0, 1, 1, 2, 2]])
    both = truth > 0
    assert score_one([truth == 1, both], truth)["cvppp/sbd"] == 1.0
    assert score_one([both, truth == 1], truth)["cvppp/sbd"] == pytest.approx(2 / 3)
    assert score_one([both, truth == 1], truth)["cvppp/dic"] == -1


def test_ignored_pixels_are_taken_from_predictions() -> None:
    truth = np.array([[0, 1, 1, 0, 0]])
    ignored = np.array([[False, False, False, True, True]])
    masks = [np.array([[0, 1, 1, 1, 0]], bool), np.array([[0, 0, 0, 0, 1]], bool)]
    assert score_one(masks, truth, ignored)["cvppp/sbd"] == 1.0
    assert score_one(masks, truth, ignored)["cvppp/dic"] == 0
    assert score_one(masks, truth)["cvppp/sbd"] == pytest.approx(0.4)


def test_metrics_are_means_and_deviations_over_images() -> None:
    truth = np.array([[0, 1, 1, 2]])
    ground_truth = Truth({"p": truth, "q": truth, "r": truth})
    predictions = predict({"p": [truth == 1, truth == 2], "q": [], "r": [truth == 1]}, truth.shape)
    result = score_by(CvpppScorer, predictions, ground_truth, RULES)
    assert result.per_image["image_id"].tolist() == ["p", "q", "r"]
    assert result.per_image["cvppp/sbd"].tolist() == [1.0, 0.0, 0.5]
    assert result.per_image["cvppp/dic"].tolist() == [0, -2, -1]
    assert result.metrics["cvppp/sbd"] == pytest.approx(0.5)
    assert result.metrics["cvppp/sbd_std"] == pytest.approx((1 / 6) ** 0.5)
    assert result.metrics["cvppp/dic"] == pytest.approx(-1.0)
    assert result.metrics["cvppp/abs_dic"] == pytest.approx(1.0)
    assert result.metrics["cvppp/abs_dic_std"] == pytest.approx((2 / 3) ** 0.5)
    assert result.metrics["cvppp/fg_bg_dice"] == pytest.approx((1 + 0 + 0.8) / 3)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(map_pairs(st.integers(0, 4)), st.integers(0, 2**16 - 1))
def test_a_false_positive_never_raises_sbd(pair: tuple[np.ndarray, np.ndarray], pattern: int) -> None:
    pred, truth = pair
    masks = [pred == label for label in range(1, 5)]
    free = (pred == 0) & (truth == 0)
    extra = free & (pattern >> np.arange(free.size).reshape(free.shape) % 16 & 1).astype(bool)
    before, after = score_one(masks, truth), score_one([*masks, extra], truth)
    assert after["cvppp/sbd"] <= before["cvppp/sbd"] + 1e-12
    assert after["cvppp/dic"] == before["cvppp/dic"] + extra.any()
