"""The JSON of the VGG Image Annotator (VIA) 1 and 2: a saved project, or its exported regions.

    {"a.png52341": {"filename": "a.png", "size": 52341, "regions": [
      {"shape_attributes": {"name": "circle", "cx": 9, "cy": 7, "r": 3}, "region_attributes": {"kind": "cat"}}]}}

A project has this under _via_img_metadata. In VIA 1 the regions are an object {"0": {...}, "1": {...}}. Which attribute
of a region names its class, the data set's key `class_key` says; the attribute is text, or the chosen ones of a list of
boxes to tick, {"cat": true}.
"""

import math
from typing import Any

from rsis.data.readers.exports.shapes import ellipse, polygon, rectangle, to_number
from rsis.data.readers.exports.source import Gathered, Source
from rsis.data.readers.json_values import read_file_name, show
from rsis.data.readers.outline_reader import AnnotatedObject, AnnotatedPicture, AnnotationDocument
from rsis.data.readers.outlines import Outline, not_drawn
from rsis.data.readers.texts import read_json
from rsis.errors import UserError

_PROJECT = "_via_img_metadata"


def read_via(source: Source) -> AnnotationDocument:
    """Read the file; raise UserError if it is broken, and for faults of the data set."""
    gathered = Gathered(source)
    content = read_json(source.annotations, "VIA annotations")
    entries = content.get(_PROJECT, content) if isinstance(content, dict) else None
    if not isinstance(entries, dict):
        raise UserError(f"{source.annotations}: found no pictures of VIA; expected its project or exported regions")
    for key, entry in entries.items():
        where = f"{source.annotations}: {show(key)}"
        name = read_file_name(entry, where, "filename")
        regions = _regions(entry, where)
        image_id = gathered.find(name, where)
        if image_id is not None:
            objects = [
                AnnotatedObject(place, _class_id(source, region, f"{where}: {place}"), _outline(region))
                for place, region in ((f"regions[{number}]", region) for number, region in enumerate(regions))
            ]
            gathered.add(image_id, AnnotatedPicture(objects), where)
    return gathered.document()


def _regions(entry: dict[str, Any], where: str) -> list[dict[str, Any]]:
    regions = entry.get("regions") or []
    regions = list(regions.values()) if isinstance(regions, dict) else regions
    if not isinstance(regions, list) or not all(isinstance(region, dict) for region in regions):
        raise UserError(f"{where}: regions is no list of objects; export it again")
    return regions


def _class_id(source: Source, region: dict[str, Any], where: str) -> int:
    attributes = region.get("region_attributes")
    label = attributes.get(source.class_key) if isinstance(attributes, dict) and source.class_key else None
    if isinstance(label, dict):
        chosen = [name for name, ticked in label.items() if ticked is True]
        if len(chosen) > 1:
            raise UserError(f"{where}: {source.class_key} has {len(chosen)} classes; expected one; choose one of them")
        label = chosen[0] if chosen else None
    return source.classes.id_of(label, where)


def _outline(region: dict[str, Any]) -> Outline:
    shape = region.get("shape_attributes")
    if not isinstance(shape, dict):
        return not_drawn("a region without a shape")
    number = {key: to_number(value) for key, value in shape.items()}

    def numbers(*keys: str) -> list[float]:
        return [number.get(key, math.nan) for key in keys]

    match shape.get("name"):
        case "polygon":
            return _polygon(shape.get("all_points_x"), shape.get("all_points_y"))
        case "rect":
            x, y, width, height = numbers("x", "y", "width", "height")
            return rectangle(x, y, x + width, y + height)
        case "circle":
            x, y, radius = numbers("cx", "cy", "r")
            return ellipse(x, y, radius, radius)
        case "ellipse":
            x, y, radius_x, radius_y = numbers("cx", "cy", "rx", "ry")
            return ellipse(x, y, radius_x, radius_y, math.degrees(to_number(shape.get("theta") or 0)))
        case _:
            return not_drawn("a shape that encloses nothing")


def _polygon(columns: Any, rows: Any) -> Outline:
    if not isinstance(columns, list) or not isinstance(rows, list) or len(columns) != len(rows):
        return not_drawn("a polygon that is no list of x, y pairs")
    return polygon([to_number(value) for point in zip(columns, rows, strict=True) for value in point])
