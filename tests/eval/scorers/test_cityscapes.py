"""Tests of the Cityscapes scorer against the official one: stored numbers, and its functions on the same input."""

import json
from pathlib import Path
from typing import Any

import cityscapesscripts
import numpy as np
import pytest
from cityscapesscripts.evaluation.instances2dict import instances2dict
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.cityscapes_folder import random_box, random_ids, stock_module, truth_path, write_disparity, write_ids
from support.reference_data import golden_files
from support.scoring import score_by

from rsis.config.datasets import CityscapesSplit
from rsis.config.runs import ScoreSection
from rsis.errors import UserError
from rsis.eval.detections import Detection
from rsis.eval.scorers.cityscapes import CityscapesScorer, label_ids
from rsis.eval.scorers.cityscapes_overlaps import count_overlaps, records_of
from rsis.eval.scores import ScorerResult
from rsis.eval.truths.cityscapes import LABEL_IDS, CityscapesTruth
from rsis.eval.truths.label_runs import LabelRuns
from rsis.masks import encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile

VAL = CityscapesSplit(folder="val")
BEST = ScoreSection(scorers=("cityscapes",), classes="best")
ALL = ScoreSection(scorers=("cityscapes",), classes="all")
FIRST, SECOND = "aachen_000000_000019", "bonn_000012_000019"
CLASSES = tuple(LABEL_IDS)
SIDE = 100


def prediction(mask: np.ndarray, label_id: int, score: float) -> InstancePrediction:
    """A prediction whose mask has a non-zero probability for only one class."""
    probs = tuple(score if other == label_id else 0.0 for other in LABEL_IDS.values())
    return InstancePrediction(encode_rle(mask), probs, 1.0, 0)


def predictions_of(found: dict[str, list[InstancePrediction]], size: tuple[int, int] = (SIDE, SIDE)) -> PredictionFile:
    images = tuple(ImagePrediction(image_id, size, tuple(items)) for image_id, items in found.items())
    return PredictionFile("cityscapes", "run", "val", "0" * 64, CLASSES, {}, images)


def box(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def score(
    root: Path, regions: list[tuple[np.ndarray, int]], found: list[InstancePrediction], rules: ScoreSection = BEST
) -> ScorerResult:
    """Score one image of road, in which each region has the given instance id."""
    ids = np.full((SIDE, SIDE), 7)
    for mask, number in regions:
        ids[mask] = number
    write_ids(root, "val", FIRST, ids)
    return score_by(CityscapesScorer, predictions_of({FIRST: found}), CityscapesTruth(root, VAL), rules)


def golden_predictions(root: Path) -> PredictionFile:
    """Return the masks and lines of the golden submission as a prediction file."""
    found: dict[str, list[InstancePrediction]] = {}
    size = (0, 0)
    for path in sorted((root / "pred").glob("*.txt")):
        found[path.stem] = []
        for name, label_id, confidence in map(str.split, path.read_text().splitlines()):
            mask = np.asarray(Image.open(path.with_name(name))) != 0
            size = mask.shape
            found[path.stem].append(prediction(mask, int(label_id), float(confidence)))
    return predictions_of(found, size)


@pytest.mark.golden
@pytest.mark.parametrize("golden", golden_files("cityscapes_expected.json"), ids=lambda path: path.parent.name)
@pytest.mark.parametrize("workers", [1, 2])
def test_gives_the_stock_scorers_numbers_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], golden: Path, workers: int
) -> None:
    expected, root = json.loads(golden.read_text()), golden.with_name("cityscapes")
    package = Path(cityscapesscripts.__file__).parent
    installed = {path for path in package.rglob("*") if "__pycache__" not in path.parts}
    monkeypatch.chdir(tmp_path)
    result = score_by(CityscapesScorer, golden_predictions(root), CityscapesTruth(root, VAL), BEST, workers)
    figures = {"cityscapes/AP": expected["allAp"], "cityscapes/AP50": expected["allAp50%"]}
    assert result.metrics == pytest.approx(figures, abs=1e-9)
    per_class = result.per_class.set_index("class_name")
    assert tuple(per_class.index) == CLASSES
    assert set(CLASSES) == set(expected["classes"])
    for name, values in expected["classes"].items():
        assert per_class.loc[name, "cityscapes/AP"] == pytest.approx(values["ap"], abs=1e-9, nan_ok=True)
        assert per_class.loc[name, "cityscapes/AP50"] == pytest.approx(values["ap50%"], abs=1e-9, nan_ok=True)
    assert result.curve is not None
    assert result.curve["iou"].tolist() == [n / 100 for n in range(50, 100, 5)]
    assert result.curve["ap"].mean() == pytest.approx(expected["allAp"], abs=1e-9)
    assert list(result.per_image["image_id"]) == sorted(result.per_image["image_id"])
    assert result.version == "cityscapesscripts 2.3.0"
    assert list(tmp_path.iterdir()) == []
    assert {path for path in package.rglob("*") if "__pycache__" not in path.parts} == installed
    assert capfd.readouterr() == ("", "")


def without_names(records: Any) -> Any:
    """Return the stock function's records without the names of files, which its other functions do not read."""
    if isinstance(records, list):
        return [without_names(item) for item in records]
    if isinstance(records, dict):
        return {key: without_names(value) for key, value in records.items() if key != "imgName"}
    return records


@settings(deadline=None, derandomize=True, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_overlaps_are_those_the_stock_function_counts(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root, rng, size = tmp_path_factory.mktemp("any"), np.random.default_rng(seed), (13, 18)
    ids = random_ids(rng, size)
    write_ids(root, "val", FIRST, ids)
    info: dict[str, dict[str, Any]] = {}
    detections = []
    for number in range(8):
        mask = np.zeros(size, bool)
        mask[random_box(rng, size)] = True  # some are empty
        class_ids = rng.choice(8, 2, replace=False) + 1
        for class_id in map(int, class_ids):
            name = str(root / f"{number}_{class_id}.png")
            Image.fromarray(mask.astype(np.uint8) * 255).save(name)
            confidence = float(rng.random())
            info[name] = {"labelID": list(LABEL_IDS.values())[class_id - 1], "conf": confidence}
            detections.append(Detection(encode_rle(mask), class_id, confidence))

    stock, path = stock_module(), str(truth_path(root, "val", FIRST))
    objects = stock.filterGtInstances(instances2dict(path)[path], stock.args)
    with Image.open(path) as image:
        expected_truth, expected_found = stock.assignGt2Preds(objects, image, info, stock.args)
    found = count_overlaps(LabelRuns.of(ids), None, detections, label_ids(CLASSES))
    for name in CLASSES:
        records = records_of(found, name)
        assert records["groundTruth"] == {name: without_names(expected_truth[name])}
        assert records["prediction"] == {name: without_names(expected_found[name])}


def test_the_truth_itself_scores_one_in_the_classes_that_occur(tmp_path: Path) -> None:
    car, person = box(0, 0, 30, 30), box(50, 50, 40, 20)
    result = score(tmp_path, [(car, 26000), (person, 24003)], [prediction(car, 26, 0.3), prediction(person, 24, 0.9)])
    assert result.metrics == {"cityscapes/AP": 1.0, "cityscapes/AP50": 1.0}
    per_class = result.per_class.set_index("class_name")["cityscapes/AP"]
    assert (per_class["car"], per_class["person"]) == (1.0, 1.0)
    assert per_class.drop(["car", "person"]).isna().all()


def test_overlap_of_72_percent_counts_at_five_of_ten_thresholds(tmp_path: Path) -> None:
    result = score(tmp_path, [(box(0, 0, 50, 100), 26000)], [prediction(box(0, 0, 36, 100), 26, 1.0)])
    assert result.metrics["cityscapes/AP"] == pytest.approx(0.5)
    assert result.metrics["cityscapes/AP50"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (7, 0.25),  # road: the first prediction is a false positive
        (0, 1.0),  # void
        (26, 1.0),  # a group of cars
        (28, 0.25),  # a group of another class
        (29, 1.0),  # a group of caravans, which is void ...
        (29000, 0.25),  # ... while the official code does not treat a single caravan as void
    ],
)
def test_where_a_prediction_is_forgiven(tmp_path: Path, number: int, expected: float) -> None:
    car, other = box(0, 0, 30, 30), box(50, 50, 40, 40)
    found = [prediction(car, 26, 0.5), prediction(other, 26, 0.9)]
    result = score(tmp_path, [(car, 26000), (other, number)], found)
    assert result.per_class.set_index("class_name").loc["car", "cityscapes/AP50"] == pytest.approx(expected)


def test_a_mask_counts_for_every_class_or_for_its_best(tmp_path: Path) -> None:
    car = box(0, 0, 30, 30)
    probs = (0.6, 0.0, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0)  # 0.6 for person, 0.4 for car
    found = [InstancePrediction(encode_rle(car), probs, 0.5, 0)]
    assert score(tmp_path, [(car, 26000)], found, ALL).metrics["cityscapes/AP"] == 1.0
    assert score(tmp_path, [(car, 26000)], found, BEST).metrics["cityscapes/AP"] == 0.0


def test_classes_are_matched_by_name(tmp_path: Path) -> None:
    write_ids(tmp_path, "val", FIRST, np.where(box(0, 0, 30, 30), 26000, 7))
    item = InstancePrediction(encode_rle(box(0, 0, 30, 30)), (0.9, *[0.0] * 7), 1.0, 0)
    file = predictions_of({FIRST: [item]})
    order = ("car", *(name for name in CLASSES if name != "car"))
    truth = CityscapesTruth(tmp_path, VAL)
    in_order = PredictionFile(**(vars(file) | {"class_names": order}))
    assert score_by(CityscapesScorer, in_order, truth, BEST).metrics["cityscapes/AP"] == 1.0
    assert score_by(CityscapesScorer, file, truth, BEST).metrics["cityscapes/AP"] == 0.0


def test_without_any_object_no_figure_is_defined(tmp_path: Path) -> None:
    result = score(tmp_path, [], [prediction(box(0, 0, 30, 30), 26, 0.9)])
    assert result.metrics == {}
    assert result.per_class["cityscapes/AP"].isna().all()
    assert score(tmp_path, [], []).metrics == {}


def test_no_prediction_at_all_scores_zero(tmp_path: Path) -> None:
    result = score(tmp_path, [(box(0, 0, 30, 30), 26000)], [])
    assert result.metrics == {"cityscapes/AP": 0.0, "cityscapes/AP50": 0.0}


def test_objects_missed_and_predictions_forgiven_score_zero(tmp_path: Path) -> None:
    car, void = box(0, 0, 30, 30), box(50, 50, 40, 40)
    result = score(tmp_path, [(car, 26000), (void, 0)], [prediction(void, 26, 0.9)])
    assert result.metrics == {"cityscapes/AP": 0.0, "cityscapes/AP50": 0.0}


def test_near_and_far_objects_have_their_own_figures(tmp_path: Path) -> None:
    """Distance times disparity is 400 here, so the stored value is 4097 for 25 m, 1601 for 64 m, 41 for 2560 m."""
    near, middle, far, unknown = box(0, 0, 40, 40), box(0, 50, 40, 40), box(50, 0, 40, 40), box(50, 50, 40, 40)
    stored = np.zeros((SIDE, SIDE), np.int64)
    for mask, value in ((near, 4097), (middle, 1601), (far, 41)):
        stored[mask] = value
    stored[:15][near[:15]] = 0  # 25 of 40 rows have a disparity, which is enough
    stored[50:65][unknown[50:65]] = 4097  # 15 of 40 rows are too few
    write_disparity(tmp_path, "val", FIRST, stored, fx=2000.0, baseline=0.2)
    regions = [(mask, 26000 + n) for n, mask in enumerate((near, middle, far, unknown))]
    figures = ("cityscapes/AP", "cityscapes/AP100m", "cityscapes/AP50m")
    for found, expected in (
        ([near, middle, far, unknown], [1.0, 1.0, 1.0]),
        ([near, middle], [0.5, 1.0, 1.0]),
        ([near], [0.25, 0.5, 1.0]),
        ([far], [0.25, 0.0, 0.0]),
    ):
        result = score(tmp_path, regions, [prediction(mask, 26, 0.5) for mask in found])
        assert [result.metrics[name] for name in figures] == pytest.approx(expected)
        per_class = result.per_class.set_index("class_name")
        assert [per_class.loc["car", name] for name in figures] == pytest.approx(expected)
        assert per_class.loc["bus", list(figures)].isna().all()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_annotation_is_named_from_any_process(tmp_path: Path, workers: int) -> None:
    for image_id in (FIRST, SECOND):
        write_ids(tmp_path, "val", image_id, np.full((SIDE, SIDE), 7))
    truth = CityscapesTruth(tmp_path, VAL)
    Image.new("L", (SIDE, SIDE)).save(truth_path(tmp_path, "val", SECOND))
    with pytest.raises(UserError, match=f"{SECOND}_gtFine_instanceIds.png: has pixels of mode L"):
        score_by(CityscapesScorer, predictions_of({FIRST: [], SECOND: []}), truth, BEST, workers)


def test_other_data_sets_and_classes_are_refused(tmp_path: Path) -> None:
    write_ids(tmp_path, "val", FIRST, np.full((SIDE, SIDE), 7))
    truth, file = CityscapesTruth(tmp_path, VAL), predictions_of({FIRST: []})
    with pytest.raises(UserError, match="class 'leaf' is not one of Cityscapes'"):
        score_by(CityscapesScorer, PredictionFile(**(vars(file) | {"class_names": ("leaf",)})), truth, BEST)
    with pytest.raises(UserError, match=r"score\.scorers: cityscapes judges data sets of format cityscapes alone"):
        score_by(CityscapesScorer, file, None, BEST)  # type: ignore[arg-type]
