"""Tests of the truth of GeoJSON in pixels."""

import json
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
from support.export_truth import block, draw_pictures, expected, load, objects_of

from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth

SIZE = (12, 16)
SQUARE = [[1, 1], [9, 1], [9, 9], [1, 9], [1, 1]]
HOLE = [[3, 3], [3, 6], [6, 6], [6, 3], [3, 3]]
ISLAND = [[4, 4], [5, 4], [5, 5], [4, 5], [4, 4]]
OTHER = [[10, 0, 7], [14, 0, 7], [14, 4, 7], [10, 4, 7]]  # with a depth, and without a closing point
RING = block((1, 9), (1, 9), SIZE) & ~block((3, 6), (3, 6), SIZE)
SECOND = block((0, 4), (10, 14), SIZE)


def feature(coordinates: Any, kind: str = "Polygon", name: Any = "Tumor", **properties: Any) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates}
    classification = {"classification": {"name": name, "color": [1, 2, 3]}} if name is not None else {}
    return {
        "type": "Feature",
        "id": "8c1f",
        "geometry": geometry,
        "properties": {"objectType": "annotation", **classification, **properties},
    }


def write(root: Path, name: str, *features: Any, content: Any = None) -> Path:
    path = root / "annotations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"type": "FeatureCollection", "features": list(features)} if content is None else content
    path.write_text(whole if isinstance(whole, str) else json.dumps(whole))
    return path


def geojson(root: Path, **keys: Any) -> GroundTruth:
    return load(root, "geojson", **{"classes": ("Tumor", "Stroma"), **keys})


def test_features_with_holes_and_parts(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    write(
        tmp_path,
        "a.geojson",
        feature([SQUARE, HOLE]),
        feature([[SQUARE, HOLE], [ISLAND], [OTHER]], "MultiPolygon", "Stroma"),
        feature([OTHER], name=None, classification=" Stroma", name_of="x"),
        feature([1, 1], "Point"),
        feature([[1, 1], [4, 4]], "LineString"),
        {**feature([OTHER], objectType="cell"), "nucleusGeometry": {"type": "Polygon", "coordinates": [ISLAND]}},
    )
    truth = geojson(tmp_path)
    assert objects_of(truth, "a.png") == expected(
        ("Tumor", RING), ("Stroma", RING | block((4, 5), (4, 5), SIZE) | SECOND), ("Stroma", SECOND), ("Tumor", SECOND)
    )
    # the second object keeps only what no smaller object has; of two of 16 pixels, the earlier has all
    assert np.bincount(truth.instance_map("a.png").ravel(), minlength=5).tolist() == [120, 55, 1, 16, 0]


def test_files_are_named_like_their_pictures(tmp_path: Path) -> None:
    accent = normalize("NFC", "caf\u00e9")
    draw_pictures(tmp_path, "day1/a.png", "b.png", "b.tif", f"{accent}.jpg", "not yet.png", size=SIZE)
    for name in ("day1/a.geojson", "b.tif.geojson", normalize("NFD", accent) + ".json"):
        write(tmp_path, name, feature([OTHER]))
    write(tmp_path, "project.json", content={"version": 3})
    truth = geojson(tmp_path)
    assert truth.image_ids == ("b.tif", f"{accent}.jpg", "day1/a.png")
    assert truth.image_path("b.tif") == tmp_path / "images/b.tif"
    for image_id in truth.image_ids:
        assert objects_of(truth, image_id) == expected(("Tumor", SECOND))


@pytest.mark.parametrize("content", [[feature([OTHER])], feature([OTHER]), {"type": "Polygon", "coordinates": [OTHER]}])
def test_documents_that_are_no_collection(tmp_path: Path, content: Any) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    write(tmp_path, "a.json", content=content)
    assert objects_of(geojson(tmp_path, classes=("Tumor",)), "a.png") == expected(("Tumor", SECOND))
    write(tmp_path, "a.json", content=[])
    assert geojson(tmp_path).annotations("a.png") == ()


@pytest.mark.parametrize(
    "wrong",
    [
        feature([]),
        feature([SQUARE[:2]]),
        feature([[SQUARE[0], SQUARE[1], SQUARE[0]]]),  # two points once the closing one is dropped
        feature([SQUARE, HOLE[:2]]),
        feature([[[1, 1], [9, 1], [9, None]]]),
        feature([[[1, 1], [9, 1], [9, 900]]]),
        feature([[[1], [9], [9]]]),
        feature(3),
        feature(SQUARE),
        feature([], "MultiPolygon"),
        feature([[SQUARE], [ISLAND[:2]]], "MultiPolygon"),
        feature([SQUARE], "Circle"),
        {**feature([SQUARE]), "geometry": None},
        {**feature([SQUARE]), "geometry": {"type": "GeometryCollection", "geometries": []}},
        {**feature([SQUARE]), "geometry": {"type": ["Polygon"], "coordinates": []}},
        feature([HOLE, SQUARE]),  # nothing is left
    ],
)
def test_what_cannot_be_drawn_costs_only_its_object(tmp_path: Path, wrong: Any) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    write(tmp_path, "a.geojson", wrong, feature([OTHER], name="Stroma"))
    assert objects_of(geojson(tmp_path), "a.png") == expected(("Stroma", SECOND))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"a\.geojson: not valid JSON"),
        ({"type": "FeatureCollection", "features": [3]}, r"a\.geojson: is no GeoJSON; expected a FeatureCollection"),
        ({"type": "Topology"}, r"a\.geojson: is no GeoJSON"),
        (3, r"a\.geojson: is no GeoJSON"),
        ([feature([OTHER], name="Fat")], r"features\[0\] is of class 'Fat'; expected one of Tumor, Stroma"),
        ([feature([OTHER], name=None, name_of="Tumor")], r"a\.geojson: features\[0\] has no class"),
        ([feature([OTHER], name={})], r"features\[0\] has the classification a dict; expected the name of a class"),
    ],
)
def test_faults_of_a_file_are_of_its_picture(tmp_path: Path, content: Any, message: str) -> None:
    draw_pictures(tmp_path, "a.png", "b.png", size=SIZE)
    write(tmp_path, "b.geojson")
    path = write(tmp_path, "a.geojson", content=content)
    truth = geojson(tmp_path)
    assert truth.annotations("b.png") == ()
    with pytest.raises(UserError, match=message) as caught:
        truth.annotations("a.png")
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_files_without_a_picture_and_pictures_with_two_files(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", "b.png", "b.tif", size=SIZE)
    write(tmp_path, "a.geojson", feature([OTHER]))
    for name, message in (("c.geojson", r"c\.geojson: has no picture of its name in .*images; expected one"),
                          ("b.geojson", r"b\.geojson: has 2 pictures, b\.png and b\.tif, of its name")):  # fmt: skip
        lost = write(tmp_path, name, feature([OTHER]))
        with pytest.raises(UserError, match=message):
            geojson(tmp_path)
        assert geojson(tmp_path, skip_bad=True).image_ids == ("a.png",)
        lost.unlink()
    write(tmp_path, "a.png.geojson", feature([OTHER]))
    with pytest.raises(UserError, match=r"a\.png\.geojson: annotates a\.png, as .*a\.geojson does; expected one file"):
        geojson(tmp_path)


def test_a_subclass_has_the_names_of_its_classes(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    square = [[[1, 1], [4, 1], [4, 4], [1, 4]]]
    item = feature(square)
    item["properties"]["classification"] = {"names": ["Tumor", "Positive"]}
    write(tmp_path, "a.GEOJSON", item)
    truth = geojson(tmp_path, classes=("Tumor: Positive", "Stroma"))
    assert objects_of(truth, "a.png") == expected(("Tumor: Positive", block((1, 4), (1, 4), SIZE)))
