"""Tests of the COCO scorer against a slow twin of the definition of average precision, and on cases solved by hand."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scoring import score_by

from rsis.config.datasets import CocoDataset
from rsis.config.runs import ScoreSection
from rsis.eval.scorers.coco import CocoScorer
from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile

CLASSES = ("nut", "bolt")
SIDE = 100
RULES = ScoreSection(scorers=("coco",), classes="best")


@dataclass(frozen=True)
class Target:
    mask: np.ndarray
    class_id: int = 1
    iscrowd: bool = False


@dataclass(frozen=True)
class Detection:
    mask: np.ndarray
    class_prob: float = 1.0
    class_id: int = 1
    objectness: float = 1.0


def box(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def truth_of(root: Path, images: list[list[Target]]) -> GroundTruth:
    """Write the targets to an annotation file and open it; all its ids are text or 0."""
    annotations = [
        {
            "id": index,
            "image_id": f"id {number}",
            "category_id": f"c{target.class_id}",
            "iscrowd": int(target.iscrowd),
            "segmentation": encode_rle(target.mask),
        }
        for number, targets in enumerate(images)
        for index, target in enumerate(targets)
    ]
    content = {
        "images": [
            {"id": f"id {n}", "file_name": f"{n}.png", "height": SIDE, "width": SIDE} for n in range(len(images))
        ],
        "categories": [{"id": f"c{k}", "name": name} for k, name in enumerate(CLASSES, 1)],
        "annotations": annotations,
    }
    (root / "truth.json").write_text(json.dumps(content))
    split = {"annotations": "truth.json", "images": "."}
    source = {"kind": "folder", "path": "unused"}
    section = {"format": "coco", "source": source, "size": (8, 8), "splits": {"test": split}}
    return load_ground_truth(CocoDataset.model_validate(section), root, "test")


def _one_class(found: Detection) -> tuple[float, ...]:
    return tuple(found.class_prob if k == found.class_id else 0.0 for k in range(1, len(CLASSES) + 1))


def predict(images: list[list[Detection]], class_names: tuple[str, ...] = CLASSES) -> PredictionFile:
    entries = []
    for number, detections in enumerate(images):
        instances = tuple(
            InstancePrediction(encode_rle(found.mask), _one_class(found), found.objectness, step)
            for step, found in enumerate(detections)
        )
        entries.append(ImagePrediction(f"{number}.png", (SIDE, SIDE), instances))
    return PredictionFile("things", "demo", "test", "", class_names, {}, tuple(entries))


def score(root: Path, targets: list[list[Target]], detections: list[list[Detection]]) -> dict[str, float]:
    return score_by(CocoScorer, predict(detections), truth_of(root, targets), RULES).metrics


def slow_outcomes(
    targets: list[Target], found: list[Detection], threshold: float, areas: tuple[float, float], limit: int
) -> tuple[list[tuple[float, bool]], int]:
    """Match the objects of one image and class; return (score, hit) of each counted detection, and the object count."""
    in_range = [areas[0] <= target.mask.sum() <= areas[1] for target in targets]
    wanted = [not target.iscrowd and inside for target, inside in zip(targets, in_range, strict=True)]
    taken: set[int] = set()
    outcomes = []
    for detection in sorted(found, key=lambda item: -item.class_prob * item.objectness)[:limit]:
        best: tuple[bool, float, int] | None = None  # counted objects have precedence, then the overlap
        for index, target in enumerate(targets):
            both = (detection.mask & target.mask).sum()
            whole = detection.mask.sum() if target.iscrowd else (detection.mask | target.mask).sum()
            overlap = both / whole if whole else 0.0
            if overlap >= threshold and (target.iscrowd or index not in taken):
                best = max(best or (False, 0.0, -1), (wanted[index], overlap, index))
        if best:
            taken.add(best[2])
        counts = best[0] if best else areas[0] <= detection.mask.sum() <= areas[1]
        if counts:
            outcomes.append((detection.class_prob * detection.objectness, best is not None))
    return outcomes, sum(wanted)


def slow_figures(
    targets: list[list[Target]], detections: list[list[Detection]], areas: tuple[float, float], limit: int
) -> tuple[float, float, float]:
    """Return AP, AP50 and AR by their definition; NaN if no class has an object."""
    precisions: dict[float, list[float]] = {}
    recalls: list[float] = []
    for class_id in (1, 2):
        for threshold in np.linspace(0.5, 0.95, 10):
            pool: list[tuple[float, bool]] = []
            total = 0
            for truth, found in zip(targets, detections, strict=True):
                of_truth = [item for item in truth if item.class_id == class_id]
                of_found = [item for item in found if item.class_id == class_id]
                outcomes, wanted = slow_outcomes(of_truth, of_found, threshold, areas, limit)
                pool += outcomes
                total += wanted
            if total == 0:
                continue
            hits = np.cumsum([hit for _, hit in sorted(pool, key=lambda item: -item[0])], dtype=float)
            precision = hits / np.arange(1, len(hits) + 1)
            points = [max(precision[hits / total >= r], default=0.0) for r in np.linspace(0, 1, 101)]
            precisions.setdefault(float(threshold), []).append(float(np.mean(points)))
            recalls.append(hits[-1] / total if len(hits) else 0.0)
    if not precisions:
        return float("nan"), float("nan"), float("nan")
    return float(np.mean(list(precisions.values()))), float(np.mean(precisions[0.5])), float(np.mean(recalls))


boxes = st.builds(box, *[st.integers(0, 5).map(lambda n: 10 * n)] * 2, *[st.integers(2, 10).map(lambda n: 10 * n)] * 2)
classes = st.integers(1, 2)
targets_of_images = st.lists(
    st.builds(Target, boxes, classes, st.sampled_from([False, False, False, True])), max_size=4
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[Target]], list[list[Detection]]]:
    """Draw two images with objects; the detections are these objects, shifted copies of them and random boxes."""
    images = [draw(targets_of_images) for _ in range(2)]
    scores = iter(draw(st.permutations([n / 16 for n in range(1, 17)])))
    detections = []
    for targets in images:
        near = [np.roll(target.mask, draw(st.integers(0, 6)), axis=1) for target in targets]
        shapes = [*near, *draw(st.lists(boxes, max_size=3))]
        detections.append([Detection(mask, next(scores), draw(classes), 0.5) for mask in shapes])
    return images, detections


@settings(deadline=None, derandomize=True, max_examples=60)
@given(cases())
def test_figures_are_the_definition(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[list[list[Target]], list[list[Detection]]]
) -> None:
    metrics = score(tmp_path_factory.mktemp("case"), *case)
    everything = (0.0, 1e10)
    ap, ap50, recall = slow_figures(*case, everything, 100)
    ranges = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
    expected = {"coco/AP": ap, "coco/AP50": ap50, "coco/AR100": recall}
    expected["coco/AR1"] = slow_figures(*case, everything, 1)[2]
    expected |= {f"coco/AP_{name}": slow_figures(*case, areas, 100)[0] for name, areas in ranges.items()}
    for name, value in expected.items():
        assert metrics.get(name, float("nan")) == pytest.approx(value, abs=1e-9, nan_ok=True), name


def test_the_truth_itself_scores_one_whatever_its_ids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = [[Target(box(0, 0, 20, 20)), Target(box(0, 30, 50, 50), 2)], [Target(box(0, 0, 100, 100))], []]
    detections = [[Detection(target.mask, 0.7, target.class_id) for target in image] for image in targets]
    names = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100")
    assert score(tmp_path, targets, detections) == pytest.approx({f"coco/{name}": 1.0 for name in names}, abs=1e-12)
    assert capsys.readouterr().out == ""
    assert [item.name for item in tmp_path.iterdir()] == ["truth.json"]


def test_one_of_two_objects_found_scores_51_of_101_recall_points(tmp_path: Path) -> None:
    targets = [[Target(box(0, 0, 50, 50)), Target(box(50, 50, 50, 50))]]
    metrics = score(tmp_path, targets, [[Detection(box(0, 0, 50, 50))]])
    assert metrics["coco/AP"] == pytest.approx(51 / 101)
    assert metrics["coco/AR100"] == pytest.approx(0.5)
    assert "coco/AP_small" not in metrics
    assert "coco/AP_large" not in metrics


def test_overlap_of_80_percent_counts_at_seven_of_ten_thresholds(tmp_path: Path) -> None:
    metrics = score(tmp_path, [[Target(box(0, 0, 50, 100))]], [[Detection(box(0, 0, 40, 100))]])
    assert metrics["coco/AP"] == pytest.approx(0.7)
    assert (metrics["coco/AP50"], metrics["coco/AP75"]) == pytest.approx((1.0, 1.0))


def test_overlap_of_72_percent_counts_at_50_and_not_at_75(tmp_path: Path) -> None:
    metrics = score(tmp_path, [[Target(box(0, 0, 50, 100))]], [[Detection(box(0, 0, 36, 100))]])
    assert (metrics["coco/AP50"], metrics["coco/AP75"], metrics["coco/AP"]) == pytest.approx((1.0, 0.0, 0.5))


def test_recall_is_limited_to_the_surest_detections(tmp_path: Path) -> None:
    masks = [box(10 * (n // 5), 20 * (n % 5), 8, 16) for n in range(20)]
    metrics = score(tmp_path, [[Target(mask) for mask in masks]], [[Detection(mask) for mask in masks]])
    assert [metrics[f"coco/AR{limit}"] for limit in (1, 10, 100)] == pytest.approx([0.05, 0.5, 1.0])


def test_score_is_class_probability_times_objectness(tmp_path: Path) -> None:
    targets = [[Target(box(0, 0, 50, 50))]]
    wrong = Detection(box(50, 50, 50, 50), class_prob=0.9, objectness=0.4)
    right = Detection(box(0, 0, 50, 50), class_prob=0.5, objectness=0.9)
    assert score(tmp_path, targets, [[wrong, right]])["coco/AP"] == pytest.approx(1.0)
    surer = Detection(wrong.mask, class_prob=0.9, objectness=0.6)
    assert score(tmp_path, targets, [[surer, right]])["coco/AP"] == pytest.approx(0.5)


def test_detections_in_a_crowd_are_no_false_positives(tmp_path: Path) -> None:
    leaf, group = Target(box(0, 0, 50, 50)), Target(box(50, 0, 50, 100), iscrowd=True)
    inside = Detection(box(60, 10, 20, 20), 0.9)
    found = Detection(leaf.mask, 0.5)
    assert score(tmp_path, [[leaf, group]], [[inside, found]])["coco/AP"] == pytest.approx(1.0)
    assert score(tmp_path, [[leaf]], [[inside, found]])["coco/AP"] == pytest.approx(0.5)


def test_no_detection_at_all_scores_zero(tmp_path: Path) -> None:
    metrics = score(tmp_path, [[Target(box(0, 0, 50, 50))], []], [[], []])
    assert metrics["coco/AP"] == metrics["coco/AP50"] == metrics["coco/AR100"] == 0.0
    assert "coco/AP_small" not in metrics


def test_without_any_object_no_figure_is_defined(tmp_path: Path) -> None:
    assert score(tmp_path, [[]], [[Detection(box(0, 0, 50, 50))]]) == {}
    assert score(tmp_path, [[]], [[]]) == {}


def test_classes_are_matched_by_name_and_have_a_row_each(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [[Target(box(0, 0, 50, 50), class_id=2)]])
    found = [[Detection(box(0, 0, 50, 50), class_id=1)]]
    result = score_by(CocoScorer, predict(found, ("bolt", "nut")), truth, RULES)
    assert result.metrics["coco/AP"] == pytest.approx(1.0)
    rows = result.per_class.set_index("class_name")["coco/AP"]
    assert rows["bolt"] == pytest.approx(1.0)
    assert np.isnan(rows["nut"])
    assert score_by(CocoScorer, predict(found, ("nut", "bolt")), truth, RULES).metrics["coco/AP"] == 0.0
