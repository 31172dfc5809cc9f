"""Tests of the Cityscapes submission, read with the official code."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.cityscapes_folder import random_box, random_ids, stock_averages, stock_module, truth_path, write_ids
from support.scoring import score_by

from rsis.config.datasets import CityscapesSplit
from rsis.config.runs import ScoreSection
from rsis.errors import UserError
from rsis.eval.scorers.cityscapes import CityscapesScorer
from rsis.eval.truths.cityscapes import LABEL_IDS, CityscapesTruth
from rsis.files.atomic import MARK
from rsis.masks import decode_rle, encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile
from rsis.submit.cityscapes import write_cityscapes_submission

RULES = {name: ScoreSection(scorers=("cityscapes",), classes=name) for name in ("all", "best")}
IMAGES = ("aachen_000000_000019", "aachen_000001_000019", "bonn_000012_000019")
SIZE = (60, 90)


def noisy_predictions(root: Path) -> PredictionFile:
    """Write the annotations of three images; return predictions of shifted objects and random boxes.

    The last image has no predictions.
    """
    rng = np.random.default_rng(3)
    images = []
    for image_id in IMAGES:
        ids = random_ids(rng, SIZE, shapes=25)
        write_ids(root, "val", image_id, ids)
        masks = [np.roll(ids == number, 1, axis=1) for number in np.unique(ids) if number >= 1000]
        for _ in range(5):
            masks.append(np.zeros(SIZE, bool))
            masks[-1][random_box(rng, SIZE)] = True
        instances = [
            InstancePrediction(encode_rle(mask), tuple(map(float, rng.dirichlet(np.ones(8)))), float(rng.random()), 0)
            for mask in masks
        ]
        images.append(ImagePrediction(image_id, SIZE, tuple(instances if image_id != IMAGES[-1] else [])))
    return PredictionFile("cityscapes", "run", "val", "0" * 64, tuple(LABEL_IDS), {}, tuple(images))


@pytest.mark.parametrize("classes", ["all", "best"])
def test_the_stock_scorer_reads_it_and_agrees_with_ours(tmp_path: Path, classes: str) -> None:
    predictions = noisy_predictions(tmp_path)
    write_cityscapes_submission(predictions, tmp_path / "sent", RULES[classes])
    truths = [truth_path(tmp_path, "val", image_id) for image_id in IMAGES]
    expected = stock_averages(truths, tmp_path / "sent")
    truth = CityscapesTruth(tmp_path, CityscapesSplit(folder="val"))
    result = score_by(CityscapesScorer, predictions, truth, RULES[classes])
    assert 0 < expected["allAp"] < 1
    assert result.metrics["cityscapes/AP"] == pytest.approx(expected["allAp"], abs=1e-12)
    assert result.metrics["cityscapes/AP50"] == pytest.approx(expected["allAp50%"], abs=1e-12)
    for row in result.per_class.to_dict("records"):
        values = expected["classes"][row["class_name"]]
        assert row["cityscapes/AP"] == pytest.approx(values["ap"], abs=1e-12, nan_ok=True)


def test_files_lines_and_masks(tmp_path: Path) -> None:
    predictions = noisy_predictions(tmp_path)
    folder = tmp_path / "new" / "sent"
    write_cityscapes_submission(predictions, folder, RULES["best"])
    stock = stock_module()
    stock.args.predictionPath = str(folder)
    named = set()
    for image in predictions.images:
        info = stock.readPredInfo(str(folder / f"{image.image_id}.txt"), stock.args)
        assert len(info) == len(image.instances)
        for number, (path, values) in enumerate(info.items()):
            item = image.instances[number]
            assert Path(path) == folder / f"{image.image_id}_{number:02d}.png"
            assert values["labelID"] == list(LABEL_IDS.values())[item.class_id - 1]
            assert values["conf"] == item.class_prob * item.objectness
            with Image.open(path) as picture:
                assert picture.mode == "L"
                np.testing.assert_array_equal(np.asarray(picture), np.where(decode_rle(item.rle), 255, 0))
            named.add(Path(path).name)
    assert {path.name for path in folder.iterdir()} == named | {MARK} | {f"{image_id}.txt" for image_id in IMAGES}
    assert (folder / f"{IMAGES[-1]}.txt").read_text() == ""


def test_replaces_an_earlier_submission_and_nothing_else(tmp_path: Path) -> None:
    predictions = noisy_predictions(tmp_path)
    folder = tmp_path / "sent"
    write_cityscapes_submission(predictions, folder, RULES["all"])
    write_cityscapes_submission(predictions, folder, RULES["best"])
    assert not (folder / f"{IMAGES[0]}_40.png").exists()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"holds thesis\.tex, which rsis did not write there"):
        write_cityscapes_submission(predictions, folder, RULES["best"])
    assert (folder / "thesis.tex").read_text() == "years of work"
    assert (folder / f"{IMAGES[0]}.txt").is_file()


@pytest.mark.parametrize("image_id", ["../../aachen_000000_000019", "plant001", "aa chen_000000_000019", "a/b_1_2"])
def test_other_images_are_refused_and_nothing_is_written(tmp_path: Path, image_id: str) -> None:
    image = ImagePrediction(image_id, SIZE, ())
    predictions = PredictionFile("cityscapes", "run", "val", "0" * 64, tuple(LABEL_IDS), {}, (image,))
    with pytest.raises(UserError, match="is not named <city>_<sequence>_<frame>"):
        write_cityscapes_submission(predictions, tmp_path / "sent", RULES["all"])
    assert list(tmp_path.iterdir()) == []


def test_other_classes_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    image = ImagePrediction(IMAGES[0], SIZE, ())
    predictions = PredictionFile("plants", "run", "val", "0" * 64, ("leaf",), {}, (image,))
    with pytest.raises(UserError, match="class 'leaf' is not one of Cityscapes'"):
        write_cityscapes_submission(predictions, tmp_path / "sent", RULES["all"])
    assert list(tmp_path.iterdir()) == []
