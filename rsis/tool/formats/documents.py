"""The objects of a picture as text of YOLO, JSON of LabelMe and GeoJSON of QuPath."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rsis.errors import UserError
from rsis.tool.formats.outline import Part, joined, outline_of
from rsis.tool.instance import Instance
from rsis.tool.overlay import PALETTE

TOLERANCE = 0.5
"""Pixels: how far points of an outline may be left out; docs/predict.md says what this costs."""
_LABELME_VERSION = "5.5.0"  # whose keys the file has


@dataclass(frozen=True)
class Outlined:
    """The objects of a picture and their outlines.

    Attributes:
        image_id: The picture's name.
        size: Its (H, W).
        objects: Each object with its parts.
    """

    image_id: str
    size: tuple[int, int]
    objects: tuple[tuple[Instance, tuple[Part, ...]], ...]

    @classmethod
    def of(
        cls, image_id: str, size: tuple[int, int], instances: Sequence[Instance], tolerance: float = TOLERANCE
    ) -> "Outlined":
        """Draw the outlines (`outline_of`).

        Raises:
            UserError: The tolerance is negative or not finite.
        """
        check_tolerance(tolerance)
        return cls(image_id, size, tuple((item, outline_of(item.mask, tolerance)) for item in instances))


def check_tolerance(tolerance: float) -> None:
    """Check that a tolerance is a number of pixels.

    Raises:
        UserError: It is negative or not finite.
    """
    if not 0 <= tolerance < float("inf"):
        raise UserError(f"tolerance is {tolerance}; expected a number of pixels, 0 or more")


def yolo_text(outlined: Outlined) -> str:
    """Return the label file of YOLO segmentation: a line for each object, `class x1 y1 x2 y2 ...`.

    Classes are numbered from 0, coordinates are fractions of the picture's width and height. The format has one polygon
    for an object, so holes and further parts are joined to it by seams (`joined`).
    """
    height, width = outlined.size
    lines = []
    for item, parts in outlined.objects:
        polygon = joined([ring for part in parts for ring in part.rings]) / (width, height)
        numbers = (f"{value:.8f}".rstrip("0").rstrip(".") for value in polygon.ravel().tolist())
        lines.append(" ".join([str(item.class_id - 1), *numbers]) + "\n")
    return "".join(lines)


def yolo_data(class_names: Sequence[str]) -> dict[str, Any]:
    """Return data.yaml: pictures belong into the folder images beside labels, and are used for training and test."""
    return {"train": "images", "val": "images", "names": dict(enumerate(class_names))}


def labelme_document(outlined: Outlined, image_path: str) -> dict[str, Any]:
    """Return the JSON of LabelMe: a polygon for each part of an object.

    The parts of an object that has more than one have its number as group_id. The format has no holes, so a hole is
    joined to its part by a seam (`joined`). LabelMe keeps the key `score` of a shape.

    Args:
        outlined: The objects.
        image_path: The picture's path relative to the folder of the JSON.
    """
    height, width = outlined.size
    shapes = [
        {
            "label": item.class_name,
            "points": joined(part.rings).tolist(),
            "group_id": item.number if len(parts) > 1 else None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
            "score": item.score,
        }
        for item, parts in outlined.objects
        for part in parts
    ]
    return {
        "version": _LABELME_VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def geojson_document(outlined: Outlined) -> dict[str, Any]:
    """Return a GeoJSON FeatureCollection as QuPath reads and writes it, in pixels: an annotation for each object.

    An object of one part is a Polygon, of several a MultiPolygon. The first ring of a polygon is the outline, the
    others are holes; each repeats its first point.
    """
    features = []
    for item, parts in outlined.objects:
        polygons = [[_closed(ring) for ring in part.rings] for part in parts]
        one = len(polygons) == 1
        color = PALETTE[(item.class_id - 1) % len(PALETTE)].tolist()
        features.append(
            {
                "type": "Feature",
                "geometry": {
                    "type": "Polygon" if one else "MultiPolygon",
                    "coordinates": polygons[0] if one else polygons,
                },
                "properties": {
                    "objectType": "annotation",
                    "name": str(item.number),
                    "classification": {"name": item.class_name, "color": color},
                    "measurements": {"score": item.score, "objectness": item.objectness},
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _closed(ring: np.ndarray) -> list[list[float]]:
    points: list[list[float]] = np.concatenate([ring, ring[:1]]).tolist()
    return points
