"""The regions of Label Studio: items of a `result`, with a type and a value.

    polygonlabels, polygon        points in percent of the picture's width and height
    brushlabels, brush            rle, see `rsis.data.readers.exports.labelstudio_brush`
    bitmasklabels, bitmask        imageDataURL, a PNG of the picture's size whose object is not transparent
    ellipselabels, ellipse        x, y, radiusX, radiusY in percent; rotation in degrees
    rectanglelabels, rectangle    a box
    keypointlabels and others     enclose nothing

The class is the first label of the value, or that of an item of type labels with the same id. Items that are answers
about the picture or a region, such as choices, are no regions.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from rsis.data.readers.exports.labelstudio_brush import brush_runs
from rsis.data.readers.exports.shapes import ellipse, polygon, ring_of, to_number
from rsis.data.readers.images import DAMAGE
from rsis.data.readers.json_values import read_length
from rsis.data.readers.outlines import BOX, Outline, PixelRuns, not_drawn
from rsis.files.embedded import decode_picture
from rsis.masks import encode_rle

_NOT_DRAWN = ("keypoint", "vector", "magicwand", "polyline", "cuboid")
_SHAPES = ("polygon", "brush", "bitmask", "ellipse", "rectangle", *_NOT_DRAWN)
_ANSWERS = {"choices", "text", "rating", "taxonomy", "number", "datetime"}
_SHAPES_BY_VALUE = (
    ("points", "polygon"), ("rle", "brush"), ("imageDataURL", "bitmask"), ("radiusX", "ellipse"),
    ("height", "rectangle"),
)  # fmt: skip


def region_of(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a region of JSON-MIN, in which type and value are not apart, as an item of a result."""
    kind = next((key for key in entry if _shape_of(key) and key.endswith("labels")), None)
    shape = next((shape for key, shape in _SHAPES_BY_VALUE if key in entry), "keypoint" if "x" in entry else None)
    return {**entry, "type": kind or shape, "value": entry}


def is_answer(entry: dict[str, Any]) -> bool:
    """Return whether an entry of JSON-MIN is an answer about a region, which repeats the region's values."""
    return not _ANSWERS.isdisjoint(entry)


def is_region(item: dict[str, Any]) -> bool:
    """Return whether an item is a shape in the picture."""
    return _shape_of(item.get("type")) is not None and isinstance(item.get("value"), dict)


def labels_by_id(items: Sequence[dict[str, Any]]) -> dict[Any, Any]:
    """Return the labels that stand in items of their own, by the id of their region."""
    found = {}
    for item in items:
        if (
            item.get("type") == "labels"
            and isinstance(item.get("id"), int | str)
            and isinstance(item.get("value"), dict)
        ):
            found[item["id"]] = item["value"].get("labels")
    return found


def label_of(item: dict[str, Any], labels: dict[Any, Any]) -> Any:
    """Return the class of a region as written; None if it has none."""
    own = item["value"].get(item["type"]) or item["value"].get("labels")
    if not own and isinstance(item.get("id"), int | str):
        own = labels.get(item["id"])
    if isinstance(own, list):
        return own[0] if own else None
    return own


def outline_of(item: dict[str, Any], where: str) -> Outline:
    """Return the outline of a region; raise UserError if the picture's size in it is no number."""
    height, width = (read_length(item, f"original_{key}", where) for key in ("height", "width"))
    value = item["value"]
    match _shape_of(item["type"]):
        case "polygon":
            return polygon([number / 100 for number in ring_of(value.get("points"))], fractions=True)
        case "brush":
            return _brush(value, (height, width))
        case "bitmask":
            return _bitmask(value, (height, width))
        case "ellipse":
            return _ellipse(value, (height, width))
        case "rectangle":
            return BOX
        case _:
            return not_drawn("a shape that encloses nothing")


def _shape_of(kind: Any) -> str | None:
    """Return the shape of a type such as polygonlabels; None if it is no shape."""
    if not isinstance(kind, str):
        return None
    shape = kind.lower().removesuffix("labels")
    return shape if shape in _SHAPES else None


def _ellipse(value: dict[str, Any], size: tuple[int, int]) -> Outline:
    if not all(size):
        return not_drawn("an ellipse in percent of a picture whose size is not given")
    x, y, across, down = (to_number(value.get(key)) / 100 for key in ("x", "y", "radiusX", "radiusY"))
    height, width = size
    return ellipse(x * width, y * height, across * width, down * height, to_number(value.get("rotation") or 0))


def _brush(value: dict[str, Any], size: tuple[int, int]) -> Outline:
    encoded = value.get("rle")
    if not isinstance(encoded, list) or value.get("format", "rle") != "rle" or not all(size):
        return not_drawn("a brush without run-length encoding, or without the picture's size")
    try:
        runs = brush_runs(encoded, size[0] * size[1])
    except (TypeError, ValueError) as error:
        return not_drawn(f"a brush whose encoding {error}")
    return Outline(masks=[PixelRuns(list(size), runs, by_row=True)])


def _bitmask(value: dict[str, Any], size: tuple[int, int]) -> Outline:
    """Return the pixels of a PNG that are not transparent; of one without transparency, those that are not black."""
    try:
        with Image.open(io.BytesIO(decode_picture(value.get("imageDataURL")))) as image:
            found = (image.height, image.width)  # of the header: a picture of another size is not unpacked
            if all(size) and found != size:
                return not_drawn(f"a bitmask of {list(found)}, and the picture is {list(size)}")
            if image.has_transparency_data:
                pixels = np.asarray(image.convert("RGBA").getchannel("A"))
            else:
                pixels = np.asarray(image.convert("RGB")).max(axis=2)
    except DAMAGE as error:
        return not_drawn(f"a bitmask that cannot be read ({' '.join(str(error).split())})")
    return Outline(masks=[PixelRuns(list(found), encode_rle(pixels > 0)["counts"])])
