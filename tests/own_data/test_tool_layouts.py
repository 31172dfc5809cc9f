"""`rsis init` recognises the folders of annotation tools by their content, and finds splits and classes."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import tool_layouts as layouts
from support import tool_maps as maps
from support.tool_layouts import Drawn, section

from rsis.errors import UserError
from rsis.own_data.recognize import recognize
from rsis.own_data.recognized import Recognized
from rsis.own_data.write import class_lines

TRAIN_VAL_TEST = ("train", "val", "test")
CLASSES = {"classes": ("cell", "dividing cell")}
IN_ORDER = {"classes": ("dividing cell", "cell")}
SHARES = {"train": (0.0, 0.7), "val": (0.7, 0.85), "test": (0.85, 1.0)}


@pytest.mark.parametrize(
    ("write", "format_", "keys", "sections"),
    [
        (
            layouts.yolo_ultralytics,
            "yolo",
            IN_ORDER,
            [section(f"labels/{name}", f"images/{name}") for name in ("train", "valid", "test")],
        ),
        (
            layouts.yolo_roboflow,
            "yolo",
            IN_ORDER,
            [section(f"{name}/labels", f"{name}/images") for name in ("train", "valid", "test")],
        ),
        (layouts.yolo_list, "yolo", IN_ORDER, section("labels", "images")),
        (layouts.labelme, "labelme", CLASSES, section(".", ".")),
        (
            layouts.labelme_apart,
            "labelme",
            CLASSES,
            [section(f"json/{name}", f"pictures/{name}") for name in TRAIN_VAL_TEST],
        ),
        (layouts.cvat, "cvat", CLASSES, section("annotations.xml", "images")),
        (layouts.labelstudio, "labelstudio", CLASSES, section("project-3-at-2024-05-01.json", ".")),
        (layouts.via, "via", {**CLASSES, "class_key": "type"}, section("via_project.json", ".")),
        (layouts.via_1, "via", {**CLASSES, "class_key": "type"}, section("via_region_data.json", ".")),
        (layouts.geojson, "geojson", CLASSES, section("annotations", "images")),
        (layouts.imagej, "imagej", {}, section(".", ".")),
        (
            maps.voc_of_cvat,
            "maps",
            {"classes": {"dividing cell": 200 * 65536 + 30 * 256 + 30, "cell": 30 * 65536 + 200 * 256 + 30}},
            {"images": "JPEGImages", "maps": "SegmentationObject", "class_maps": "SegmentationClass"},
        ),
        (
            maps.voc_of_labelme,
            "maps",
            {"classes": {"dividing cell": 1, "cell": 2}},
            {"images": "JPEGImages", "maps": "SegmentationObject", "class_maps": "SegmentationClass"},
        ),
    ],
)
def test_a_layout_is_recognised(
    tmp_path: Path,
    write: Callable[[Path], Drawn],
    format_: str,
    keys: dict[str, Any],
    sections: list[dict[str, str]] | dict[str, str],
) -> None:
    write(tmp_path)
    found = recognize(tmp_path)
    assert (found.format, dict(found.keys)) == (format_, keys)
    if isinstance(sections, list):
        assert found.splits == dict(zip(TRAIN_VAL_TEST, sections, strict=True))
    else:
        assert found.splits == {split: {**sections, "share": share} for split, share in SHARES.items()}


def test_films_train_on_the_first_and_halve_the_second(tmp_path: Path) -> None:
    maps.films(tmp_path)
    found = recognize(tmp_path)
    films = {
        name: {
            "images": name,
            "maps": f"{name}_GT/SEG",
            "prefix": "man_seg",
            "image_prefix": "t",
            "sparse": True,
        }
        for name in ("01", "02")
    }
    assert (found.format, dict(found.keys)) == ("maps", {})
    assert found.splits == {
        "train": films["01"],
        "val": {**films["02"], "share": (0.0, 0.5)},
        "test": {**films["02"], "share": (0.5, 1.0)},
    }
    assert found.left_out == ("6 of 10 frames have a map in SEG, and only these are used (key sparse)",)
    for name in ("02", "02_GT"):
        shutil.rmtree(tmp_path / name)
    assert recognize(tmp_path).splits["val"] == {**films["01"], "share": (0.34, 0.67)}
    shutil.rmtree(tmp_path / "01_GT/SEG")
    with pytest.raises(UserError, match=r"man_track000\.tif: markers of cells \(5 files in TRA\), not their outlines"):
        recognize(tmp_path)


def test_stardist_folders(tmp_path: Path) -> None:
    maps.stardist(tmp_path)
    found = recognize(tmp_path)
    train = {"images": "train/images", "maps": "train/masks"}
    assert found.splits == {
        "train": {**train, "share": (0.0, 0.85)},
        "val": {**train, "share": (0.85, 1.0)},
        "test": {"images": "test/images", "maps": "test/masks"},
    }


def test_yolo_splits_that_only_the_yaml_names(tmp_path: Path) -> None:
    layouts.yolo_ultralytics(tmp_path)
    for place in ("images", "labels"):
        for split, name in (("train", "a"), ("valid", "b"), ("test", "c")):
            (tmp_path / place / split).rename(tmp_path / place / name)
    text = "train: /home/mia/cells/images/a\nval: ./images/b\nnames: {0: 'no', 2: yes}\n"
    (tmp_path / "data.yaml").write_text(text)
    found = recognize(tmp_path)
    assert found.keys["classes"] == ("no", "class1", "yes")
    assert dict(found.splits) == {"train": section("labels/a", "images/a"), "val": section("labels/b", "images/b")}
    (tmp_path / "data.yaml").write_text("train: images/a\nval: images/a\nnc: 2\n")  # as in examples
    found = recognize(tmp_path)
    assert found.keys["classes"] == ("class0", "class1")
    assert found.splits["test"] == {**section("labels/a", "images/a"), "share": (0.67, 1.0)}
    (tmp_path / "data.yaml").write_text("train: images/a\nval: images/lost\nnc: 2\n")
    assert recognize(tmp_path).splits["test"] == {**section("labels", "images"), "share": (0.85, 1.0)}
    (tmp_path / "data.yaml").write_text("names: [cell, cell]\n")
    with pytest.raises(UserError, match=r"data\.yaml: two classes are called 'cell'; expected a name for each"):
        recognize(tmp_path)


def test_yolo_in_one_folder_without_names(tmp_path: Path) -> None:
    layouts.yolo_list(tmp_path)
    (tmp_path / "classes.txt").unlink()
    for path in (tmp_path / "labels").iterdir():
        path.rename(tmp_path / "images" / path.name)
    (tmp_path / "images").rename(tmp_path / "obj_train_data")
    for name in ("train.txt", "val.txt"):
        (tmp_path / name).write_text("obj_train_data/p0.png\n")
    found = recognize(tmp_path)
    assert found.splits["train"] == {**section("obj_train_data", "obj_train_data"), "share": (0.0, 0.7)}
    assert found.keys == {"classes": ("class0", "class1")}
    assert found.left_out == (
        "no file names the classes (data.yaml, classes.txt): they are called class0, class1, ...",
        "train.txt, val.txt: lists of pictures are not used, the pictures are divided by shares; to have them as "
        "splits, put the pictures into folders train, val and test",
    )


def test_many_classes_are_one_list_of_short_lines() -> None:
    classes = tuple(f"kind of cell, number {number}" for number in range(60))
    recognized = Recognized("", "yolo", {}, keys={"classes": classes})
    numbered = replace(recognized, format="maps", keys={"classes": {name: k for k, name in enumerate(classes)}})
    for found, values in ((recognized, list(classes)), (numbered, {name: k for k, name in enumerate(classes)})):
        lines = class_lines(found, "object")
        assert len(lines) > 10
        assert max(map(len, lines)) <= 120
        assert yaml.safe_load("\n".join(lines)) == {"classes": values}
    assert class_lines(replace(recognized, keys={}), "egg") == ["    classes: [egg]"]
    assert class_lines(replace(recognized, format="maps", keys={}), "egg") == ["    class_name: egg"]
    assert class_lines(replace(recognized, keys={"classes": ("no", "a: b")}), "") == ['    classes: ["no", "a: b"]']
