"""What `rsis init` reads of annotation tools' files beside their layout: classes, splits, and what to note."""

import json
from pathlib import Path
from typing import Any

import pytest
from support import tool_layouts as layouts
from support.tool_layouts import section
from support.tool_scene import write_picture

from rsis.errors import UserError
from rsis.own_data.recognize import recognize


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


def test_subclasses_of_qupath_and_whole_numbers_are_classes(tmp_path: Path) -> None:
    names = [{"names": ["Tumor", "Positive"]}, {"name": "Stroma"}, 3.0]
    features = [{"type": "Feature", "geometry": None, "properties": {"classification": name}} for name in names]
    for number in range(3):
        write_picture(tmp_path / f"p{number}.png", number)
        (tmp_path / f"p{number}.geojson").write_text(json.dumps(features))
    assert recognize(tmp_path).keys == {"classes": ("3", "Stroma", "Tumor: Positive")}
