"""The outlines of a mask as polygons, exact or with few points.

Points are (x, y) in the coordinates of COCO: (0, 0) is the top left corner of the picture, and the centre of its first
pixel is (0.5, 0.5). The exact outline runs along the borders of pixels: with pycocotools (`frPyObjects`), or any other
program that draws the pixels whose centres are inside, it gives the mask again, pixel for pixel.

    mask             outline of its one part              hole of this part
    1 1 1
    1 0 1            (0, 0) (3, 0) (3, 3) (0, 3)          (1, 1) (1, 2) (2, 2) (2, 1)
    1 1 1
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects, label

from rsis.tool.formats.simplify import cross, simplified

_MOST_FRACTION = 0.5  # of the area within a ring that may be lost or gained with fewer points
_LEAST_TOLERANCE = 0.1  # pixels: a smaller one leaves out nothing


@dataclass(frozen=True)
class Part:
    """A connected part of an object: pixels that have a side in common.

    No ring repeats its first point. No ring crosses itself or another; exact ones touch in single points at most.

    Attributes:
        outline: float64 [P, 2], the outer ring.
        holes: A ring for each hole.
    """

    outline: np.ndarray
    holes: tuple[np.ndarray, ...]

    @property
    def rings(self) -> tuple[np.ndarray, ...]:
        """The outline, and then the holes."""
        return self.outline, *self.holes


def outline_of(mask: np.ndarray, tolerance: float = 0.0) -> tuple[Part, ...]:
    """Return the parts of a mask, from top to bottom.

    Args:
        mask: bool [H, W].
        tolerance: Distance in pixels up to which points are left out; 0 gives the exact outline. A part is followed
            more closely where a ring would lose or gain half of its area, or cross itself or another.
    """
    numbers, _ = label(mask)
    parts = []
    for number, place in enumerate(find_objects(numbers), start=1):
        corner = (place[1].start, place[0].start)
        exact = [ring + corner for ring in _rings(numbers[place] == number)]
        outline, *holes = _followed(exact, tolerance, mask.shape)
        parts.append(Part(outline, tuple(holes)))
    return tuple(parts)


def joined(rings: Iterable[np.ndarray]) -> np.ndarray:
    """Return one polygon for rings: a seam, which is walked there and back, leads from ring to ring.

    The inside of the polygon is what is inside an odd number of rings, so holes stay holes and parts stay parts: what
    draws polygons by the even-odd rule, as pycocotools, Pillow and OpenCV do, draws the same pixels as before. Each
    seam is the shortest line between points of a ring and of the one before it.

    Args:
        rings: At least one, float64 [P, 2] each.

    Returns:
        float64 [P, 2].
    """
    polygon, *left = rings
    before = polygon
    for ring in left:
        start, entry = _nearest(before, ring)
        walk = np.concatenate([ring[entry:], ring[: entry + 1]])
        at = int(np.flatnonzero((polygon == start).all(axis=1))[0])
        polygon = np.concatenate([polygon[: at + 1], walk, polygon[at:]])
        before = ring
    return polygon


def area_of(ring: np.ndarray) -> float:
    """Return the area within a ring that does not cross itself."""
    x, y = (ring - ring[0]).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def _nearest(polygon: np.ndarray, ring: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the point of a polygon that is nearest to one of a ring, and the position of the latter."""
    best = (np.inf, polygon[0], 0)
    for entry, point in enumerate(ring):  # not all distances at once: of large outlines they fill the memory
        distances = ((polygon - point) ** 2).sum(axis=1)
        at = int(distances.argmin())
        if distances[at] < best[0]:
            best = (float(distances[at]), polygon[at], entry)
    return best[1:]


def _followed(rings: list[np.ndarray], tolerance: float, size: tuple[int, ...]) -> list[np.ndarray]:
    """Return the rings of a part with fewer points, in a picture of this size, where that gives the same shape."""
    while tolerance >= _LEAST_TOLERANCE:
        fewer = [np.clip(simplified(ring, tolerance), 0, size[::-1]) for ring in rings]
        areas = [(area_of(ring), area_of(less)) for ring, less in zip(rings, fewer, strict=True)]
        if all(abs(less - area) < _MOST_FRACTION * area for area, less in areas) and not cross(fewer):
            return fewer
        tolerance /= 2
    return rings


def _rings(part: np.ndarray) -> list[np.ndarray]:
    """Return the exact rings of a connected part, bool [H, W], the outer one first.

    Corners of a ring lie in pairs on each row and on each column: those of a pair are joined by a side. Where two
    pixels of the part meet at a corner only, two strands of rings pass; each goes round one of the two pixels that are
    not of the part, and so a ring passes no point twice.
    """
    padded = np.pad(part, 1)
    above_left, above_right = padded[:-1, :-1], padded[:-1, 1:]
    below_left, below_right = padded[1:, :-1], padded[1:, 1:]
    double = (above_left == below_right) & (above_right == below_left) & (above_left != above_right)
    y, x = np.nonzero(double | (above_left ^ above_right ^ below_left ^ below_right))
    times = np.where(double[y, x], 2, 1)
    second = np.arange(times.sum()) - np.repeat(times.cumsum() - times, times)  # 1 for the right one of two
    falling = np.repeat(double[y, x] & above_left[y, x], times)  # then the right one goes up, else down
    x, y = np.repeat(x, times), np.repeat(y, times)
    order = np.lexsort((second ^ falling, y, x)).reshape(-1, 2)
    vertical = np.empty(len(x), np.int64)
    vertical[order.ravel()] = order[:, ::-1].ravel()
    partner, points = vertical.tolist(), np.column_stack([x, y]).astype(np.float64)
    seen, rings = [False] * len(partner), []
    for first in range(len(partner)):
        walk, here = [], first
        while not seen[here]:
            there = here ^ 1  # the other of its pair on this row
            seen[here] = seen[there] = True
            walk += [here, there]
            here = partner[there]
        if walk:
            rings.append(points[walk])
    return rings  # the first corner, in the topmost row, is of the outer ring
