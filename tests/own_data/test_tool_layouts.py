"""`rsis init` recognises the folders of annotation tools by their content, and finds splits and classes."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import tool_layouts as layouts
from support import tool_maps as maps
from support.tool_layouts import Drawn

from rsis.errors import UserError
from rsis.own_data.recognize import recognize
from rsis.own_data.recognized import Recognized
from rsis.own_data.write import class_lines

TRAIN_VAL_TEST = ("train", "val", "test")
CLASSES = {"classes": ("cell", "dividing cell")}
IN_ORDER = {"classes": ("dividing cell", "cell")}
SHARES = {"train": (0.0, 0.7), "val": (0.7, 0.85), "test": (0.85, 1.0)}


def section(annotations: str, images: str) -> dict[str, str]:
    return {"annotations": annotations, "images": images}


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


def test_yolo_boxes_are_said_to_be_boxes(tmp_path: Path) -> None:
    layouts.yolo_list(tmp_path)
    first, *others = sorted((tmp_path / "labels").iterdir())
    for path in others:
        path.write_text("0 0.5 0.5 0.25 0.25\n1 0.2 0.2 0.1 0.1\n")
    assert recognize(tmp_path).left_out == ("10 of 14 YOLO labels are boxes without outlines: they are no objects",)
    first.write_text("1 0.5 0.5 0.25 0.25\n")
    with pytest.raises(UserError, match=r"these are YOLO labels of boxes \(11 of 11 annotations, the first in labels"):
        recognize(tmp_path)


def test_pictures_that_are_inside_the_json(tmp_path: Path) -> None:
    layouts.labelme(tmp_path)
    for path in tmp_path.glob("*.png"):
        content = json.loads(path.with_suffix(".json").read_text())
        path.with_suffix(".json").write_text(json.dumps(content | {"imageData": "aGVsbG8="}))
        path.unlink()
    assert recognize(tmp_path).splits["train"] == {**section(".", "."), "share": (0.0, 0.7)}
    (tmp_path / "p0.json").write_text((tmp_path / "p0.json").read_text().replace("aGVsbG8=", ""))
    for path in tmp_path.glob("*.json"):
        path.write_text(path.read_text().replace("aGVsbG8=", ""))
    with pytest.raises(UserError, match=r"its pictures \('p0\.png'\) are nowhere under"):
        recognize(tmp_path)


def test_labels_of_labelme_may_be_numbers_and_old_files_have_less(tmp_path: Path) -> None:
    layouts.labelme(tmp_path)
    old = {"flags": {}, "shapes": [{"label": 7, "points": [[1, 1], [5, 1], [5, 5]]}], "imagePath": "p0.png"}
    (tmp_path / "p0.json").write_text(json.dumps(old))
    assert recognize(tmp_path).keys == {"classes": ("7", "cell", "dividing cell")}


def test_annotations_of_a_split_among_those_of_another(tmp_path: Path) -> None:
    layouts.labelme(tmp_path)
    (tmp_path / "test").mkdir()
    for name in ("p4.json", "p4.png", "p5.json", "p5.png"):
        (tmp_path / name).rename(tmp_path / "test" / name)
    with pytest.raises(UserError, match="holds annotations of test and others; expected a folder for each; put those"):
        recognize(tmp_path)
    (tmp_path / "train").mkdir()
    for path in [*tmp_path.glob("*.json"), *tmp_path.glob("*.png")]:
        path.rename(tmp_path / "train" / path.name)
    assert recognize(tmp_path).splits["test"] == section("test", "test")


def test_rois_and_pictures_must_be_called_alike(tmp_path: Path) -> None:
    layouts.imagej(tmp_path)
    for number, name in enumerate(("RoiSet_p0.zip", "p1_RoiSet.zip", "p2-RoiSet.zip", "p3_rois.zip", "p4.roi.zip")):
        (tmp_path / f"p{number}_RoiSet.zip").rename(tmp_path / name)
    assert recognize(tmp_path).splits["train"] == {**section(".", "."), "share": (0.0, 0.7)}
    for number in range(6):
        (tmp_path / f"p{number}.tif").rename(tmp_path / f"q{number}.tif")
    with pytest.raises(UserError, match=r"no picture of the folder is called like p0 in it; expected a picture and"):
        recognize(tmp_path)


def test_geojson_named_after_the_whole_file(tmp_path: Path) -> None:
    layouts.geojson(tmp_path)
    for path in (tmp_path / "annotations").iterdir():
        path.rename(tmp_path / "images" / f"{path.stem}.png.json")
    found = recognize(tmp_path)
    assert found.format == "geojson"
    assert found.splits["val"] == {**section("images", "images"), "share": (0.7, 0.85)}


def test_the_class_of_a_region_is_the_attribute_that_most_regions_have(tmp_path: Path) -> None:
    layouts.via(tmp_path)
    content = json.loads((tmp_path / "via_project.json").read_text())
    regions = [region for entry in content["_via_img_metadata"].values() for region in entry["regions"]]
    for number, region in enumerate(regions):
        region["region_attributes"] = {"id": str(number), "kind": {"cell": True, "debris": False}, "note": ""}
    (tmp_path / "via_project.json").write_text(json.dumps(content))
    found = recognize(tmp_path)
    assert found.keys == {"classes": ("cell",), "class_key": "kind"}
    assert found.left_out == ("attribute 'id' has 24 values: taken as texts, not as classes",)
    for region in regions:
        del region["region_attributes"]["kind"]
    (tmp_path / "via_project.json").write_text(json.dumps(content))
    assert recognize(tmp_path).keys == {}


def test_tasks_of_label_studio(tmp_path: Path) -> None:
    """Only the annotation that counts says what the classes are; a label may stand in an item of its own."""
    layouts.labelstudio(tmp_path)
    (path,) = tmp_path.glob("*.json")
    tasks = json.loads(path.read_text())
    cancelled = {"was_cancelled": True, "result": [{"type": "brushlabels", "value": {"brushlabels": ["wrong"]}}]}
    tasks[0]["annotations"].insert(0, cancelled)
    truth: dict[str, Any] = {
        "ground_truth": True,
        "result": [{"id": "a", "type": "brush", "value": {"format": "rle", "rle": []}}],
    }
    truth["result"].append({"id": "a", "type": "labels", "value": {"labels": ["mitosis"]}})
    truth["result"].append({"type": "choices", "value": {"choices": ["blurred"]}})
    tasks[1]["annotations"].append(truth)
    tasks[5]["annotations"] = []
    path.write_text(json.dumps(tasks))
    found = recognize(tmp_path)
    assert found.keys == {"classes": ("cell", "dividing cell", "mitosis")}
    assert found.left_out == ("1 tasks have no annotation: left out",)
    region = {"points": [[1, 1], [2, 1], [2, 2]], "polygonlabels": ["egg"], "original_width": 64, "original_height": 48}
    short = [{"image": f"/data/local-files/?d=pictures/p{number}.png", "label": [region]} for number in range(4)]
    path.write_text(json.dumps(short))
    found = recognize(tmp_path)
    assert (found.format, found.keys) == ("labelstudio", {"classes": ("egg",)})
    assert found.splits["train"]["images"] == "."


def test_subsets_of_cvat_are_found_and_noted(tmp_path: Path) -> None:
    layouts.cvat(tmp_path)
    text = (tmp_path / "annotations.xml").read_text()
    for number in range(6):
        part = "Train" if number < 4 else "Validation"
        (tmp_path / "images" / part).mkdir(exist_ok=True)
        (tmp_path / f"images/p{number}.png").rename(tmp_path / f"images/{part}/p{number}.png")
        text = text.replace(f'name="p{number}.png"', f'name="p{number}.png" subset="{part}"')
    (tmp_path / "annotations.xml").write_text(text)
    found = recognize(tmp_path)
    assert found.splits["test"] == {**section("annotations.xml", "images"), "share": (0.85, 1.0)}
    assert found.left_out == (
        "the file's subsets (Train, Validation) are not used; to have them as splits, export each as a file called "
        "train.xml, val.xml or test.xml",
    )
    (tmp_path / "annotations.xml").write_text(text.replace("<annotations>", "<!DOCTYPE annotations><annotations>"))
    with pytest.raises(UserError, match=r"annotations\.xml: has a DOCTYPE; expected none"):
        recognize(tmp_path)
    (tmp_path / "annotations.xml").write_text(text[:-20])
    with pytest.raises(UserError, match=r"annotations\.xml: not valid XML"):
        recognize(tmp_path)


def test_files_of_a_split_for_all_its_pictures(tmp_path: Path) -> None:
    layouts.via(tmp_path / "train")
    layouts.via(tmp_path / "val")
    found = recognize(tmp_path)
    assert dict(found.splits) == {name: section(f"{name}/via_project.json", name) for name in ("train", "val")}
    (tmp_path / "val").rename(tmp_path / "train/more")
    with pytest.raises(UserError, match=r"could both be train; call the files train\.json, val\.json, test\.json"):
        recognize(tmp_path)
