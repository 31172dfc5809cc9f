"""Tests of the reader of the VGG Image Annotator's JSON."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from support.export_folder import Lost, box, check_objects, open_export, round_mask, write_picture

from rsis.data.readers.outline_reader import OutlineReader
from rsis.errors import UserError


def _region(label: Any, name: str, **shape: Any) -> dict[str, Any]:
    attributes = {} if label is None else {"kind": label}
    return {"shape_attributes": {"name": name, **shape}, "region_attributes": attributes}


def _square(label: Any, left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    columns, rows = [left, right, right, left], [top, top, bottom, bottom]
    return _region(label, "polygon", all_points_x=columns, all_points_y=rows)


def _open(root: Path, *regions: Any, project: bool = False, key: str | None = "kind", **keys: Any) -> OutlineReader:
    write_picture(root / "images/a.png")
    entries = {"a.png52": {"filename": "a.png", "size": 52, "regions": list(regions), "file_attributes": {}}}
    content = {"_via_settings": {}, "_via_img_metadata": entries, "_via_attributes": {}} if project else entries
    (root / "via.json").write_text(json.dumps(content))
    return open_export(root, "via", "via.json", class_key=key, **keys)


@pytest.mark.parametrize("project", [True, False])
def test_all_shapes(tmp_path: Path, project: bool) -> None:
    reader = _open(
        tmp_path,
        _square("cat", 0, 0, 3, 2),
        _region({"cat": False, "dog": True}, "rect", x=4, y=1, width=2, height=4),
        _region("dog", "circle", cx=10.5, cy=3, r=2.5),
        _region("cat", "ellipse", cx=10, cy=9, rx=4, ry=1.5, theta=math.radians(20)),
        _region("cat", "ellipse", cx=2.5, cy=9, rx=2, ry=1.5),
        _region("cat", "polyline", all_points_x=[1, 2, 3], all_points_y=[1, 2, 4]),
        _region("cat", "point", cx=1, cy=1),
        _region("cat", "polygon", all_points_x=[1, 2, 3], all_points_y=[1, 2]),
        _region("cat", "rect", x=4, y=1),
        {"region_attributes": {"kind": "cat"}},
        project=project,
    )
    sample = reader.read("a.png")
    check_objects(
        sample,
        (box(0, 0, 3, 2), 1),
        (box(4, 1, 6, 5), 2),
        (round_mask(10.5, 3, 2.5, 2.5), 2),
        (round_mask(10, 9, 4, 1.5, 20), 1),
        (round_mask(2.5, 9, 2, 1.5), 1),
    )
    assert sample.dropped == ("cannot be drawn",) * 5


def test_version_1_has_regions_by_number(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    write_picture(tmp_path / "images/b.png")
    regions = {str(number): _square("dog", 4 * number, 0, 4 * number + 2, 2) for number in range(3)}
    entries = {"a.png1": {"filename": "a.png", "regions": regions}, "b.png1": {"filename": "b.png", "regions": {}}}
    (tmp_path / "via.json").write_text(json.dumps(entries))
    reader = open_export(tmp_path, "via", "via.json", class_key="kind")
    check_objects(reader.read("a.png"), *((box(4 * number, 0, 4 * number + 2, 2), 2) for number in range(3)))
    check_objects(reader.read("b.png"))


def test_one_class_needs_no_attribute(tmp_path: Path) -> None:
    regions = (_square(None, 0, 0, 3, 2), _square("anything", 4, 0, 6, 2))
    reader = _open(tmp_path, *regions, key=None, classes=("cell",))
    check_objects(reader.read("a.png"), (box(0, 0, 3, 2), 1), (box(4, 0, 6, 2), 1))
    reader = _open(tmp_path, _square("", 0, 0, 3, 2), _square({"cell": False}, 4, 0, 6, 2), classes=("cell",))
    check_objects(reader.read("a.png"), (box(0, 0, 3, 2), 1), (box(4, 0, 6, 2), 1))


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ("bird", "has the class 'bird'"),
        (None, "has no class; expected one of 'cat', 'dog'"),
        ({"cat": True, "dog": True}, "kind has 2 classes"),
        ([1], "name is a list"),
    ],
)
def test_unknown_class_is_named(tmp_path: Path, label: Any, found: str) -> None:
    with pytest.raises(UserError, match=rf"via.json: 'a.png52': regions\[1\]: {found}"):
        _open(tmp_path, _square("cat", 0, 0, 3, 2), _square(label, 0, 0, 3, 2))


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        5,
        {"a": 5},
        {"a": {}},
        {"a": {"filename": 5}},
        {"a": {"filename": "a.png", "regions": 5}},
        {"a": {"filename": "a.png", "regions": [5]}},
        {"_via_img_metadata": []},
        {"a": {"filename": "a.png"}, "b": {"filename": "a.png"}},
    ],
)
def test_other_files_are_one_line(tmp_path: Path, content: Any) -> None:
    write_picture(tmp_path / "images/a.png")
    (tmp_path / "via.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"^[^\n]*via.json: [^\n]*$"):
        open_export(tmp_path, "via", "via.json")


def test_missing_picture_is_lost(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    entries: dict[str, Any] = {name: {"filename": name, "regions": []} for name in ("a.png", "b.png")}
    (tmp_path / "via.json").write_text(json.dumps(entries))
    lost = Lost()
    assert open_export(tmp_path, "via", "via.json", on_missing=lost).image_ids == ("a.png",)
    assert [message.partition(":")[0] for message in lost.messages] == [str(tmp_path / "images/b.png")]
