"""A ring of pixel borders as a polygon of few points, which a person can move."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, identity
from scipy.sparse.linalg import spsolve

_STIFFNESS = 0.05  # keeps a point where the ring does not say where along it the point lies
_DECIMALS = 2  # of a pixel


def simplified(ring: np.ndarray, tolerance: float) -> np.ndarray:
    """Return a polygon that follows a ring.

    It goes through the middles of the pixels' sides, which turns stairs into slopes. Points are left out as long as the
    line between those that stay is nowhere farther from the middles than the tolerance (Ramer, Douglas and Peucker).
    Lines between points of a curve lie inside it, so the points that stayed are then moved to where the lines are as
    near as possible to all the middles, by least squares.

    Args:
        ring: float64 [P, 2], whole numbers: each side is horizontal or vertical.
        tolerance: In pixels, above 0.

    Returns:
        float64 [Q, 2]; fewer than three points where the ring is narrower than the tolerance.
    """
    middles = _middles(ring)
    stay = _staying(middles, tolerance)
    points = middles[stay]
    return np.round(_fitted(middles, stay), _DECIMALS) if len(points) >= 3 else points


def cross(rings: Sequence[np.ndarray]) -> bool:
    """Whether a side of the rings crosses another one; touching does not count."""
    begin = np.concatenate(rings)
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    order = np.minimum(begin[:, 0], end[:, 0]).argsort(kind="stable")
    begin, end = begin[order], end[order]
    # only sides that follow in this order, and begin before this one ends, can cross it
    last = np.searchsorted(np.minimum(begin[:, 0], end[:, 0]), np.maximum(begin[:, 0], end[:, 0]), side="right")
    for number, until in enumerate(last.tolist()):
        a, b, c, d = begin[number], end[number], begin[number + 1 : until], end[number + 1 : until]
        if (((_side(a, b, c) * _side(a, b, d)) < 0) & ((_side(c, d, a) * _side(c, d, b)) < 0)).any():
            return True
    return False


def _side(a: np.ndarray, b: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return on which side of the line from a to b a point lies: -1, 1, or 0 on it; all [2] or [N, 2]."""
    (ax, ay), (bx, by), (x, y) = a.T, b.T, point.T
    side: np.ndarray = np.sign((bx - ax) * (y - ay) - (by - ay) * (x - ax))
    return side


def _middles(ring: np.ndarray) -> np.ndarray:
    """Return the middle of each pixel's side, float64 [M, 2], beginning with one that is far from the centre."""
    steps = np.roll(ring, -1, axis=0) - ring
    lengths = np.abs(steps).sum(axis=1).astype(np.int64)
    along = np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths) + 0.5
    middles = np.repeat(ring, lengths, axis=0) + np.repeat(np.sign(steps), lengths, axis=0) * along[:, None]
    first = _farthest(middles, middles.mean(axis=0))
    rolled: np.ndarray = np.roll(middles, -first, axis=0)
    return rolled


def _farthest(points: np.ndarray, point: np.ndarray) -> int:
    return int(((points - point) ** 2).sum(axis=1).argmax())


def _staying(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the positions of the points that stay, int64 [Q], rising; 0 is the first."""
    closed = np.concatenate([points, points[:1]])
    opposite = _farthest(points, points[0])
    stay = {0, opposite}
    ahead = [(0, opposite), (opposite, len(points))]
    while ahead:
        begin, end = ahead.pop()
        if end - begin < 2:
            continue
        between, line = closed[begin + 1 : end] - closed[begin], closed[end] - closed[begin]
        length = np.hypot(*line)
        distances = np.abs(line[0] * between[:, 1] - line[1] * between[:, 0]) / length
        farthest = int(distances.argmax())
        if distances[farthest] > tolerance:
            at = begin + 1 + farthest
            stay.add(at)
            ahead += [(begin, at), (at, end)]
    return np.array(sorted(stay), np.int64)


def _fitted(points: np.ndarray, stay: np.ndarray) -> np.ndarray:
    """Return the points that stay, moved so that the squared distances of all points to the lines are least.

    With u the movements, a point p at the fraction t of a line with the normal n is at the distance
    n . (p - a - t (b - a)) - n . ((1 - t) u_a + t u_b).
    """
    number = len(stay)
    kept = points[stay]
    line = np.searchsorted(stay, np.arange(len(points)), side="right") - 1  # [M]
    following = (line + 1) % number
    begin, direction = kept[line], kept[following] - kept[line]
    length = np.hypot(*direction.T)
    offset = points - begin
    t = np.clip((offset * direction).sum(axis=1) / length**2, 0, 1)
    normal = np.column_stack([-direction[:, 1], direction[:, 0]]) / length[:, None]
    distance = ((offset - t[:, None] * direction) * normal).sum(axis=1)
    weights = np.concatenate([(1 - t)[:, None] * normal, t[:, None] * normal], axis=1)  # [M, 4]
    columns = np.column_stack([2 * line, 2 * line + 1, 2 * following, 2 * following + 1])
    rows = np.repeat(np.arange(len(points)), 4)
    matrix = csr_matrix((weights.ravel(), (rows, columns.ravel())), shape=(len(points), 2 * number))
    normal_matrix = (matrix.T @ matrix + _STIFFNESS * identity(2 * number)).tocsc()
    moved: np.ndarray = kept + spsolve(normal_matrix, matrix.T @ distance).reshape(-1, 2)
    return moved
