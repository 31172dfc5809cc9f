"""Tests of the reader of GeoJSON files."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.export_folder import Lost, box, check_objects, corners, open_export, write_picture

from rsis.data.readers.base import BadSampleError, notes_of
from rsis.errors import UserError


def _ring(left: int, top: int, right: int, bottom: int) -> list[list[float]]:
    points = corners(left, top, right, bottom)
    return [*points, points[0]]


def _feature(label: Any, kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates}
    properties = {"objectType": "annotation", "name": "bird", **properties}
    if label is not None:
        properties["classification"] = label
    return {"type": "Feature", "id": "1", "geometry": geometry, "properties": properties}


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_shapes_with_holes_and_parts(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    holed = [_ring(0, 0, 6, 6), _ring(1, 1, 3, 3), _ring(4, 4, 5, 6)]
    parts = [[_ring(8, 0, 10, 2)], [_ring(8, 4, 14, 10), _ring(9, 5, 11, 7)]]
    nucleus = {"type": "Polygon", "coordinates": [_ring(0, 8, 1, 9)]}
    cell = {**_feature("dog", "Polygon", [_ring(0, 8, 4, 12)], objectType="cell"), "nucleusGeometry": nucleus}
    content = [
        _feature({"name": "cat", "color": [1, 2, 3]}, "Polygon", holed),
        _feature({"name": "dog"}, "MultiPolygon", parts),
        cell,
        _feature("dog", "Point", [1, 1]),
        _feature("dog", "LineString", _ring(0, 0, 6, 6)),
        _feature("dog", "Polygon", [[[0, 0], [2, 2], [0, 0]]]),
        _feature("dog", "Polygon", [_ring(0, 0, 6, 6), [[1, 1], [2, 2]]]),
        _feature("dog", "Polygon", []),
        _feature("dog", "MultiPolygon", 5),
        _feature("dog", "Polygon", [[[0, 0, 5], [2, "x"], [0, 4]]]),
        {**_feature("dog", "Polygon", []), "geometry": None},
    ]
    _write(tmp_path / "geo/a.geojson", {"type": "FeatureCollection", "features": content})
    sample = open_export(tmp_path, "geojson", "geo").read("a.png")
    first = box(0, 0, 6, 6) & ~box(1, 1, 3, 3) & ~box(4, 4, 5, 6)
    second = box(8, 0, 10, 2) | (box(8, 4, 14, 10) & ~box(9, 5, 11, 7))
    check_objects(sample, (first, 1), (second, 2), (box(0, 8, 4, 12), 2))
    assert sample.dropped == ("cannot be drawn",) * 8


def test_object_in_a_hole_is_an_object(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    ring = _feature("cat", "Polygon", [_ring(0, 0, 12, 12), _ring(2, 2, 10, 10)])
    _write(tmp_path / "geo/a.json", [ring, _feature("dog", "Polygon", [_ring(2, 2, 10, 10)])])
    sample = open_export(tmp_path, "geojson", "geo").read("a.png")
    check_objects(sample, (box(0, 0, 12, 12) & ~box(2, 2, 10, 10), 1), (box(2, 2, 10, 10), 2))


@pytest.mark.parametrize(
    ("picture", "file"),
    [("a.tif", "a.geojson"), ("a.tif", "a.tif.geojson"), ("x.y.png", "x.y.geojson"), ("day/a.png", "day/a.json")],
)
def test_file_is_named_after_its_picture(tmp_path: Path, picture: str, file: str) -> None:
    write_picture(tmp_path / "images" / picture)
    _write(tmp_path / "geo" / file, {"type": "Polygon", "coordinates": [_ring(0, 0, 3, 2)]})
    reader = open_export(tmp_path, "geojson", "geo", classes=("cell",))
    assert reader.image_ids == (picture,)
    check_objects(reader.read(picture), (box(0, 0, 3, 2), 1))


def test_files_and_pictures_alone(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png", "c.jpg"):
        write_picture(tmp_path / "images" / name)
    for name in ("a", "c", "d"):
        _write(tmp_path / f"geo/{name}.geojson", _feature("cat", "Polygon", [_ring(0, 0, 3, 2)]))
    _write(tmp_path / "geo/project.json", {"version": 5})
    (tmp_path / "geo/settings.json").write_text("none")
    lost = Lost()
    reader = open_export(tmp_path, "geojson", "geo", on_missing=lost)
    assert reader.image_ids == ("a.png",)
    assert len(lost.messages) == 2
    assert "c.geojson: could belong to c.jpg or c.png" in lost.messages[0]
    assert "d.geojson: has no picture of that name" in lost.messages[1]
    folder = tmp_path / "geo"
    assert notes_of(reader) == (
        f"{folder}: files that are no annotations, and are passed by: 2 (the first: project.json, settings.json)",
        f"{folder}: pictures without annotations yet, which are left out: 3 (the first: b.png, c.jpg, c.png)",
    )
    _write(tmp_path / "geo/a.png.geojson", [])
    with pytest.raises(UserError, match=r"a.png.geojson: annotates the picture a.png, as .*a.geojson does"):
        open_export(tmp_path, "geojson", "geo", on_missing=lost)


@pytest.mark.parametrize(
    ("label", "found"),
    [("bird", "has the class 'bird'"), (None, "has no class"), ({"name": [1]}, "name is a list"), ({}, "has no class")],
)
def test_unknown_class_is_named(tmp_path: Path, label: Any, found: str) -> None:
    write_picture(tmp_path / "images/a.png")
    _write(tmp_path / "geo/a.geojson", [_feature("cat", "Point", []), _feature(label, "Point", [])])
    with pytest.raises(UserError, match=rf"a.geojson: features\[1\]: {found}") as caught:
        open_export(tmp_path, "geojson", "geo")
    assert type(caught.value) is UserError


def test_class_with_a_subclass_has_its_joined_name(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    _write(tmp_path / "geo/a.geojson", [_feature({"names": ["cat", "wild"]}, "Polygon", [_ring(0, 0, 3, 2)])])
    reader = open_export(tmp_path, "geojson", "geo", classes=("cat", "cat: wild"))
    check_objects(reader.read("a.png"), (box(0, 0, 3, 2), 2))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"5",
        b"{}",
        b"[5]",
        b'{"type": "FeatureCollection"}',
        b'{"type": "FeatureCollection", "features": [{"type": "x"}]}',
        b'[{"type": [1]}]',
        b'{"type": "Topology"}',
    ],
)
def test_broken_file_is_a_fault_of_its_picture(tmp_path: Path, content: bytes) -> None:
    for name in "ab":
        write_picture(tmp_path / f"images/{name}.png")
        _write(tmp_path / f"geo/{name}.geojson", [_feature("cat", "Polygon", [_ring(0, 0, 3, 2)])])
    (tmp_path / "geo/a.geojson").write_bytes(content)
    reader = open_export(tmp_path, "geojson", "geo")
    check_objects(reader.read("b.png"), (box(0, 0, 3, 2), 1))
    with pytest.raises(BadSampleError, match=r"^[^\n]*a.geojson: [^\n]*$"):
        reader.read("a.png")


def test_another_json_of_the_name_of_a_picture_is_passed_by(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    _write(tmp_path / "geo/a.geojson", _feature("cat", "Polygon", [_ring(0, 0, 3, 2)]))
    _write(tmp_path / "geo/a.json", {"pixelWidth": 0.5})
    reader = open_export(tmp_path, "geojson", "geo")
    note = f"{tmp_path / 'geo'}: files that are no annotations, and are passed by: 1 (the first: a.json)"
    assert notes_of(reader) == (note,)
    check_objects(reader.read("a.png"), (box(0, 0, 3, 2), 1))


def test_holes_of_each_part_and_beyond_the_picture(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    parts = [[_ring(0, 0, 8, 8), _ring(1, 1, 3, 3), _ring(2, 2, 5, 5)], [_ring(2, 2, 4, 4), _ring(-9, -9, 3, 30)]]
    _write(tmp_path / "geo/a.geojson", _feature("cat", "MultiPolygon", parts))
    mask = box(0, 0, 8, 8) & ~box(1, 1, 3, 3) & ~box(2, 2, 5, 5) | box(3, 2, 4, 4)
    check_objects(open_export(tmp_path, "geojson", "geo").read("a.png"), (mask, 1))
