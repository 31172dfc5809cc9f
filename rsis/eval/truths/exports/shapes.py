"""The shapes that annotation tools know, and how an object of one or more of them is drawn.

Coordinates are pixels, x before y; (0, 0) is the picture's top left corner, so that the centre of the first pixel is at
(0.5, 0.5). Outlines become pixels as COCO's own code draws them. A shape that has no area, or whose numbers have no
sensible meaning, raises ValueError when it is drawn; it costs its object.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from rsis.masks import RLE, encode_rle, rle_runs

Size = tuple[int, int]
_FEWEST = 3  # points of an outline
_AROUND = 72  # points of an ellipse
_LONGEST = 1 << 24  # steps of a pixel around a polygon, for each of which COCO's code takes about 100 bytes


class Shape(ABC):
    """A part of an object."""

    @abstractmethod
    def draw(self, size: Size) -> dict[str, Any]:
        """Return the mask at `size` (H, W) as pycocotools encodes it; raise ValueError if there is none."""


@dataclass(frozen=True)
class Undrawn(Shape):
    """What has no area, such as a line; `is_box` tells a box around an object, which does not say its outline."""

    is_box: bool = False

    def draw(self, size: Size) -> dict[str, Any]:
        """Raise ValueError."""
        raise ValueError("has no area")


@dataclass(frozen=True)
class Outline(Shape):
    """A polygon.

    Attributes:
        points: float64 [P, 2].
        holes: The same of each polygon that is taken away from it.
    """

    points: np.ndarray
    holes: tuple[np.ndarray, ...] = ()

    def draw(self, size: Size) -> dict[str, Any]:
        """Return the pixels inside without those inside of a hole."""
        whole = _filled(self.points, size)
        if not self.holes:
            return whole
        inside = coco_mask.decode(whole)
        inside[coco_mask.decode(coco_mask.merge([_filled(hole, size) for hole in self.holes])) > 0] = 0
        return _encoded(inside)


@dataclass(frozen=True)
class EvenOdd(Shape):
    """Closed paths, each float64 [P, 2]; a pixel inside of an odd number of them belongs to the shape."""

    paths: tuple[np.ndarray, ...]

    def draw(self, size: Size) -> dict[str, Any]:
        """Return the pixels inside of an odd number of paths. A path of fewer than three points has none."""
        drawn = [_filled(path, size) for path in self.paths if len(path) >= _FEWEST]
        if not drawn:
            raise ValueError("has no path of three or more points")
        changes = np.zeros(size[0] * size[1] + 1, np.uint8)  # column by column; 1 where inside and outside change
        for encoded in drawn:
            runs = rle_runs(RLE(size=[size[0], size[1]], counts=encoded["counts"].decode("ascii")))
            np.bitwise_xor.at(changes, runs.cumsum(), 1)
        return _encoded(np.bitwise_xor.accumulate(changes[:-1]).reshape(size[1], size[0]).T)


@dataclass(frozen=True)
class Patch(Shape):
    """A mask of a part of the picture, perhaps beyond its edges, but not larger than the picture.

    Attributes:
        corner: Column and row of its first pixel.
        extent: (h, w) of the mask.
        runs: int64 [R], the numbers of pixels off, on, off, ... row by row.
    """

    corner: tuple[int, int]
    extent: Size
    runs: np.ndarray

    def draw(self, size: Size) -> dict[str, Any]:
        """Return the pixels that are in the picture."""
        (left, top), (height, width) = self.corner, self.extent
        _check_reach((left, top, left + width, top + height), size)
        if min(height, width) < 1 or height > size[0] or width > size[1]:
            raise ValueError("has a mask without pixels, or one larger than the picture")
        whole = height * width  # no run is longer, so that no sum can overflow
        if not len(self.runs) or self.runs.min() < 0 or self.runs.max() > whole or self.runs.sum() != whole:
            raise ValueError("has runs of another number of pixels than its mask")
        patch = np.repeat(np.arange(len(self.runs)) % 2 == 1, self.runs).reshape(height, width)
        canvas = np.zeros(size, bool)
        rows, columns = slice(max(top, 0), max(top + height, 0)), slice(max(left, 0), max(left + width, 0))
        target = canvas[rows, columns]
        first_row, first_column = max(-top, 0), max(-left, 0)
        target |= patch[first_row : first_row + target.shape[0], first_column : first_column + target.shape[1]]
        return _encoded(canvas)


def patch_of(pixels: np.ndarray, corner: tuple[int, int]) -> Patch:
    """Return the shape of a mask, bool [h, w], whose first pixel is at column and row `corner`."""
    flat = pixels.ravel()
    edges = np.flatnonzero(np.diff(flat, prepend=False)) if flat.size else np.zeros(0, np.int64)
    return Patch(corner, (pixels.shape[0], pixels.shape[1]), np.diff(edges, prepend=0, append=flat.size))


def outline_of(points: Any) -> Shape:
    """Return the polygon of a list of points, each a list that starts with x and y; no area if it is none."""
    try:
        return Outline(points_of(points))
    except ValueError:
        return Undrawn()


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Shape:
    """Return the polygon of a rectangle between two opposite corners."""
    (left, right), (top, bottom) = sorted((x0, x1)), sorted((y0, y1))
    return Outline(np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64))


def ellipse(cx: float, cy: float, rx: float, ry: float, angle: float = 0.0) -> Shape:
    """Return the polygon of 72 points of an ellipse around (cx, cy).

    Args:
        cx: Column of the centre.
        cy: Row of the centre.
        rx: Half of its width, before it is turned.
        ry: Half of its height.
        angle: By which it is turned, in radians, clockwise as seen on the screen.
    """
    if not all(map(math.isfinite, (cx, cy, rx, ry, angle))):
        return Undrawn()
    cosine, sine = math.cos(angle), math.sin(angle)
    points = []
    for k in range(_AROUND):
        x, y = rx * math.cos(2 * math.pi * k / _AROUND), ry * math.sin(2 * math.pi * k / _AROUND)
        points.append((cx + x * cosine - y * sine, cy + x * sine + y * cosine))
    return Outline(np.array(points))


def draw_object(shapes: Sequence[Shape], size: Size) -> RLE:
    """Return the union of an object's shapes at `size` (H, W); raise ValueError if one of them cannot be drawn."""
    encoded = coco_mask.merge([shape.draw(size) for shape in shapes])
    return RLE(size=[size[0], size[1]], counts=encoded["counts"].decode("ascii"))


def points_of(points: Any) -> np.ndarray:
    """Return float64 [P, 2] of a list of points; raise ValueError if it is none, or a number in it is none."""
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) >= 2 for point in points):
        raise ValueError("is no list of points")
    return np.array([(number(x), number(y)) for x, y, *_ in points], np.float64).reshape(-1, 2)


def number(value: Any) -> float:
    """Return a number, which may be text; raise ValueError for other values."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("is no number")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("is too large") from error


def whole_number(value: Any) -> int:
    """Return a whole number of less than 2^31, which may be text; raise ValueError for other values."""
    found = number(value)
    if not abs(found) < 2**31 or found % 1:
        raise ValueError("is no whole number")
    return int(found)


def _filled(points: np.ndarray, size: Size) -> dict[str, Any]:
    """Return the pixels inside of one polygon."""
    if len(points) < _FEWEST:
        raise ValueError("has fewer than three points")
    _check_reach(points, size)
    steps = np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1)
    if steps.sum() > _LONGEST:
        raise ValueError("has an outline that would take all memory")
    (encoded,) = coco_mask.frPyObjects([points.ravel().tolist()], *size)
    found: dict[str, Any] = encoded
    return found


def _check_reach(coordinates: Any, size: Size) -> None:
    """Raise ValueError for a coordinate that is NaN or far outside; COCO's code visits each pixel of an edge."""
    values, around = np.asarray(coordinates, np.float64), sum(size)
    if not ((values >= -around) & (values <= 2 * around)).all():
        raise ValueError("has a point far from the picture")


def _encoded(mask: np.ndarray) -> dict[str, Any]:
    rle = encode_rle(mask > 0)
    return {"size": rle["size"], "counts": rle["counts"].encode("ascii")}
