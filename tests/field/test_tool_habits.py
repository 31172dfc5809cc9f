"""Folders of annotation tools as people have them: names from Windows and macOS, signed addresses, old versions."""

import json
import zipfile
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
from support.agreement import maps, read_both
from support.export_folder import box, check_objects, corners, export_dataset, write_picture
from support.own_folders import write_maps

from rsis.errors import UserError
from rsis.own_data.recognize import recognize
from rsis.structures import RawSample

NAMES = [f"p{number}" for number in range(4)]
SQUARE = box(4, 3, 8, 6)  # columns 4 to 7 and rows 3 to 5 of 12 x 16 pixels
FRACTIONS = "0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5"
PERCENT = [[25, 25], [50, 25], [50, 50], [25, 50]]
SIDES = {"original_width": 16, "original_height": 12}
RING = [*corners(4, 3, 8, 6), [4, 3]]


def _both(root: Path, kind: str, annotations: str, **keys: Any) -> dict[str, RawSample]:
    return read_both(export_dataset(kind, annotations, **keys), root)


def _pictures(root: Path, *names: str) -> None:
    for name in names:
        write_picture(root / "images" / name)


def _label_studio(root: Path, *tasks: dict[str, Any]) -> None:
    (root / "export.json").write_text(json.dumps(tasks))


def _qupath(root: Path, name: str, classification: Any) -> None:
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [RING]},
        "properties": {"classification": classification},
    }
    path = root / "geo" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))


def _rois(path: Path, *names: str) -> None:
    """Write a zip of ROIs: SQUARE as a rectangle, and files that are none where a name is hidden."""
    content = bytearray(64)
    content[:8] = b"Iout\x00\xe4\x01\x00"
    content[8:16] = bytes([0, 3, 0, 4, 0, 6, 0, 8])  # top, left, bottom, right
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"\x00\x05\x16\x07" if "/._" in name else bytes(content))


def test_endings_in_capitals(tmp_path: Path) -> None:
    _pictures(tmp_path, "A.JPG", "B.JPG")
    for folder in ("labels", "json", "geo", "rois"):
        (tmp_path / folder).mkdir()
    (tmp_path / "labels/A.TXT").write_text(f"1 {FRACTIONS}\r\n")
    (tmp_path / "labels/Classes.TXT").write_text("cat\ndog\n")
    (tmp_path / "labels/README.roboflow.txt").write_text("This dataset was exported via roboflow.com\n")
    shape = {"label": "dog", "points": corners(4, 3, 8, 6)}
    (tmp_path / "json/A.JSON").write_text(json.dumps({"shapes": [shape], "imagePath": "C:\\x\\A.JPG"}))
    _qupath(tmp_path, "A.GEOJSON", "dog")
    _rois(tmp_path / "rois/A.ZIP", "1.ROI")
    for kind, annotations in (("yolo", "labels"), ("labelme", "json"), ("geojson", "geo")):
        check_objects(_both(tmp_path, kind, annotations)["A.JPG"], (SQUARE, 2))
    check_objects(_both(tmp_path, "imagej", "rois", classes=("cell",))["A.JPG"], (SQUARE, 1))


@pytest.mark.parametrize("kind", ["rectangle", "rotation", "oriented_rectangle"])
def test_four_points_of_a_rectangle_are_its_corners(tmp_path: Path, kind: str) -> None:
    _pictures(tmp_path, "a.png")
    turned = [[4, 3], [7, 3], [8, 6], [5, 6]]
    shapes = [
        {"label": label, "points": points, "shape_type": kind_}
        for label, points, kind_ in (("dog", turned, kind), ("cat", turned, "polygon"), ("cat", turned[:3], kind))
    ]
    masks = []
    for shape in shapes[:2]:
        path = tmp_path / "json/a.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"shapes": [shape, shapes[2]], "imagePath": "a.png"}))
        sample = _both(tmp_path, "labelme", "json")["a.png"]
        assert sample.dropped == ("cannot be drawn",)
        masks.append(sample.instance_map == 1)
    assert masks[0].sum() == 9
    assert np.array_equal(*masks)


@pytest.mark.parametrize("name", ["RoiSet-A 1.zip", "roiset_A 1.zip", "A 1-rois.zip", "A 1_ROISET.zip"])
def test_roi_sets_however_they_are_called_and_packed(tmp_path: Path, name: str) -> None:
    _pictures(tmp_path, "A 1.tif")
    _rois(tmp_path / "rois" / name, "set/1.roi", "__MACOSX/set/._1.roi", "set/._2.roi")
    (sample,) = _both(tmp_path, "imagej", "rois", classes=("cell",)).values()
    check_objects(sample, (SQUARE, 1))
    for number in range(2, 5):
        _pictures(tmp_path, f"A {number}.tif")
        _rois(tmp_path / "rois" / name.replace("1", str(number)), "1.roi")
    assert recognize(tmp_path).splits["train"]["images"] == "images"


@pytest.mark.parametrize(
    ("classification", "name"),
    [
        ({"name": "cat", "color": [1, 2, 3]}, "cat"),
        ({"name": "cat", "colorRGB": -377282}, "cat"),
        ({"names": ["cat", "wild"], "color": [1, 2, 3]}, "cat: wild"),
        ({"parentClass": {"name": "cat", "colorRGB": 1}, "name": "wild", "colorRGB": 2}, "cat: wild"),
        ({"parentClass": {"parentClass": {"name": "a"}, "name": "b"}, "name": "c"}, "a: b: c"),
    ],
)
def test_classes_of_any_version_of_qupath(tmp_path: Path, classification: Any, name: str) -> None:
    _pictures(tmp_path, *(f"{stem}.png" for stem in NAMES))
    for stem in NAMES:
        _qupath(tmp_path, f"{stem}.geojson", classification)
    _qupath(tmp_path, "p0.geojson", "dog")
    assert recognize(tmp_path).keys == {"classes": tuple(sorted(("dog", name)))}
    samples = _both(tmp_path, "geojson", "geo", classes=("dog", name))
    check_objects(samples["p1.png"], (SQUARE, 2))


def test_addresses_of_label_studio(tmp_path: Path) -> None:
    _pictures(tmp_path, "a b.png", "c.png", "d.png")
    region = {"type": "polygonlabels", "value": {"points": PERCENT, "polygonlabels": ["dog"]}, **SIDES}
    names = ("https://host/x/a%20b.png?token=1.jpg&x=3", "/data/local-files/?d=mia%5Cc.png", "s3://bucket/d.png?v=2")
    tasks = [{"data": {"image": name}, "annotations": [{"result": [region]}]} for name in names]
    _label_studio(tmp_path, *tasks)
    for sample in _both(tmp_path, "labelstudio", "export.json").values():
        check_objects(sample, (SQUARE, 2))


def test_json_min_of_two_annotators_and_another_key(tmp_path: Path) -> None:
    _pictures(tmp_path, "a.png")
    labels = [{"points": PERCENT, "polygonlabels": [name], **SIDES} for name in ("dog", "cat")]
    rows = [{"id": 3, "photo": "a.png", "label": [label], "annotation_id": k} for k, label in enumerate(labels)]
    _label_studio(tmp_path, *rows)
    check_objects(_both(tmp_path, "labelstudio", "export.json")["a.png"], (SQUARE, 2))


def test_percent_become_the_same_pixels_in_training_and_in_scores(tmp_path: Path) -> None:
    """Corners of two decimals, drawn in pixels, are often where rounding decides: 5 times them ends in .5."""
    size, random = (96, 128), np.random.default_rng(0)
    write_picture(tmp_path / "images/a.png", size)
    result = []
    for row, column in np.ndindex(6, 8):
        turns = np.arange(14) / 14 * 2 * np.pi
        radii = random.uniform(4, 7.5, 14)
        xs = np.round(16 * column + 8 + radii * np.cos(turns), 1) / 128 * 100
        ys = np.round(16 * row + 8 + radii * np.sin(turns), 1) / 96 * 100
        value = {"points": np.stack([xs, ys], axis=1).tolist(), "polygonlabels": ["cat"]}
        result.append({"type": "polygonlabels", "value": value, "original_width": 128, "original_height": 96})
    _label_studio(tmp_path, {"data": {"image": "a.png"}, "annotations": [{"result": result}]})
    assert _both(tmp_path, "labelstudio", "export.json")["a.png"].instance_map.max() == 48


def test_accents_of_maps_in_another_form_than_those_of_pictures(tmp_path: Path) -> None:
    names = [f"gr\u00f6\u00dfe {number}" for number in range(4)]
    write_maps(tmp_path, names)
    for name in names:
        (tmp_path / f"labels/{name}.png").rename(tmp_path / f"labels/{normalize('NFD', name)}.png")
    found = recognize(tmp_path)
    assert (found.format, found.splits["train"]["images"]) == ("maps", "images")
    assert len(read_both(maps(), tmp_path)) == 4


def test_files_that_cellpose_leaves_beside_pictures_with_an_ending(tmp_path: Path) -> None:
    write_maps(tmp_path, NAMES, ".", ".", "_masks")
    for name in NAMES:
        (tmp_path / f"{name}.png").rename(tmp_path / f"{name}_img.png")
        for ending in ("_img_flows.tif", "_img_cp_outlines.png"):
            write_picture(tmp_path / f"{name}{ending}")
    found = recognize(tmp_path)
    assert found.splits["train"] == {
        "images": ".",
        "maps": ".",
        "suffix": "_masks",
        "image_suffix": "_img",
        "leave_out": ("_cp_outlines", "_flows"),
        "share": (0.0, 0.7),
    }


def test_of_two_endings_of_as_many_maps_the_shorter_counts(tmp_path: Path) -> None:
    names = [f"a long name {number}" for number in range(20)]  # a set of them has another order in each process
    write_maps(tmp_path, names, ".", ".", "_cp_masks")
    for name in names:
        write_picture(tmp_path / f"{name}_outlines_cp_masks.png")
    assert recognize(tmp_path).splits["train"]["suffix"] == "_cp_masks"


def test_an_attribute_called_like_a_class_is_the_class(tmp_path: Path) -> None:
    def region(number: int) -> dict[str, Any]:
        shape = {"name": "rect", "x": 1, "y": 1, "width": 3, "height": 3}
        attributes = {"type": ("cat", "dog")[number % 2], "checked": "yes", "note": "ok"}
        return {"shape_attributes": shape, "region_attributes": attributes}

    _pictures(tmp_path, *(f"{name}.png" for name in NAMES))
    entries = {name: {"filename": f"{name}.png", "regions": [region(k)]} for k, name in enumerate(NAMES)}
    (tmp_path / "via.json").write_text(json.dumps(entries))
    found = recognize(tmp_path)
    assert found.keys == {"classes": ("cat", "dog"), "class_key": "type"}
    assert found.left_out == (
        "attribute 'type' is the class, not 'checked', 'note': of those that most regions have, by its name or its few "
        "values (key class_key)",
    )


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "task 1-cvat for images 1.1.zip", "w") as archive:
        archive.writestr("annotations.xml", "<annotations/>")
    with pytest.raises(UserError, match=r"holds task 1-cvat for images 1\.1\.zip, and no pictures; unpack the archive"):
        recognize(tmp_path)
