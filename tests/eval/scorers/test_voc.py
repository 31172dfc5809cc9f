"""Tests of AP^r and recall against a slow twin of their definition, and on cases solved by hand."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.memory_truth import MemoryTruth
from support.scoring import score_by

from rsis.config.runs import ScoreSection
from rsis.eval.scorers.voc import OVERLAPS, PROPOSALS, RECALL_OVERLAPS, VocScorer, average_precision
from rsis.masks import encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile

SHAPE = (10, 20)
CLASSES = ("cat", "dog")
ALL = ScoreSection(scorers=("voc",), classes="all")
BEST = ScoreSection(scorers=("voc",), classes="best")


def bar(first: int, last: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[:, first:last] = True
    return mask


def predicted(images: Mapping[str, Sequence[tuple[np.ndarray, tuple[float, ...], float]]]) -> PredictionFile:
    entries = []
    for image_id, found in images.items():
        instances = (InstancePrediction(encode_rle(m), probs, score, t) for t, (m, probs, score) in enumerate(found))
        entries.append(ImagePrediction(image_id, SHAPE, tuple(instances)))
    return PredictionFile("things", "demo", "test", "", CLASSES, {}, tuple(entries))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def slow_precision(detections: list, targets: dict, threshold: float) -> float:
    """Return AP by its definition, from detections (image, mask, score) and the objects of each image."""
    matched: set[tuple[str, int]] = set()
    outcomes = []
    for image, mask, _ in sorted(detections, key=lambda item: -item[2]):
        overlaps = [iou(mask, target) for target in targets[image]]
        best = int(np.argmax(overlaps)) if overlaps else -1
        good = best >= 0 and overlaps[best] >= threshold and (image, best) not in matched
        if good:
            matched.add((image, best))
        outcomes.append(good)
    total = sum(map(len, targets.values()))
    points = [(sum(outcomes[:k]) / total, sum(outcomes[:k]) / k) for k in range(1, len(outcomes) + 1)]
    area, previous = 0.0, 0.0
    for recall, _ in points:
        if recall > previous:
            area += (recall - previous) * max(p for r, p in points if r >= recall)
            previous = recall
    return area


bars = st.tuples(st.integers(0, 15), st.integers(1, 5)).map(lambda pair: bar(pair[0], pair[0] + pair[1]))
unit = st.integers(0, 1000).map(lambda number: number / 1000)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.data())
def test_equals_a_slow_reading_of_the_definition(data: st.DataObject) -> None:
    names = [f"image {n}" for n in range(data.draw(st.integers(1, 3)))]
    objects = {name: data.draw(st.lists(st.tuples(bars, st.integers(1, 2)), max_size=3)) for name in names}
    found = {}
    scores = iter(data.draw(st.permutations(range(1, 13))))  # all different: equal scores have no order
    for name in names:
        masks = data.draw(st.lists(bars, max_size=4))
        found[name] = [(mask, (next(scores) / 13, data.draw(unit) / 14), 1.0) for mask in masks]
    file = predicted(found)
    metrics = score_by(VocScorer, file, MemoryTruth(objects, CLASSES, SHAPE), BEST).per_class.set_index("class_name")
    for class_id, class_name in enumerate(CLASSES, 1):
        targets = {name: [mask for mask, k in objects[name] if k == class_id] for name in names}
        detections = [
            (name, mask, max(probs))
            for name in names
            for mask, probs, _ in found[name]
            if probs.index(max(probs)) + 1 == class_id
        ]
        for threshold in OVERLAPS:
            value = metrics[f"voc/APr{round(100 * threshold)}"][class_name]
            if any(targets.values()):
                assert value == pytest.approx(slow_precision(detections, targets, threshold), abs=1e-12)
            else:
                assert np.isnan(value)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.tuples(bars, st.integers(1, 2)), min_size=1, max_size=4), st.lists(bars, max_size=12))
def test_recall_equals_a_slow_reading_of_the_definition(objects: list, masks: list) -> None:
    ranks = np.random.default_rng(len(masks)).permutation(len(masks))
    found = [(mask, (0.5, 0.5), 1 - rank / 100) for mask, rank in zip(masks, ranks, strict=True)]
    metrics = score_by(VocScorer, predicted({"a": found}), MemoryTruth({"a": objects}, CLASSES, SHAPE), ALL).metrics
    by_rank = [mask for _, mask in sorted(zip(ranks, masks, strict=True), key=lambda pair: pair[0])]
    for limit in PROPOSALS:
        for threshold in RECALL_OVERLAPS:
            hit = [any(iou(mask, target) >= threshold for mask in by_rank[:limit]) for target, _ in objects]
            assert metrics[f"voc/AR{limit}_iou{round(100 * threshold)}"] == pytest.approx(np.mean(hit))


def test_the_truth_itself_scores_one_everywhere() -> None:
    objects = {"a": [(bar(0, 4), 1), (bar(6, 9), 2)], "b": [], "c": [(bar(2, 3), 1)]}
    found = {
        name: [(m, (0.9, 0.1) if k == 1 else (0.1, 0.9), 0.8) for m, k in items] for name, items in objects.items()
    }
    result = score_by(VocScorer, predicted(found), MemoryTruth(objects, CLASSES, SHAPE), BEST)
    assert set(result.metrics.values()) == {1.0}
    assert len(result.metrics) == 12
    assert result.curve is not None
    assert result.curve.values.tolist() == [[t, 1.0] for t in OVERLAPS]


def test_a_mask_emitted_for_every_class_is_a_false_positive_of_the_others() -> None:
    objects = {"a": [(bar(0, 4), 1)], "b": [(bar(0, 4), 2)]}
    # in "b" the mask is wrong, and has a higher score for the first class than the right mask in "a"
    found = {"a": [(bar(0, 4), (0.6, 0.4), 1.0)], "b": [(bar(9, 14), (0.7, 0.3), 1.0)]}
    truth = MemoryTruth(objects, CLASSES, SHAPE)
    assert score_by(VocScorer, predicted(found), truth, ALL).metrics["voc/APr50"] == pytest.approx(0.25)
    doubled = {"a": [*found["a"], (bar(0, 4), (0.1, 0.9), 0.5)]}
    assert score_by(VocScorer, predicted(doubled), MemoryTruth({"a": objects["a"]}, CLASSES, SHAPE), ALL).metrics[
        "voc/APr50"
    ] == pytest.approx(1.0)


def test_a_class_without_objects_counts_for_nothing_and_is_empty_in_the_table() -> None:
    truth = MemoryTruth({"a": [(bar(0, 4), 2)]}, CLASSES, SHAPE)
    result = score_by(VocScorer, predicted({"a": [(bar(0, 4), (0.9, 0.5), 1.0)]}), truth, ALL)
    assert result.metrics["voc/APr90"] == 1.0
    assert result.per_class["voc/APr"].isna().tolist() == [True, False]


def test_no_object_at_all_gives_no_figure() -> None:
    result = score_by(
        VocScorer, predicted({"a": [(bar(0, 4), (0.9, 0.1), 1.0)]}), MemoryTruth({"a": []}, CLASSES, SHAPE), ALL
    )
    assert result.metrics == {}


def test_average_precision_by_hand() -> None:
    assert average_precision(np.array([True, False, True]), 2) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([False, True]), 4) == pytest.approx(1 / 8)
    assert average_precision(np.array([], bool), 3) == 0.0
