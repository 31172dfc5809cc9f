"""Tests of the truth of the VGG Image Annotator's JSON."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from support.export_truth import around, block, draw_pictures, expected, filled, load, objects_of

from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth

SIZE = (20, 24)
SQUARE = {"name": "polygon", "all_points_x": [1, 4, 4, 1], "all_points_y": [1, 1, 4, 4]}
BLOCK = block((1, 4), (1, 4), SIZE)
RECT = {"name": "rect", "x": 5, "y": 0, "width": 3, "height": 2}
SECOND = block((0, 2), (5, 8), SIZE)


def region(shape: Any, kind: Any = "cat") -> dict[str, Any]:
    return {"shape_attributes": shape, "region_attributes": {"kind": kind, "note": "x"}}


def entry(*regions: Any, name: str = "a.png") -> dict[str, Any]:
    return {f"{name}4800": {"filename": name, "size": 4800, "regions": list(regions), "file_attributes": {}}}


def via(root: Path, content: Any, **keys: Any) -> GroundTruth:
    (root / "via.json").write_text(json.dumps(content))
    return load(root, "via", "via.json", **{"classes": ("cat", "dog"), "class_key": "kind", **keys})


def test_every_kind_of_shape(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", "day1/b.png", "other.png", size=SIZE)
    content = entry(
        region(SQUARE, "dog"),
        region(RECT),
        region({"name": "circle", "cx": 12, "cy": 10, "r": 3.5}, {"cat": False, "dog": True}),
        region({"name": "ellipse", "cx": 12, "cy": 10, "rx": 6, "ry": 3, "theta": math.radians(40)}),
        region({"name": "ellipse", "cx": 18, "cy": 4, "rx": 4, "ry": 3}),
        region({"name": "polyline", "all_points_x": [1, 4, 4], "all_points_y": [1, 1, 4]}),
        region({"name": "point", "cx": 3, "cy": 3}),
    )
    truth = via(tmp_path, content | entry(name="b.png"))
    assert truth.image_ids == ("a.png", "day1/b.png")
    assert truth.annotations("day1/b.png") == ()
    assert objects_of(truth, "a.png") == expected(
        ("dog", BLOCK),
        ("cat", SECOND),
        ("dog", filled(around(12, 10, 3.5, 3.5), SIZE)),
        ("cat", filled(around(12, 10, 6, 3, 40), SIZE)),
        ("cat", filled(around(18, 4, 4, 3), SIZE)),
    )


def test_projects_and_the_regions_of_version_1(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    first = entry()
    first["a.png4800"]["regions"] = {"0": region(SQUARE), "1": region(RECT, "dog")}
    project = {"_via_settings": {}, "_via_img_metadata": first, "_via_attributes": {}, "_via_data_format_version": "2"}
    for content in (first, project):
        assert objects_of(via(tmp_path, content), "a.png") == expected(("cat", BLOCK), ("dog", SECOND))


@pytest.mark.parametrize("kind", ["", None, {}, {"cat": False}])
def test_regions_without_a_class_are_of_the_only_one(tmp_path: Path, kind: Any) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    content = entry(region(SQUARE, kind))
    assert objects_of(via(tmp_path, content, classes=("leaf",)), "a.png") == expected(("leaf", BLOCK))
    with pytest.raises(
        UserError, match=r"via\.json: 'a\.png4800', regions\[0\], has no class; expected one of cat, dog"
    ):
        via(tmp_path, content)


def test_without_a_class_key_no_region_names_its_class(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    truth = via(tmp_path, entry(region(SQUARE, "cow")), classes=("leaf",), class_key=None)
    assert objects_of(truth, "a.png") == expected(("leaf", BLOCK))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "polygon", "all_points_x": [1, 4], "all_points_y": [1, 1]},
        {"name": "polygon", "all_points_x": [1, 4, 4], "all_points_y": [1, 1]},
        {"name": "polygon", "all_points_x": [1, 4, None], "all_points_y": [1, 1, 4]},
        {"name": "polygon", "all_points_x": [1, 4, 4], "all_points_y": [1, 1, 900]},
        {"name": "polygon", "all_points_x": 1, "all_points_y": 2},
        {"name": "rect", "x": 5, "y": 0, "width": 3},
        {"name": "rect", "x": 5, "y": 0, "width": float("nan"), "height": 2},
        {"name": "circle", "cx": 5, "cy": 0, "r": 10**400},
        {"name": "circle", "cx": [], "cy": 0, "r": 2},
        {"name": ["circle"]},
        {},
        [],
        None,
        3,
    ],
)
def test_what_cannot_be_drawn_costs_only_its_object(tmp_path: Path, wrong: Any) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    assert objects_of(via(tmp_path, entry(region(wrong), region(RECT, "dog"))), "a.png") == expected(("dog", SECOND))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], r"is a list; expected an object with an entry for each picture; save the project"),
        ({"_via_img_metadata": 3}, r"is 3; expected an object"),
        ({"a": 3}, r"'a': it is 3, but"),
        ({"a": {"regions": []}}, r"'a': filename is missing"),
        ({"a": {"filename": "a.png", "regions": [3]}}, r"'a': regions\[0\] is 3, but"),
        ({"a": {"filename": "a.png", "regions": "x"}}, r"'a': regions is 'x', but"),
        (entry(name="b.png"), r"names 'b\.png'; found no such picture"),
        ({**entry(), "a": {"filename": "A.png"}}, r"lists the picture a\.png twice"),
        (entry(region(SQUARE, "cow")), r"'a\.png4800', regions\[0\], is of class 'cow'; expected one of cat, dog"),
        (entry(region(SQUARE, {"cat": True, "dog": True})), r"has 2 classes in kind, 'cat', 'dog'; expected one"),
        (entry(region(SQUARE, ["cat"])), r"regions\[0\], has a list for kind; expected the name of a class"),
    ],
)
def test_faults_of_the_file_are_named_in_one_line(tmp_path: Path, content: Any, message: str) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    with pytest.raises(UserError, match=message) as caught:
        via(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "via.json"))
    assert "\n" not in str(caught.value)
