"""The perspective of the generated streets: a camera, and the layers that hide each other before it.

Lengths are metres. A point of the street is (x, y, z): x to the right of the camera, y up from the road, z ahead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import ConvexHull

from rsis.data.synthetic.drawing import Figure

CAMERA_HEIGHT = 1.4
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Camera:
    """Where the camera looks.

    Attributes:
        focal: Pixels that 1 m at a distance of 1 m takes.
        centre: (x, y) of the vanishing point of the street, in pixels.
    """

    focal: float
    centre: tuple[float, float]

    def see(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        """Return the pixels, float [n, 2], where points [n, 3] of the street appear."""
        x, y, z = np.array(points, float).T
        seen = np.empty((len(x), 2))
        seen[:, 0] = self.focal * x / z + self.centre[0]
        seen[:, 1] = self.focal * (CAMERA_HEIGHT - y) / z + self.centre[1]
        return seen

    def stand(self, figure: Figure, x: float, z: float, squeeze: float = 1.0) -> Figure:
        """Return a flat figure standing on the street, its width times `squeeze`; negative mirrors it."""
        (left, foot), scale = self.see([(x, 0.0, z)])[0].tolist(), self.focal / z
        return figure.placed((scale * squeeze, scale), (left, foot))


@dataclass(frozen=True)
class Layer:
    """Something that hides what lies behind it.

    Attributes:
        label: Name of its class in Cityscapes; "persongroup" and the like for groups.
        depth: Its distance; the farthest layer is drawn first.
        outline: Corners of its polygon, int64 [n, 2]: pixels, all of them its own.
        figures: What it looks like, drawn in this order.
    """

    label: str
    depth: float
    outline: np.ndarray
    figures: tuple[Figure, ...]

    @cached_property
    def area(self) -> float:
        """About how many pixels it would take if nothing cut it off."""
        x, y = self.outline.T.astype(float)
        across, down = np.roll(x, -1), np.roll(y, -1)
        edges = np.hypot(across - x, down - y).sum()
        return float(abs((x * down - across * y).sum()) / 2 + edges / 2 + 1)


def layer(label: str, depth: float, figure: Figure) -> Layer:
    """Return one figure of one polygon as a layer."""
    return Layer(label, depth, np.floor(figure.outline[0]).astype(np.int64), (figure,))


def group(label: str, layers: Sequence[Layer]) -> Layer:
    """Return layers as one group, whose polygon is the hull of theirs: nobody has told them apart."""
    outline = hull(np.concatenate([part.outline for part in layers]).astype(float))
    figures = tuple(figure for part in layers for figure in part.figures)
    return Layer(f"{label}group", layers[0].depth, np.floor(outline).astype(np.int64), figures)


def hull(points: np.ndarray) -> np.ndarray:
    """Return the corners of the convex hull."""
    corners: np.ndarray = points[ConvexHull(points).vertices]
    return corners
