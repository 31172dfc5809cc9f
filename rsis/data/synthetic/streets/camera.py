"""The perspective of the generated streets: a camera, and layers that occlude each other.

Lengths are in metres. A point is (x, y, z): x to the right of the camera, y above the road, z ahead of the camera.
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
    """A pinhole camera that looks along the street.

    Attributes:
        focal: Focal length in pixels.
        centre: (x, y) of the vanishing point of the street, in pixels.
    """

    focal: float
    centre: tuple[float, float]

    def see(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        """Project points [n, 3] of the street; return their pixel coordinates (x, y), float [n, 2]."""
        x, y, z = np.array(points, float).T
        seen = np.empty((len(x), 2))
        seen[:, 0] = self.focal * x / z + self.centre[0]
        seen[:, 1] = self.focal * (CAMERA_HEIGHT - y) / z + self.centre[1]
        return seen

    def stand(self, figure: Figure, x: float, z: float, squeeze: float = 1.0) -> Figure:
        """Return the projection of a flat figure that stands at x, z; `squeeze` scales its width, negative mirrors."""
        (left, foot), scale = self.see([(x, 0.0, z)])[0].tolist(), self.focal / z
        return figure.placed((scale * squeeze, scale), (left, foot))


@dataclass(frozen=True)
class Layer:
    """An annotated region and its figures; it occludes the layers behind it.

    Attributes:
        label: Name of its label in Cityscapes; for groups "persongroup" etc.
        depth: Distance from the camera; the farthest layer is drawn first.
        outline: Corners (x, y) of its polygon in pixels, int64 [n, 2]; the corner pixels are part of the layer.
        figures: Its figures in the order of drawing.
    """

    label: str
    depth: float
    outline: np.ndarray
    figures: tuple[Figure, ...]

    @cached_property
    def area(self) -> float:
        """Approximate number of pixels of the polygon, without occlusion."""
        x, y = self.outline.T.astype(float)
        across, down = np.roll(x, -1), np.roll(y, -1)
        edges = np.hypot(across - x, down - y).sum()
        return float(abs((x * down - across * y).sum()) / 2 + edges / 2 + 1)


def layer(label: str, depth: float, figure: Figure) -> Layer:
    """Return a layer of one figure, whose outline is a single polygon."""
    return Layer(label, depth, np.floor(figure.outline[0]).astype(np.int64), (figure,))


def group(label: str, layers: Sequence[Layer]) -> Layer:
    """Return layers as one group, in which objects are not annotated separately; its polygon is their convex hull."""
    outline = hull(np.concatenate([part.outline for part in layers]).astype(float))
    figures = tuple(figure for part in layers for figure in part.figures)
    return Layer(f"{label}group", layers[0].depth, np.floor(outline).astype(np.int64), figures)


def hull(points: np.ndarray) -> np.ndarray:
    """Return the corners of the convex hull."""
    corners: np.ndarray = points[ConvexHull(points).vertices]
    return corners
