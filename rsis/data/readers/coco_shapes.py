"""The segmentation of a COCO annotation: its forms.

A segmentation is a list of polygons [x, y, x, y, ...] in pixels, whose union is the object, or a run-length encoding
{"size": [H, W], "counts": ...}, column by column, whose counts are a list of numbers or COCO's compressed text. A
single polygon may stand alone, and a polygon may be a list of points [x, y]. Numbers may be text.

A part of fewer than three points encloses nothing and does not count. Otherwise one bad part makes the whole object one
that cannot be drawn: half of an object would be a wrong object.
"""

from typing import Any

from rsis.data.readers.outlines import BOX, Outline, PixelRuns, not_drawn


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
            return BOX
        return not_drawn("neither outline nor box")
    return not_drawn("neither polygons nor a run-length encoding")


def _runs_of(entry: dict[str, Any]) -> Outline:
    size, runs = entry.get("size"), entry.get("counts")
    size = [_whole(side) for side in size] if isinstance(size, list) and len(size) == 2 else []
    if len(size) != 2 or None in size:
        return not_drawn("a run-length encoding without a size [H, W]")
    if isinstance(runs, list):
        runs = [_whole(run) for run in runs]
    if not isinstance(runs, str) and (not runs or None in runs):
        return not_drawn("a run-length encoding whose counts are neither text nor whole numbers")
    return Outline(masks=[PixelRuns(size, runs)])


def _polygons_of(parts: list[Any]) -> Outline:
    if not isinstance(parts[0], list):
        parts = [parts]
    elif len(parts) > 2 and all(isinstance(part, list) and len(part) == 2 for part in parts):
        parts = [parts]  # the points of one polygon
    polygons = []
    for part in parts:
        numbers = _numbers(part)
        if numbers is None or (len(numbers) > 5 and len(numbers) % 2):
            return not_drawn("a polygon that is no list of x, y pairs")
        if len(numbers) > 5:
            polygons.append([numbers])
    return Outline(polygons=polygons) if polygons else not_drawn("a polygon of fewer than three points")


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
