"""The ground truth of GeoJSON in pixels, as QuPath exports it: a file for each annotated picture.

    images/slide1.tif  annotations/slide1.geojson  (or slide1.tif.geojson)

    {"type": "FeatureCollection", "features": [
      {"type": "Feature", "properties": {"objectType": "cell", "classification": {"name": "Tumor"}},
       "geometry": {"type": "Polygon", "coordinates": [[[1, 2], [9, 2], [9, 7], [1, 2]]]}}]}

The first ring of a polygon is its outline, the others are holes. Features may be nested, under childObjects. A picture
without a file is not annotated yet.
"""

from pathlib import Path
from typing import Any

import numpy as np

from rsis.config.datasets import ExportDataset
from rsis.config.types import Split
from rsis.errors import UserError
from rsis.eval.truths.documents import read_json, shown
from rsis.eval.truths.exports.base import REMEDY, Annotation, ExportObject, ExportTruth, on_lost_of
from rsis.eval.truths.exports.folders import Pictures, ending, listed, one_of, without_doubles, without_suffix
from rsis.eval.truths.exports.shapes import Outline, Shape, Undrawn, points_of
from rsis.eval.truths.fields import class_name_or_none

_GEOMETRIES = ("Polygon", "MultiPolygon", "Point", "MultiPoint", "LineString", "MultiLineString")


class GeojsonTruth(ExportTruth):
    """A split of GeoJSON files; see `ExportTruth` for arguments and errors."""

    def __init__(self, root: Path, dataset: ExportDataset, split: Split) -> None:
        section = dataset.splits[split]
        pictures, folder = Pictures(root / section.images), root / section.annotations
        pairs = []
        for name in listed(folder, "annotations"):
            kind, stem = ending(name), without_suffix(name)
            found = pictures.of_stem(stem) or pictures.of_name(stem)
            if kind == ".geojson" or (kind == ".json" and _may_be_geojson(folder / name, bool(found))):
                picture = one_of(found, folder / name, pictures, on_lost_of(dataset))
                pairs += [(picture, folder / name)] if picture is not None else []
        self._documents = without_doubles(pairs)
        super().__init__(root, dataset, split, {name: pictures.folder / name for name in self._documents})

    def annotation(self, image_id: str) -> Annotation:
        """Return the features of the picture's file."""
        path = self._documents[image_id]
        features = features_of(read_json(path, REMEDY))
        if features is None:
            raise UserError(f"{path}: is no GeoJSON; expected a FeatureCollection, or a list of Features; {REMEDY}")
        return Annotation(path, None, tuple(_object(path, k, feature) for k, feature in enumerate(features)))


def features_of(content: Any) -> list[dict[str, Any]] | None:
    """Return the features of a document, an outline alone as one; None if it is no GeoJSON of features or outlines."""
    kind = content.get("type") if isinstance(content, dict) else "FeatureCollection"
    if kind == "FeatureCollection":
        features = content.get("features") if isinstance(content, dict) else content
        if not isinstance(features, list):
            return None
        if not all(isinstance(item, dict) and item.get("type") == "Feature" for item in features):
            return None
        return [item for feature in features for item in _family(feature)]
    if kind == "Feature":
        return _family(content)
    return [{"geometry": content}] if isinstance(kind, str) and kind in _GEOMETRIES else None


def _family(feature: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a feature, and then its children, each followed by its own."""
    members, place = [feature], 0
    while place < len(members):
        children = members[place].get("childObjects")
        place += 1
        if isinstance(children, list) and children:
            members[place:place] = [child for child in children if isinstance(child, dict)]
    return members


def _may_be_geojson(path: Path, has_picture: bool) -> bool:
    """Return whether a JSON file holds GeoJSON; of a broken one, whether it is named like a picture."""
    try:
        return features_of(read_json(path, REMEDY)) is not None
    except UserError:
        return has_picture


def _object(path: Path, position: int, feature: dict[str, Any]) -> ExportObject:
    place = f"features[{position}]"
    properties = feature.get("properties")
    written = properties.get("classification") if isinstance(properties, dict) else None
    try:
        class_name: str | None = class_name_or_none(_class_path(written))
    except ValueError as error:
        raise UserError(f"{path}: {place} has the classification {shown(written)}; {error}; {REMEDY}") from error
    return ExportObject(place, class_name, _shapes(feature.get("geometry")))


def _class_path(classification: Any) -> Any:
    """Return a classification as QuPath shows it, a class and its subclasses as "Tumor: Positive".

    QuPath 0.4 lists them under names; before, each named the one above it as its parentClass. What has no such form is
    returned as it is.
    """
    if not isinstance(classification, dict):
        return classification
    own, steps = classification.get("name"), classification.get("names")
    if own is None and isinstance(steps, list) and all(isinstance(step, str) for step in steps):
        return ": ".join(steps)
    path: list[str] = []
    level: Any = classification
    while isinstance(level, dict) and isinstance(level.get("name"), str):
        path.insert(0, level["name"])
        level = level.get("parentClass")
    return ": ".join(path) or own


def _shapes(geometry: Any) -> tuple[Shape, ...]:
    """Return the polygons of a geometry."""
    try:
        kind, coordinates = geometry["type"], geometry["coordinates"]
        polygons = {"Polygon": [coordinates], "MultiPolygon": coordinates}[kind]
        if isinstance(polygons, list) and polygons:
            return tuple(_polygon(rings) for rings in polygons)
    except (KeyError, TypeError, ValueError):
        pass
    return (Undrawn(),)


def _polygon(rings: Any) -> Shape:
    if not isinstance(rings, list) or not rings:
        raise ValueError("is no list of rings")
    outline, *holes = map(_ring, rings)
    return Outline(outline, tuple(holes))


def _ring(points: Any) -> np.ndarray:
    """Return the points of a ring without the last one where it repeats the first."""
    ring = points_of(points)
    return ring[:-1] if len(ring) > 1 and (ring[0] == ring[-1]).all() else ring
