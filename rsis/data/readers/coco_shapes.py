"""The segmentation of a COCO annotation: its forms, and how it becomes a mask.

A segmentation is a list of polygons [x, y, x, y, ...] in pixels, whose union is the object, or a run-length encoding
{"size": [H, W], "counts": ...}, column by column, whose counts are a list of numbers or COCO's compressed text. A
single polygon may stand alone, and a polygon may be a list of points [x, y]. Numbers may be text.

A part of fewer than three points encloses nothing and does not count. Otherwise one bad part makes the whole object one
that cannot be drawn: half of an object would be a wrong object.
"""

from dataclasses import dataclass
from typing import Any

from pycocotools import mask as coco_mask

from rsis.masks import RLE, rle_runs
from rsis.structures import DropReason


@dataclass(frozen=True)
class Outline:
    """A segmentation whose form is checked; whether it fits its image, `draw` says.

    Attributes:
        polygons: Lists of x, y, x, y, ..., each of three points or more.
        size: [H, W] of the runs.
        runs: A run-length encoding instead of polygons: COCO's text or a list of numbers.
        reason: Why there is nothing to draw; None if there is.
        fault: What was found instead of an outline.
    """

    polygons: list[list[float]] | None = None
    size: list[int] | None = None
    runs: str | list[int] | None = None
    reason: DropReason | None = None
    fault: str = ""


class CannotDrawError(ValueError):
    """An outline does not fit its image; the message says what it is instead."""


def outline_of(segmentation: Any, box: Any) -> Outline:
    """Return the outline of an annotation.

    Args:
        segmentation: Value of the key, or None.
        box: Value of the key bbox, or None.
    """
    if isinstance(segmentation, dict) and segmentation:
        return _runs_of(segmentation)
    if isinstance(segmentation, list) and any(part != [] for part in segmentation):
        return _polygons_of(segmentation)
    if segmentation in (None, "") or isinstance(segmentation, list | dict):
        if isinstance(box, list) and len(box) == 4:
            return Outline(reason="box without outline", fault="a box without outline")
        return Outline(reason="cannot be drawn", fault="neither outline nor box")
    return _bad("neither polygons nor a run-length encoding")


def draw(outline: Outline, size: tuple[int, int]) -> Any:
    """Return the mask as pycocotools' compressed run-length encoding.

    Args:
        outline: One without a `reason`.
        size: (H, W) of the image.

    Raises:
        CannotDrawError: A point is far outside of the image, or a run-length encoding is of another size or broken.
    """
    if outline.polygons is not None:
        reach = sum(size)  # to draw distant points takes all memory
        if not all(-reach <= number <= 2 * reach for part in outline.polygons for number in part):
            raise CannotDrawError("a polygon with a point far outside of the image")
        return coco_mask.merge(coco_mask.frPyObjects(outline.polygons, *size))
    if outline.size != list(size):
        raise CannotDrawError(f"a mask of {outline.size}, and the image is {list(size)}")
    runs = outline.runs
    if isinstance(runs, str):
        try:
            runs = rle_runs(RLE(size=list(size), counts=runs)).tolist()
        except ValueError as error:
            raise CannotDrawError(f"a mask that {error}") from error
    if runs is None or sum(runs) != size[0] * size[1]:
        raise CannotDrawError(f"a mask with runs of {sum(runs or ())} pixels for {size[0] * size[1]}")
    return coco_mask.frPyObjects({"size": list(size), "counts": runs}, *size)


def _runs_of(entry: dict[str, Any]) -> Outline:
    size, runs = entry.get("size"), entry.get("counts")
    size = [_whole(side) for side in size] if isinstance(size, list) and len(size) == 2 else []
    if len(size) != 2 or None in size:
        return _bad("a run-length encoding without a size [H, W]")
    if isinstance(runs, list):
        runs = [_whole(run) for run in runs]
    if not isinstance(runs, str) and (not runs or None in runs):
        return _bad("a run-length encoding whose counts are neither text nor whole numbers")
    return Outline(size=size, runs=runs)


def _polygons_of(parts: list[Any]) -> Outline:
    if not isinstance(parts[0], list):
        parts = [parts]
    elif len(parts) > 2 and all(isinstance(part, list) and len(part) == 2 for part in parts):
        parts = [parts]  # the points of one polygon
    polygons = []
    for part in parts:
        numbers = _numbers(part)
        if numbers is None or (len(numbers) > 5 and len(numbers) % 2):
            return _bad("a polygon that is no list of x, y pairs")
        if len(numbers) > 5:
            polygons.append(numbers)
    return Outline(polygons=polygons) if polygons else _bad("a polygon of fewer than three points")


def _numbers(part: Any) -> list[float] | None:
    """Return the numbers of a polygon as x, y, x, y, ...; None if it is something else."""
    if not isinstance(part, list):
        return None
    if part and all(isinstance(point, list) and len(point) == 2 for point in part):
        part = [number for point in part for number in point]
    if set(map(type, part)) <= {int, float}:  # quickly, since a file has millions of numbers
        return list(part)
    numbers = [_number(item) for item in part]
    return None if None in numbers else numbers  # type: ignore[return-value]


def _number(value: Any) -> float | None:
    if type(value) in (int, float):
        return value  # type: ignore[no-any-return]
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _whole(value: Any) -> int | None:
    """Return a number of pixels; None if it is none."""
    number = _number(value)
    if number is None or not 0 <= number < 2**31 or number != int(number):
        return None
    return int(number)


def _bad(fault: str) -> Outline:
    return Outline(reason="cannot be drawn", fault=fault)
