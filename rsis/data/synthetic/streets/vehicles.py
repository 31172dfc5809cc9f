"""Vehicles of the generated streets: boxes along the street, of which the camera sees the nearer end and a side.

Lengths and coordinates are those of `rsis.data.synthetic.streets.camera`. Vehicles left of the camera drive towards it.
The outline is the convex hull of the visible faces; the area that no face covers is the dark ground under the vehicle.
"""

import math
from collections.abc import Sequence

import numpy as np

from rsis.data.synthetic.drawing import Colour, Figure, Part, darker, rgb
from rsis.data.synthetic.scenes.objects import DARK
from rsis.data.synthetic.streets.camera import Camera, Layer, Point, hull, layer

PANE: Colour = (52, 64, 80)
Face = tuple[Sequence[Point], Colour]


def car(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a car."""
    paint = rgb(rng.choice((0.0, 0.6, 0.12, 0.33)), rng.choice((0.06, 0.1, 0.8)), rng.uniform(0.3, 0.95))
    half, top, long = 0.9, rng.uniform(1.42, 1.62), rng.uniform(3.8, 4.5)
    lights = (255, 245, 205) if x < 0 else (205, 28, 28)
    faces = _sides(x, half, (0.28, 0.88), (z, z + long), paint)
    nose, tail = (z + 1.1, z + long - 0.5) if x < 0 else (z + 0.35, z + long - 1.1)
    shoulder, roof = half * 0.97, half * 0.76
    for side in (-1, 1):
        corners = [(x + side * shoulder, 0.88, nose), (x + side * roof, top, nose + 0.5)]
        corners += [(x + side * roof, top, tail - 0.5), (x + side * shoulder, 0.88, tail)]
        faces.append((corners, darker(PANE, 0.85)))
    for edge, colour in ((0.0, paint), (0.09, PANE)):
        low, high, wide = 0.88 + edge / 2, top - edge, edge
        pane = [(x - shoulder + wide, low, nose), (x + shoulder - wide, low, nose)]
        faces.append(([*pane, (x + roof - wide, high, nose + 0.5), (x - roof + wide, high, nose + 0.5)], colour))
    front = _face(x - half, 0.28, x + half, 0.88, z)
    faces += [(front, paint), (_face(x - half, 0.28, x + half, 0.45, z), darker(paint, 0.55))]
    faces.append((_face(x - 0.27, 0.5, x + 0.27, 0.61, z), (235, 235, 225)))
    faces += [(_face(x + s * 0.7 - 0.17, 0.62, x + s * 0.7 + 0.17, 0.78, z), lights) for s in (-1, 1)]
    return [_solid("car", camera, z, faces)]


def bus(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a yellow or red bus with a band of windows."""
    paint = rgb(rng.choice((0.13, 0.0)), 0.85, rng.uniform(0.7, 0.95))
    return [_coach("bus", camera, (x, z), (1.25, 3.0, rng.uniform(8, 11)), paint, (1.35, 2.5))]


def train(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a green tram (label "train")."""
    paint = rgb(0.4, 0.55, rng.uniform(0.5, 0.75))
    return [_coach("train", camera, (x, z), (1.25, 3.5, rng.uniform(18, 25)), paint, (1.6, 2.7))]


def caravan(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a caravan, a class that the benchmark does not evaluate."""
    return [_coach("caravan", camera, (x, z), (1.1, 2.5, 5.5), rgb(0.1, 0.06, 0.95), (1.3, 1.9))]


def truck(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a truck with a large pale box and a coloured stripe."""
    paint, box = rgb(rng.choice((0.58, 0.02, 0.35)), 0.7, 0.6), rgb(0.6, 0.03, rng.uniform(0.75, 0.95))
    half, top, long = 1.2, rng.uniform(3.1, 3.6), rng.uniform(6.5, 9)
    faces = _sides(x, half, (0.9, top), (z, z + long), box)
    faces += [(_face(x - half, 0.9, x + half, top, z), box), (_face(x - half, 1.5, x + half, 2.0, z), paint)]
    faces += [
        (_face(x - 0.02, 0.95, x + 0.02, top, z), darker(box, 0.6)),
        (_face(x - half, 0.5, x + half, 0.9, z), DARK),
    ]
    faces += [(_face(x + s * 0.95 - 0.15, 0.6, x + s * 0.95 + 0.15, 0.8, z), (215, 40, 30)) for s in (-1, 1)]
    return [_solid("truck", camera, z, faces)]


def _coach(
    label: str,
    camera: Camera,
    at: tuple[float, float],
    shape: tuple[float, float, float],
    paint: Colour,
    panes: tuple[float, float],
) -> Layer:
    """Place a long box with windows.

    Args:
        label: Its label in Cityscapes.
        camera: The camera.
        at: (x, z) of the middle of its nearer end.
        shape: Half its width, its height and its length.
        paint: Its colour.
        panes: Lower and upper height of the windows.
    """
    (x, z), (half, top, long), (low, high) = at, shape, panes
    faces = _sides(x, half, (0.3, top), (z, z + long), paint)
    count = max(round(long / 1.8), 2)
    for side in (-1, 1):
        for i in range(count):
            start, stop = z + (i + 0.15) * long / count, z + (i + 0.9) * long / count
            edge = x + side * half
            faces.append(([(edge, low, start), (edge, high, start), (edge, high, stop), (edge, low, stop)], PANE))
    faces += [
        (_face(x - half, 0.3, x + half, top, z), paint),
        (_face(x - half + 0.12, low, x + half - 0.12, high, z), PANE),
    ]
    faces.append((_face(x - half, 0.3, x + half, 0.5, z), darker(paint, 0.5)))
    lights = (255, 245, 205) if x < 0 else (205, 28, 28)
    faces += [(_face(x + s * 0.95 - 0.16, 0.6, x + s * 0.95 + 0.16, 0.8, z), lights) for s in (-1, 1)]
    return _solid(label, camera, z, faces)


def _sides(x: float, half: float, heights: tuple[float, float], ends: tuple[float, float], paint: Colour) -> list[Face]:
    """Return the wheels, both sides and the top of a box; its nearer end is drawn later, over the hidden side."""
    (low, high), (near, far) = heights, ends
    faces: list[Face] = []
    for edge in (x - half, x + half):
        faces.append(([(edge, low, near), (edge, high, near), (edge, high, far), (edge, low, far)], darker(paint, 0.8)))
        for axle in (near + 0.8, far - 0.8):
            turns = (i * math.pi / 5 for i in range(10))
            tyre = [(edge, 0.36 + 0.36 * math.sin(turn), axle + 0.36 * math.cos(turn)) for turn in turns]
            faces.append((tyre, DARK))
    for side in (-1, 1):
        faces.append((_face(x + side * (half - 0.14) - 0.13, 0.0, x + side * (half - 0.14) + 0.13, low, near), DARK))
    roof = [(x - half, high, near), (x + half, high, near), (x + half, high, far), (x - half, high, far)]
    return [*faces, (roof, darker(paint, 1.08))]


def _face(left: float, low: float, right: float, high: float, z: float) -> list[Point]:
    return [(left, low, z), (right, low, z), (right, high, z), (left, high, z)]


def _solid(label: str, camera: Camera, depth: float, faces: Sequence[Face]) -> Layer:
    parts = tuple(Part(camera.see(points), colour) for points, colour in faces)
    outline = hull(np.concatenate([part.points for part in parts]))
    return layer(label, depth, Figure((outline,), (30, 30, 32), parts, light=(0.05, -0.15)))
