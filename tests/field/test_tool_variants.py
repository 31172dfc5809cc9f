"""Rarer forms of annotation tools' files: training and scoring read the same objects, and `rsis init` finds them."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.export_folder import SIZE, box, check_objects, corners, export_dataset, write_picture
from support.in_process import exit_code as rsis
from support.tool_layouts import roi_bytes

from rsis.config.datasets import ExportDataset
from rsis.data.readers.base import SampleReader, notes_of
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.open import load_ground_truth
from rsis.own_data.recognize import recognize
from rsis.tracking.agreement import ComparedReader

HEIGHT, WIDTH = SIZE


def both(root: Path, dataset: ExportDataset, split: str = "train") -> tuple[SampleReader, GroundTruth]:
    """Return a reader that compares each sample with the truth, and the truth."""
    truth = load_ground_truth(dataset, root, split)  # type: ignore[arg-type]
    return ComparedReader(open_split(dataset, root, split), truth), truth


def shape(label: str, points: Any, group: int | None = None) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": "polygon", "group_id": group}


def write_labelme(path: Path, *shapes: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"imagePath": f"{path.stem}.png", "imageData": None, "shapes": shapes}))
    write_picture(path.with_suffix(".png"))


def test_labelme_marks_what_is_not_annotated(tmp_path: Path) -> None:
    write_labelme(
        tmp_path / "a.json",
        shape("__ignore__", corners(0, 0, 4, 4)),
        shape("dog", corners(2, 2, 6, 6)),
        shape("_background_", corners(8, 0, 10, 2)),
        shape("__ignore__", corners(9, 6, 11, 8)),
    )
    reader, truth = both(tmp_path, export_dataset("labelme", ".", "."))
    sample = reader.read("a.png")
    check_objects(sample, (box(2, 2, 6, 6), 2))
    ignored = (box(0, 0, 4, 4) | box(9, 6, 11, 8)) & ~box(2, 2, 6, 6)
    assert (sample.ignore_mask == ignored).all()
    assert (truth.ignore_mask("a.png") == ignored).all()
    assert sample.dropped == ("crowd", "crowd")
    crowds = [(item.class_id, item.area) for item in truth.annotations("a.png") if item.iscrowd]
    assert crowds == [(1, 16.0), (2, 16.0), (1, 4.0), (2, 4.0)]  # a region of each class
    (note,) = notes_of(open_split(export_dataset("labelme", ".", "."), tmp_path, "train"))
    assert note.endswith(
        "files with shapes called _background_, which are no objects and left out: 1 (the first: a.json)"
    )


def test_a_class_may_have_labelmes_own_name(tmp_path: Path) -> None:
    write_labelme(tmp_path / "a.json", shape("__ignore__", corners(0, 0, 4, 4)))
    reader, truth = both(tmp_path, export_dataset("labelme", ".", ".", classes=("__ignore__",)))
    check_objects(reader.read("a.png"), (box(0, 0, 4, 4), 1))
    assert not truth.ignore_mask("a.png").any()


def test_labels_of_labelme_number_the_objects(tmp_path: Path) -> None:
    for name in "abc":
        write_labelme(
            tmp_path / f"{name}.json",
            shape("cat-1", corners(0, 0, 2, 2)),
            shape("cat-2", corners(4, 0, 6, 2)),
            shape("dog", corners(8, 0, 9, 1)),
            shape("cat-1", corners(0, 5, 2, 7)),  # a second part of the first cat
        )
    found = recognize(tmp_path)
    assert found.keys == {"classes": ("cat-1", "cat-2", "dog")}
    assert found.left_out == (
        "labels end in numbers (cat-1, cat-2), and each is a class; if they number the objects of a class cat, set "
        "numbered_labels: true and classes: [cat, dog] in the data set",
    )
    dataset = export_dataset("labelme", ".", ".", classes=("cat", "dog"), numbered_labels=True)
    reader, _ = both(tmp_path, dataset)
    check_objects(
        reader.read("b.png"), (box(0, 0, 2, 2) | box(0, 5, 2, 7), 1), (box(4, 0, 6, 2), 1), (box(8, 0, 9, 1), 2)
    )
    with pytest.raises(ValueError, match="numbered_labels: is a key of the format labelme alone"):
        export_dataset("via", ".", ".", numbered_labels=True)


def data_url(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("minimal", [False, True])
def test_bitmasks_of_label_studio(tmp_path: Path, minimal: bool) -> None:
    write_picture(tmp_path / "images/a.png")
    spots = box(1, 1, 4, 3) | box(8, 5, 9, 9)
    black = np.zeros((*SIZE, 4), np.uint8)
    black[spots, 3] = 200  # black on transparent, as Label Studio draws
    white = np.where(box(10, 0, 12, 2), np.uint8(255), np.uint8(0))  # of a program that knows no transparency
    regions = [
        ("cat", data_url(black)),
        ("dog", data_url(white)),
        ("cat", data_url(black[1:])),
        ("cat", "data:image/png;base64,iVBORw0KGgo="),
        ("cat", None),
    ]
    values = [{"imageDataURL": text, "bitmasklabels": [label]} for label, text in regions]
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    if minimal:
        task: dict[str, Any] = {"id": 1, "image": "a.png", "tag": [value | size for value in values]}
    else:
        result = [{"type": "bitmasklabels", "value": value, **size} for value in values]
        task = {"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": result}]}
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    sample = both(tmp_path, export_dataset("labelstudio", "tasks.json"))[0].read("a.png")
    check_objects(sample, (spots, 1), (box(10, 0, 12, 2), 2))
    assert sample.dropped == ("cannot be drawn",) * 3
    assert any(f"a bitmask of {[HEIGHT - 1, WIDTH]}, and the picture is {list(SIZE)}" in x for x in sample.drop_details)


def feature(label: str | None, area: tuple[int, int, int, int], *children: Any) -> dict[str, Any]:
    properties = {} if label is None else {"classification": {"name": label}}
    geometry = {"type": "Polygon", "coordinates": [[*corners(*area), corners(*area)[0]]]}
    return {"type": "Feature", "geometry": geometry, "properties": properties, "childObjects": list(children)}


def test_nested_objects_of_qupath(tmp_path: Path) -> None:
    for name in "abc":
        write_picture(tmp_path / f"{name}.png")
        content = [
            feature("cat", (0, 0, 9, 9), feature("dog", (1, 1, 3, 3), feature("cat", (1, 1, 2, 2))), 5),
            feature("dog", (10, 0, 12, 2), feature("dog", (10, 5, 12, 7))),
        ]
        (tmp_path / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": content}))
    assert recognize(tmp_path).keys == {"classes": ("cat", "dog")}
    sample = both(tmp_path, export_dataset("geojson", ".", "."))[0].read("a.png")
    inner = box(1, 1, 3, 3) & ~box(1, 1, 2, 2)
    check_objects(
        sample,
        (box(0, 0, 9, 9) & ~box(1, 1, 3, 3), 1),
        (inner, 2),
        (box(1, 1, 2, 2), 1),
        (box(10, 0, 12, 2), 2),
        (box(10, 5, 12, 7), 2),
    )


def write_rois(path: Path, *areas: tuple[int, int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for number, area in enumerate(areas):
            archive.writestr(f"{number}.roi", roi_bytes(tuple((int(x), int(y)) for x, y in corners(*area))))


@pytest.mark.parametrize("apart", [False, True])
def test_a_zip_alone_with_a_picture_is_that_of_the_picture(tmp_path: Path, apart: bool) -> None:
    images, rois = ("images", "rois") if apart else (".", ".")
    for number, name in enumerate(("first", "second", "third")):
        write_picture(tmp_path / images / name / f"scan{number}.png")
        write_rois(tmp_path / rois / name / "RoiSet.zip", (number, 0, number + 2, 2), (5, 5, 8, 9))
    found = recognize(tmp_path)
    section = next(iter(found.splits.values()))
    assert (found.format, section["images"], section["annotations"]) == ("imagej", images, rois)
    dataset = export_dataset("imagej", rois, images, classes=("object",))
    reader, _ = both(tmp_path, dataset)
    assert reader.image_ids == ("first/scan0.png", "second/scan1.png", "third/scan2.png")
    for number, image_id in enumerate(reader.image_ids):
        check_objects(reader.read(image_id), (box(number, 0, number + 2, 2), 1), (box(5, 5, 8, 9), 1))


@pytest.mark.parametrize("second", ["scan1.png", "other.zip"])
def test_a_zip_of_another_name_beside_two_is_refused(tmp_path: Path, second: str) -> None:
    write_picture(tmp_path / "scan0.png")
    write_rois(tmp_path / "RoiSet.zip", (0, 0, 2, 2))
    if second.endswith(".zip"):
        write_rois(tmp_path / second, (0, 0, 2, 2))
    else:
        write_picture(tmp_path / second)
    dataset = export_dataset("imagej", ".", ".", classes=("object",))
    with pytest.raises(UserError, match=r"RoiSet\.zip: has no picture"):
        open_split(dataset, tmp_path, "train")
    with pytest.raises(UserError, match=r"RoiSet\.zip: has no picture"):
        load_ground_truth(dataset, tmp_path, "train")


def write_yolo(root: Path, **labels: str | None) -> None:
    for split, text in labels.items():
        for number in range(3):
            write_picture(root / f"images/{split}/{split}{number}.png", (HEIGHT, WIDTH + number))
            (root / f"labels/{split}").mkdir(parents=True, exist_ok=True)
            if text is not None:
                (root / f"labels/{split}/{split}{number}.txt").write_text(text)
    names = {name: f"images/{name}" for name in labels}
    (root / "data.yaml").write_text(json.dumps({"path": ".", **names, "names": ["cat", "dog"]}))


SQUARE = "1 0 0 0.5 0 0.5 0.5 0 0.5\n"


def test_a_yolo_split_without_label_files_has_no_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_yolo(tmp_path / "scans", train=SQUARE, val=SQUARE, test=None)
    monkeypatch.chdir(tmp_path)
    assert rsis(monkeypatch, "init", "scans") == 0
    shown = capsys.readouterr()
    assert "train 3, val 3, test 3" in " ".join(shown.out.split())
    assert rsis(monkeypatch, "download", "scans") == 0
    assert rsis(monkeypatch, "check", "scans") == 0
    shown = capsys.readouterr()
    assert "labels/test: has no label file of a picture in" in shown.out
    assert "if they are not annotated, remove the split" in shown.out
    dataset = export_dataset("yolo", "labels/train")
    sections = {name: {"images": f"images/{name}", "annotations": f"labels/{name}"} for name in ("train", "test")}
    dataset = ExportDataset.model_validate({**dataset.model_dump(), "splits": sections})
    reader, truth = both(tmp_path / "scans", dataset, "test")
    assert reader.image_ids == truth.image_ids == ("test0.png", "test1.png", "test2.png")
    assert not reader.read("test1.png").instance_map.any()


def test_a_yolo_split_to_train_with_needs_label_files(tmp_path: Path) -> None:
    write_yolo(tmp_path, train=None)
    dataset = export_dataset("yolo", "labels/train", "images/train")
    with pytest.raises(UserError, match="labels/train: has no label file of a picture in"):
        open_split(dataset, tmp_path, "train")
    with pytest.raises(UserError, match="labels/train: has no label file that is named like a picture in"):
        load_ground_truth(dataset, tmp_path, "train")


def test_a_larger_picture_is_allowed_at_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rsis.machine.pixels._AT_FIRST", 10_000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # which the commands set
    monkeypatch.setenv("RSIS_MAX_PIXELS", "10000")
    scans = tmp_path / "scans"
    for number in range(8):
        size = (120, 130) if number == 3 else (40, 50)
        write_picture(scans / f"images/p{number}.png", size)
        (scans / "maps").mkdir(exist_ok=True)
        numbers = np.zeros(size, np.uint8)
        numbers[5:20, 5 : 20 + number] = 1 + number % 2
        Image.fromarray(numbers).save(scans / f"maps/p{number}.png")
    monkeypatch.chdir(tmp_path)
    assert rsis(monkeypatch, "init", "scans", "--dry-run") == 0
    refused = capsys.readouterr().err
    assert "p3.png: has 15600 pixels, at most 10000 are read" in refused
    assert "the key max_pixels of a data set, or --max-pixels of rsis init, predict-images and demo-app" in refused
    assert rsis(monkeypatch, "init", "scans", "--max-pixels", "20000") == 0
    assert "at most" not in capsys.readouterr().err
    assert "max_pixels: 20000" in (tmp_path / "params.yaml").read_text()
    for command in ("download", "check", "prepare"):  # in which the key counts
        assert rsis(monkeypatch, command, "scans") == 0
