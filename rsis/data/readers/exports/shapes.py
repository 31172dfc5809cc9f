"""Shapes of annotation tools as outlines."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from rsis.data.readers.outline_reader import AnnotatedObject
from rsis.data.readers.outlines import Outline, Ring, not_drawn

_CORNERS = 72  # of a circle or an ellipse


def to_number(value: Any) -> float:
    """Return a number, which may be text; NaN for everything else, so that the shape cannot be drawn."""
    try:
        return float(value) if type(value) in (int, float, str) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def to_whole(value: Any) -> int | None:
    """Return a whole number of pixels, which may be text or below 0; None for everything else."""
    number = to_number(value)
    return int(number) if abs(number) < 2**31 and number == int(number) else None


def ring_of(points: Any) -> Ring:
    """Return points [[x, y], ...] as x, y, x, y, ...; empty if they are no such list."""
    if not isinstance(points, list | tuple) or not all(isinstance(p, list | tuple) and len(p) >= 2 for p in points):
        return []
    return [to_number(number) for point in points for number in point[:2]]


def polygon(ring: Ring, holes: Iterable[Ring] = (), *, fractions: bool = False) -> Outline:
    """Return the outline of a polygon with holes."""
    rings = [ring, *holes]
    if min(map(len, rings)) < 6:
        return not_drawn("a polygon of fewer than three points")
    return Outline(polygons=[rings], fractions=fractions)


def rectangle(x1: float, y1: float, x2: float, y2: float) -> Outline:
    """Return the outline of a rectangle from two opposite corners."""
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return not_drawn("a rectangle with a value that is no number")
    left, right, top, bottom = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
    return polygon([left, top, right, top, right, bottom, left, bottom])


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0.0) -> Outline:
    """Return the outline of an ellipse as a polygon of 72 corners.

    Args:
        x: Column of its centre.
        y: Row of its centre.
        radius_x: Half its width before it is turned.
        radius_y: Half its height before it is turned.
        degrees: By which it is turned clockwise.
    """
    if not all(map(math.isfinite, (x, y, radius_x, radius_y, degrees))):
        return not_drawn("an ellipse with a value that is no number")
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ring = []
    for k in range(_CORNERS):
        right = radius_x * math.cos(2 * math.pi * k / _CORNERS)
        down = radius_y * math.sin(2 * math.pi * k / _CORNERS)
        ring += [x + right * cos - down * sin, y + right * sin + down * cos]
    return polygon(ring)


def join_groups(items: Sequence[tuple[Any, AnnotatedObject]]) -> list[AnnotatedObject]:
    """Return objects, of which those of one class and group are one, in the place of the first of them.

    If one of them has nothing to draw, the whole has not: half of an object would be a wrong object.

    Args:
        items: The group of each object, and the object; None for an object alone.
    """
    groups: dict[Any, list[AnnotatedObject]] = {}
    for number, (group, item) in enumerate(items):
        key = (None, number) if group is None else (group, item.class_id)
        groups.setdefault(key, []).append(item)
    return [_joined(members) for members in groups.values()]


def _joined(members: list[AnnotatedObject]) -> AnnotatedObject:
    first = members[0]
    outlines = [item.outline for item in members]
    bad = next((outline for outline in outlines if outline.reason is not None), None)
    whole = bad or Outline(
        [rings for outline in outlines for rings in outline.polygons],
        [mask for outline in outlines for mask in outline.masks],
    )
    return AnnotatedObject(first.where, first.class_id, first.outline if len(members) == 1 else whole)
