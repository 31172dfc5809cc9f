"""Tests of the stage `score`: from a prediction file and raw annotations to all metrics."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.reference_data import NUCLEI

from rsis.config.datasets import CocoDataset, CvpppDataset
from rsis.config.runs import ScoreSection
from rsis.errors import UserError
from rsis.eval.run import score_run
from rsis.eval.scores import read_scores, write_scores
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile, write_predictions

SOURCE = {"kind": "folder", "path": "unused"}
BOTH = ScoreSection(scorers=("cvppp", "coco"))


def plants(skip_bad: bool = False) -> CvpppDataset:
    splits = {"test": {"folder": "A1"}}
    values = {"format": "cvppp", "source": SOURCE, "size": (8, 8), "splits": splits, "skip_bad": skip_bad}
    return CvpppDataset.model_validate(values)


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, PredictionFile]:
    """Two plants of three leaves each, 12 x 16 pixels, and a perfect prediction file."""
    (tmp_path / "A1").mkdir()
    images = []
    for name in ("plant001", "plant002"):
        labels = np.zeros((12, 16), np.uint8)
        for leaf in (1, 2, 3):
            labels[3 * leaf : 3 * leaf + 2, 2 : 4 + 3 * leaf] = leaf
        Image.fromarray(labels).save(tmp_path / "A1" / f"{name}_label.png")
        Image.new("RGBA", (16, 12)).save(tmp_path / "A1" / f"{name}_rgb.png")
        instances = [InstancePrediction(encode_rle(labels == leaf), (1.0,), 0.9, 3 - leaf) for leaf in (3, 2, 1)]
        images.append(ImagePrediction(name, (12, 16), tuple(instances)))
    return tmp_path, PredictionFile("plants", "demo", "test", "c0ffee", ("leaf",), {"num_steps": 4}, tuple(images))


def score(root: Path, file: PredictionFile, dataset: CvpppDataset) -> Any:
    write_predictions(root / "demo.json", file)
    return score_run(root / "demo.json", dataset, root, BOTH)


def test_right_predictions_score_one_and_the_protocol_says_how(case: tuple[Path, PredictionFile]) -> None:
    root, file = case
    scores = score(root, file, plants())
    for name in ("cvppp/sbd", "cvppp/fg_bg_dice", "coco/AP", "coco/AP50", "coco/AP75", "coco/AP_small", "coco/AR100"):
        assert scores.metrics[name] == pytest.approx(1.0, abs=1e-12), name
    assert scores.metrics["cvppp/dic"] == 0.0
    assert scores.metrics["coco/AR1"] == pytest.approx(1 / 3)
    assert scores.per_image[["image_id", "objects", "predicted", "cvppp/sbd"]].values.tolist() == [
        ["plant001", 3, 3, 1.0],
        ["plant002", 3, 3, 1.0],
    ]
    assert scores.per_class[["class_name", "objects"]].values.tolist() == [["leaf", 6]]
    assert scores.protocol | {"scorers": None} == {
        "dataset": "plants",
        "split": "test",
        "run": "demo",
        "checkpoint": "c0ffee",
        "images": 2,
        "left_out": [],
        "objects": 6,
        "scorers": None,
        "rules": {"classes": "all", "remove_ignored": True, "overlap": "first"},
        "predict": {"num_steps": 4},
    }
    assert sorted(scores.protocol["scorers"]) == ["coco", "cvppp"]
    write_scores(scores, root / "metrics.json", root / "scores")
    assert read_scores(root / "metrics.json", root / "scores").metrics == scores.metrics


def test_predictions_without_instances_score_zero(case: tuple[Path, PredictionFile]) -> None:
    root, file = case
    scores = score(root, replace(file, images=tuple(replace(image, instances=()) for image in file.images)), plants())
    assert scores.metrics["cvppp/sbd"] == scores.metrics["coco/AP"] == 0.0
    assert scores.metrics["cvppp/dic"] == -3.0


FAULTS: dict[str, tuple[Callable[[PredictionFile], PredictionFile], str]] = {
    "an image less": (lambda f: replace(f, images=f.images[:1]), "other images .*'plant002' has no prediction"),
    "an image more": (
        lambda f: replace(f, images=(*f.images, replace(f.images[0], image_id="plant009"))),
        "other images .*'plant009' is not in the ground truth",
    ),
    "no image": (lambda f: replace(f, images=()), "other images .*'plant001' has no prediction"),
    "another size": (
        lambda f: replace(f, images=(f.images[0], ImagePrediction("plant002", (16, 12), ()))),
        r"'plant002' is predicted at size \(16, 12\), its annotation is \(12, 16\)",
    ),
    "another class": (
        lambda f: replace(f, class_names=("nut",)),
        r"has classes \['nut'\], the ground truth \['leaf'\]",
    ),
    "another split": (lambda f: replace(f, split="val"), "no split 'val'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_predictions_of_something_else_are_refused(case: tuple[Path, PredictionFile], fault: str) -> None:
    root, file = case
    spoil, message = FAULTS[fault]
    with pytest.raises(UserError, match=message) as caught:
        score(root, spoil(file), plants())
    assert "predict" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_images_that_the_preparation_may_skip_are_named(case: tuple[Path, PredictionFile]) -> None:
    root, file = case
    (root / "A1" / "plant002_label.png").write_bytes(b"damaged")
    scores = score(root, replace(file, images=file.images[:1]), plants(skip_bad=True))
    assert scores.protocol["left_out"] == ["plant002"]
    assert scores.protocol["objects"] == 3
    with pytest.raises(UserError, match=r"plant002_label\.png: cannot read"):
        score(root, file, plants(skip_bad=True))


def test_real_annotations_predicted_right_score_one(tmp_path: Path) -> None:
    splits = {"test": {"annotations": "test/instances.json", "images": "test/images"}}
    values = {"format": "coco", "source": SOURCE, "size": (8, 8), "splits": splits}
    dataset = CocoDataset.model_validate(values)
    truth = load_ground_truth(dataset, NUCLEI, "test")
    images = []
    for image_id in truth.image_ids:
        instances = [InstancePrediction(item.rle, (1.0,), 0.5, 0) for item in truth.annotations(image_id)]
        images.append(ImagePrediction(image_id, truth.size(image_id), tuple(instances)))
    file = PredictionFile("nuclei", "nuclei", "test", "", ("nucleus",), {}, tuple(images))
    write_predictions(tmp_path / "nuclei.json", file)
    scores = score_run(tmp_path / "nuclei.json", dataset, NUCLEI, BOTH)
    for name in ("cvppp/sbd", "cvppp/fg_bg_dice", "coco/AP", "coco/AP_small", "coco/AP_medium", "coco/AR100"):
        assert scores.metrics[name] == pytest.approx(1.0, abs=1e-12), name
    assert (scores.protocol["images"], scores.protocol["objects"]) == (27, 335)


def test_scoring_needs_neither_torch_nor_the_prepared_data() -> None:
    foreign = ("torch", "h5py", "rsis.data", "rsis.model")
    code = f"import sys, rsis.eval.run; print([name for name in {foreign} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
