"""Conversion of a `segmentation` of COCO's instance JSON to a mask.

A segmentation is polygons [x0, y0, x1, y1, ...] or [[x0, y0], [x1, y1], ...] in pixels, a list of them or one alone,
or a run-length encoding whose counts are a list of runs or COCO's compressed text.
"""

from itertools import chain
from typing import Any

from pycocotools import mask as coco_mask

from rsis.masks import RLE, rle_runs

_FEWEST = 6  # numbers of a polygon: three points


def is_box_alone(segmentation: Any, box: Any) -> bool:
    """Return whether an annotation has a box [x, y, width, height] and nothing else."""
    return is_nothing(segmentation) and isinstance(box, list) and len(box) == 4


def is_nothing(segmentation: Any) -> bool:
    """Return whether a segmentation is missing or empty."""
    if isinstance(segmentation, list):
        return all(isinstance(part, list) and not part for part in segmentation)
    return segmentation is None or segmentation in ("", {})


def normalise(segmentation: Any) -> tuple[Any, ...]:
    """Return a segmentation in a form that is equal for equal outlines, however they are written.

    Raises:
        ValueError: It is neither polygons nor a run-length encoding.
    """
    if is_nothing(segmentation):
        raise ValueError("has no outline")
    if isinstance(segmentation, dict):
        size, counts = segmentation.get("size"), segmentation.get("counts")
        if not isinstance(size, list) or len(size) != 2:
            raise ValueError("has a mask without a size")
        if isinstance(counts, list) and counts:
            counts = [_pixels(run) for run in counts]
        elif not isinstance(counts, str):
            raise ValueError("has a mask without counts")
        return "runs", [_pixels(side) for side in size], counts
    if not isinstance(segmentation, list):
        raise ValueError("has a segmentation that is neither polygons nor a run-length encoding")
    parts = segmentation if isinstance(segmentation[0], list) else [segmentation]
    if len(parts) >= 3 and all(map(_is_pair, parts)):
        parts = [parts]
    polygons = [polygon for polygon in map(_polygon, parts) if len(polygon) >= _FEWEST]
    if not polygons:
        raise ValueError("has no polygon of three or more points")
    return "polygons", polygons


def rasterise(segmentation: Any, size: tuple[int, int]) -> RLE:
    """Return a segmentation as one compressed mask, the union of its parts.

    Args:
        segmentation: Value of the key `segmentation`.
        size: (H, W) of the image.

    Raises:
        ValueError: The segmentation is malformed or does not fit the image. The message starts with "has", to follow
            the name of the annotation.
    """
    height, width = size
    form, *content = normalise(segmentation)
    if form == "polygons":
        (polygons,) = content
        low, high = -(height + width), 2 * (height + width)  # pycocotools visits each pixel of an edge
        if any(not low <= number <= high for number in chain.from_iterable(polygons)):
            raise ValueError("has a polygon with a point far from the image")
        encoded = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
        return RLE(size=[height, width], counts=encoded["counts"].decode("ascii"))
    measured, counts = content
    if measured != [height, width]:
        raise ValueError(f"has a mask of size {measured}; its image is {[height, width]}")
    if isinstance(counts, list):
        if sum(counts) != height * width:
            raise ValueError(f"has a mask that has runs of {sum(counts)} pixels for a mask of {height * width}")
        encoded = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
        counts = encoded["counts"].decode("ascii")
    rle = RLE(size=[height, width], counts=counts)
    try:
        rle_runs(rle)
    except ValueError as error:
        raise ValueError(f"has a mask that {error}") from error
    return rle


def _polygon(part: Any) -> list[float]:
    """Return a polygon as x0, y0, x1, y1, ..."""
    if not isinstance(part, list):
        raise ValueError("has a polygon that is no list")
    flat = list(chain.from_iterable(part)) if all(map(_is_pair, part)) else part
    numbers = flat if {*map(type, flat)} <= {float, int} else [_coordinate(value) for value in flat]
    if len(numbers) >= _FEWEST and len(numbers) % 2:
        raise ValueError("has a polygon with an x without y")
    return numbers


def _is_pair(point: Any) -> bool:
    return isinstance(point, list) and len(point) == 2


def _coordinate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("has a polygon with a coordinate that is no number")
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError("has a polygon with a coordinate that is no number") from error


def _pixels(value: Any) -> int:
    number = _coordinate(value)
    if not (0 <= number < 2**31 and number % 1 == 0):
        raise ValueError("has a mask with a number of pixels that is none")
    return int(number)
