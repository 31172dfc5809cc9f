"""Tests of `rsis submit`: the files give the metrics of our scorers, and those of pycocotools run on them."""

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from support.cityscapes_folder import write_ids
from support.folder_contents import contents
from support.made_up_run import draw_plants
from support.submission_cases import PLANTS, RUN, SIDE, coco, noisy, plants, save, voc, with_rules

from rsis.config.datasets import AnyDataset, CityscapesDataset, CocoDataset, CvpppDataset
from rsis.errors import UserError
from rsis.eval.run import score_run
from rsis.eval.scorers.cvppp import score_pair
from rsis.eval.truths.cityscapes import LABEL_IDS
from rsis.eval.truths.open import load_ground_truth
from rsis.files.atomic import MARK
from rsis.masks import encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction
from rsis.submit.cityscapes import write_cityscapes_submission
from rsis.submit.run import submit


@pytest.mark.parametrize("overlap", ["first", "probable"])
def test_plants_score_in_the_file_what_the_scorer_says(tmp_path: Path, overlap: str) -> None:
    raw, path = plants(tmp_path)
    run = with_rules("cvppp", overlap=overlap)
    submit("mine", run, PLANTS, raw, path, tmp_path / "sent")
    truth = load_ground_truth(PLANTS, raw, "test")
    expected = score_run(path, PLANTS, raw, run.score).per_image.set_index("image_id")
    with h5py.File(tmp_path / "sent/submission.h5") as file:
        assert list(file) == ["A1"]
        assert list(file["A1"]) == list(truth.image_ids)
        for plant, row in expected.iterrows():
            labels = file["A1"][plant]["label"][()]
            score = score_pair(labels.astype(np.int64), truth.instance_map(str(plant)))
            assert (score.sbd, score.fg_bg_dice) == (row["cvppp/sbd"], row["cvppp/fg_bg_dice"])
            assert score.dic == row["cvppp/dic"]
            with Image.open(tmp_path / "sent/A1" / f"{plant}_label.png") as image:
                np.testing.assert_array_equal(np.asarray(image), labels)
    assert 0 < expected["cvppp/sbd"].mean() < 1


def test_the_overlap_rule_decides_and_the_first_leaf_is_not_background(tmp_path: Path) -> None:
    draw_plants(tmp_path)
    left, right = np.zeros((2, 32, 32), bool)
    left[:, :20], right[:, 12:30] = True, True
    pair = (InstancePrediction(encode_rle(left), (1.0,), 0.6, 0), InstancePrediction(encode_rle(right), (1.0,), 0.9, 1))
    one = ImagePrediction("plant001", (32, 32), pair)
    save(tmp_path / "p.json", [replace(one, image_id=f"plant{n:03d}") for n in range(1, 13)], ("leaf",))
    kept = {}
    for overlap in ("first", "probable"):
        submit("mine", with_rules("cvppp", overlap=overlap), PLANTS, tmp_path, tmp_path / "p.json", tmp_path / "sent")
        with h5py.File(tmp_path / "sent/submission.h5") as file:
            kept[overlap] = file["A1/plant001/label"][()]
    assert kept["first"][0].tolist() == [1] * 20 + [2] * 10 + [0] * 2
    assert kept["probable"][0].tolist() == [2] * 12 + [1] * 18 + [0] * 2


def test_plants_without_labels(tmp_path: Path) -> None:
    """The testing folder of the challenge contains only pictures."""
    raw, path = plants(tmp_path)
    for label in (raw / "testing/A1").glob("*_label.png"):
        label.unlink()
    split = {"folder": "testing/A1", "labels": False}
    dataset = CvpppDataset.model_validate({**PLANTS.model_dump(), "splits": {"test": split}})
    submit("mine", RUN, dataset, raw, path, tmp_path / "sent")
    assert len(list((tmp_path / "sent/A1").iterdir())) == 12


def test_plants_whose_truth_is_public_are_not_sent_where_there_are_others(tmp_path: Path) -> None:
    raw, path = plants(tmp_path)
    splits = {"test": {"folder": "testing/A1"}, "val": {"folder": "testing/A1", "labels": False}}
    dataset = CvpppDataset.model_validate({**PLANTS.model_dump(), "splits": splits})
    with pytest.raises(UserError, match=r"of split test, whose truth is known; .*--split val"):
        submit("mine", RUN, dataset, raw, path, tmp_path / "sent")
    assert not (tmp_path / "sent").exists()


def pycocotools_ap(truth: Path, results: Path) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        index = COCO(str(truth))
        evaluation = COCOeval(index, index.loadRes(str(results)), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


@pytest.mark.parametrize("classes", ["all", "best"])
@pytest.mark.parametrize("write", [coco, voc])
def test_pycocotools_reads_the_results_and_agrees_with_the_scorer(
    tmp_path: Path, write: Callable[[Path], tuple[AnyDataset, Path]], classes: str
) -> None:
    dataset, path = write(tmp_path)
    run = with_rules("coco", classes=classes)
    submit("mine", run, dataset, tmp_path, path, tmp_path / "new/sent")
    expected = score_run(path, dataset, tmp_path, run.score).metrics["coco/AP"]
    assert 0 < expected < 1
    assert {item.name for item in (tmp_path / "new/sent").iterdir()} == {"results.json", MARK}
    assert pycocotools_ap(tmp_path / "truth.json", tmp_path / "new/sent/results.json") == pytest.approx(expected)


def test_results_have_the_annotation_files_own_ids(tmp_path: Path) -> None:
    dataset, path = coco(tmp_path)
    submit("mine", with_rules("coco", classes="best"), dataset, tmp_path, path, tmp_path / "sent")
    results = json.loads((tmp_path / "sent/results.json").read_text())
    images = json.loads(path.read_text())["images"]
    assert [item["image_id"] for item in results] == [7] * 4 + [11] * 4
    for item, instance in zip(results, images[1]["instances"] + images[2]["instances"], strict=True):
        bolt, nut = instance["class_probs"]
        assert item["category_id"] == (3 if bolt >= nut else 9)
        assert item["score"] == max(bolt, nut) * instance["objectness"]
        assert item["segmentation"] == instance["rle"]


def test_a_class_that_the_file_does_not_list_has_no_results(tmp_path: Path) -> None:
    """The classes are those of train; organisers have no id for one that their file lacks."""
    dataset, path = coco(tmp_path)
    document = json.loads((tmp_path / "truth.json").read_text())
    (tmp_path / "train.json").write_text(json.dumps(document))
    document["categories"] = [{"id": 3.0, "name": "bolt"}]
    document["annotations"] = [item for item in document["annotations"] if item["category_id"] == 3]
    (tmp_path / "truth.json").write_text(json.dumps(document), encoding="utf-8-sig")
    splits = {"train": {"annotations": "train.json", "images": "."}, **dataset.model_dump()["splits"]}
    both = CocoDataset.model_validate({**dataset.model_dump(), "splits": splits})
    submit("mine", with_rules("coco", classes="all"), both, tmp_path, path, tmp_path / "sent")
    results = json.loads((tmp_path / "sent/results.json").read_text())
    assert {(item["image_id"], item["category_id"]) for item in results} == {(7, 3), (11, 3)}
    assert len(results) == 8


def test_voc_results_have_names_and_official_classes(tmp_path: Path) -> None:
    dataset, path = voc(tmp_path)
    submit("mine", with_rules("voc"), dataset, tmp_path, path, tmp_path / "sent")
    results = json.loads((tmp_path / "sent/results.json").read_text())
    assert {item["image_id"] for item in results} == {"2007_000033", "2008_000002"}
    assert [item["category_id"] for item in results[:20]] == list(range(1, 21))
    assert len(results) == 2 * 2 * 20


def test_no_detection_is_an_empty_list(tmp_path: Path) -> None:
    dataset, path = coco(tmp_path)
    save(path, [ImagePrediction(f"{n}.png", (SIDE, SIDE + 4), ()) for n in range(3)], ("bolt", "nut"))
    submit("mine", with_rules("coco"), dataset, tmp_path, path, tmp_path / "sent")
    assert json.loads((tmp_path / "sent/results.json").read_text()) == []


def test_cityscapes_is_its_own_writers_folder(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    ids = np.full((30, 40), 7)
    ids[3:12, 3:12], ids[15:25, 10:30] = 26000, 24000
    write_ids(tmp_path, "val", "aachen_000000_000019", ids)
    instances = noisy(rng, np.stack([ids == 26000, ids == 24000]), 8)
    image = ImagePrediction("aachen_000000_000019", (30, 40), instances)
    predictions = save(tmp_path / "mine.json", [image], tuple(LABEL_IDS))
    source = {"kind": "folder", "path": "pictures"}
    section = {"format": "cityscapes", "source": source, "size": (8, 8), "splits": {"test": {"folder": "val"}}}
    run = with_rules("cityscapes", classes="best")
    dataset = CityscapesDataset.model_validate(section)
    submit("mine", run, dataset, tmp_path, tmp_path / "mine.json", tmp_path / "sent")
    write_cityscapes_submission(predictions, tmp_path / "expected", run.score)
    assert contents(tmp_path / "sent") == contents(tmp_path / "expected")
    assert len(contents(tmp_path / "sent")) == 3 + 1  # and the folder's mark


@pytest.mark.parametrize("write", [coco, voc])
def test_equal_predictions_give_equal_bytes(tmp_path: Path, write: Callable[[Path], tuple[AnyDataset, Path]]) -> None:
    dataset, path = write(tmp_path)
    for name in ("first", "second", "second"):  # an earlier submission is replaced
        submit("mine", with_rules("coco"), dataset, tmp_path, path, tmp_path / name)
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


@pytest.mark.parametrize("name", ["thesis.tex", "A1/thesis.tex", "A1/deep/plant001_label.png"])
def test_plants_replace_an_earlier_submission_and_nothing_else(tmp_path: Path, name: str) -> None:
    raw, path = plants(tmp_path)
    folder = tmp_path / "sent"
    submit("mine", RUN, PLANTS, raw, path, folder)
    first = contents(folder)
    submit("mine", RUN, PLANTS, raw, path, folder)
    assert contents(folder) == first
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("years of work")
    with pytest.raises(UserError, match=rf"holds {name}, which rsis did not write there"):
        submit("mine", RUN, PLANTS, raw, path, folder)
    assert contents(folder) == {**first, name: b"years of work"}


def test_results_replace_nothing_else(tmp_path: Path) -> None:
    dataset, path = coco(tmp_path)
    before = contents(tmp_path)
    for folder, fault in ((tmp_path, "rsis did not write there"), (path, "is a file; expected a folder")):
        with pytest.raises(UserError, match=fault):
            submit("mine", with_rules("coco"), dataset, tmp_path, path, folder)
    assert contents(tmp_path) == before


def edit(path: Path, key: str, value: object) -> None:
    document = json.loads(path.read_text())
    document[key] = value
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("run", "theirs", "predictions of run 'theirs', expected 'mine'; run `rsis predict mine`"),
        ("dataset", "nuclei", "predictions of data set 'nuclei', expected 'tiny'"),
        ("split", "val", "no split 'val'"),
        ("class_names", ["nut", "screw"], "has classes"),
        ("images", [], "of other images than the ground truth"),
        (
            "images",
            [{"image_id": f"{n}.png", "size": [9, 9], "objectness": [], "instances": []} for n in range(3)],
            "predicted at size",
        ),
    ],
)
def test_predictions_of_something_else_are_refused(tmp_path: Path, key: str, value: object, message: str) -> None:
    dataset, path = coco(tmp_path)
    edit(path, key, value)
    with pytest.raises(UserError, match=message) as caught:
        submit("mine", with_rules("coco"), dataset, tmp_path, path, tmp_path / "sent")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "sent").exists()
