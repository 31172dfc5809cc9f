"""GeoJSON in pixels, as QuPath exports it: a file for each picture, named after it.

    cell1.tif  cell1.geojson or cell1.tif.geojson

    {"type": "FeatureCollection", "features": [{"type": "Feature",
      "geometry": {"type": "Polygon", "coordinates": [[[3, 4], [9, 4], [6, 8], [3, 4]]]},
      "properties": {"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]}}}]}

A file has a FeatureCollection, a list of features, one feature, or one geometry. The first ring of a polygon is its
outline, the others are holes. A MultiPolygon is one object of some parts. Of a cell, its nucleus is not read. The
childObjects of a feature are objects like it, and follow it, as QuPath lists them where it does not nest them.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.exports.by_stem import read_by_stem
from rsis.data.readers.exports.shapes import polygon, ring_of
from rsis.data.readers.exports.source import Source
from rsis.data.readers.json_values import show
from rsis.data.readers.outline_reader import AnnotatedObject, AnnotationDocument
from rsis.data.readers.outlines import Outline, Ring, not_drawn
from rsis.data.readers.texts import read_json

_GEOMETRIES = ("Polygon", "MultiPolygon", "Point", "MultiPoint", "LineString", "MultiLineString", "GeometryCollection")


def read_geojson(source: Source) -> AnnotationDocument:
    """Read all files; raise UserError for faults of the data set."""
    return read_by_stem(source, (".geojson", ".json"), _stems_of, _read_file, _is_other)


def _stems_of(file: PurePosixPath) -> Iterator[str]:
    yield file.with_suffix("").as_posix()


def _read_file(source: Source, file: str) -> list[AnnotatedObject]:
    path = source.annotations / file
    objects = []
    for number, feature in enumerate(_features(read_json(path, "GeoJSON", BadSampleError), str(path))):
        where = f"features[{number}]"
        class_id = source.classes.id_of(label_of(feature), f"{path}: {where}")
        objects.append(AnnotatedObject(where, class_id, _outline(feature.get("geometry"))))
    return objects


def _is_other(source: Source, file: str, has_picture: bool) -> bool:
    """Return whether a JSON file is no GeoJSON; a broken one of the name of a picture could be some."""
    path = source.annotations / file
    if path.suffix.lower() != ".json":
        return False
    try:
        content = read_json(path, "GeoJSON", BadSampleError)
    except BadSampleError:
        return not has_picture
    try:
        _features(content, str(path))
    except BadSampleError:
        return True
    return False


def _features(content: Any, where: str) -> list[dict[str, Any]]:
    """Return the features of a file; a geometry alone is one without properties."""
    kind = content.get("type") if isinstance(content, dict) else None
    entries = content.get("features") if kind == "FeatureCollection" else [content] if kind else content
    if not isinstance(entries, list):
        raise BadSampleError(f"{where}: found {show(content)} without features; expected GeoJSON; export it again")
    features = []
    for number, entry in enumerate(entries):
        kind = entry.get("type") if isinstance(entry, dict) else None
        if kind != "Feature" and kind not in _GEOMETRIES:
            raise BadSampleError(f"{where}: entry {number} is {show(entry)} of no type of GeoJSON; export it again")
        features += _with_children(entry) if kind == "Feature" else [{"geometry": entry}]
    return features


def _with_children(feature: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a feature and all that are nested in it, each before its own."""
    found, waiting = [], [feature]
    while waiting:
        found.append(waiting.pop())
        nested = found[-1].get("childObjects")
        waiting += [item for item in reversed(nested) if isinstance(item, dict)] if isinstance(nested, list) else []
    return found


def label_of(feature: dict[str, Any]) -> Any:
    """Return the class of a feature as written; None if it has none."""
    properties = feature.get("properties")
    label = properties.get("classification") if isinstance(properties, dict) else None
    if not isinstance(label, dict):
        return label
    names = label.get("names")  # of a class with subclasses, whose name QuPath joins
    if label.get("name") is None and isinstance(names, list) and all(isinstance(name, str) for name in names):
        return ": ".join(names)
    return _with_parents(label)


def _with_parents(label: dict[str, Any]) -> Any:
    """Return the name of a class below those of its parents, as QuPath wrote subclasses before version 0.4."""
    name, parent = label.get("name"), label.get("parentClass")
    while isinstance(name, str) and isinstance(parent, dict) and isinstance(parent.get("name"), str):
        name, parent = f"{parent['name']}: {name}", parent.get("parentClass")
    return name


def _outline(geometry: Any) -> Outline:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        return not_drawn("a geometry that encloses nothing")
    coordinates = geometry.get("coordinates")
    parts = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(parts, list) or not parts or not all(isinstance(part, list) and part for part in parts):
        return not_drawn("a polygon without coordinates")
    outlines = [polygon(outer, holes) for outer, *holes in ([_ring(ring) for ring in part] for part in parts)]
    bad = next((outline for outline in outlines if outline.reason is not None), None)
    return bad or Outline(polygons=[rings for outline in outlines for rings in outline.polygons])


def _ring(points: Any) -> Ring:
    """Return a ring without the point that closes it."""
    ring = ring_of(points)
    return ring[:-2] if len(ring) > 2 and ring[:2] == ring[-2:] else ring
