"""The backgrounds of the generated scenes: a room and a meadow, without annotated objects."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from rsis.data.synthetic.drawing import Figure, Part, arc, blob, darker, gradient, paint, polygon, rectangle, rgb


@dataclass(frozen=True)
class Place:
    """The ground of a background, and the objects that may stand on it.

    Attributes:
        horizon: Row at which the ground starts, as a fraction of the image's height.
        classes: Height near the camera of each class that may occur, as a fraction of the image's height.
    """

    horizon: float
    classes: dict[str, float]


def room(rng: np.random.Generator, size: tuple[int, int], fine: int) -> tuple[Place, Image.Image]:
    """Return an empty room and its picture: a wall with a painting, a window or nothing, and a floor of boards."""
    height, width = size
    horizon = rng.uniform(0.45, 0.62)
    floor = height * horizon
    wall = rgb(rng.uniform(0, 1), rng.uniform(0.05, 0.3), rng.uniform(0.6, 0.9))
    canvas = gradient(size, (darker(wall, 1.05), wall, darker(wall, 0.85)))
    if rng.random() < 0.5:
        stripes = np.arange(0, width, max(width // 9, 4))
        parts = [Part(rectangle(x, 0, x + max(width / 40, 1), floor), darker(wall, 0.93)) for x in stripes.tolist()]
        whole = rectangle(0, 0, width, floor)
        paint(canvas, Figure((whole,), wall, tuple(parts), (0.0, 0.1), 0.01, height / 4), rng, fine)
    _hang(canvas, rng, size, floor, fine)
    wood = rgb(rng.uniform(0.05, 0.1), rng.uniform(0.25, 0.55), rng.uniform(0.35, 0.65))
    boards = []
    for i, x in enumerate(np.linspace(-1.5, 2.5, 21)):
        top, bottom = width * (0.5 + (x - 0.5) * 0.7), width * (0.5 + (x - 0.5) * 1.6)
        right_top, right_bottom = top + width * 0.14, bottom + width * 0.32
        corners = polygon([(top, floor), (right_top, floor), (right_bottom, height), (bottom, height)])
        boards.append(Part(corners, darker(wood, (1.0, 0.92, 1.06)[i % 3])))
    ground = rectangle(0, floor, width, height)
    paint(canvas, Figure((ground,), wood, tuple(boards), (0.05, 0.12), 0.015, height / 50), rng, fine)
    skirting = rectangle(0, floor - height * 0.025, width, floor)
    paint(canvas, Figure((skirting,), darker(wall, 1.12)), rng, fine)
    return Place(horizon, {"person": 0.85, "bottle": 0.5, "tvmonitor": 0.4, "pottedplant": 0.5}), canvas


def meadow(rng: np.random.Generator, size: tuple[int, int], fine: int) -> tuple[Place, Image.Image]:
    """Return an empty meadow and its picture: sky, clouds, hills, bushes on the horizon, grass or dry ground."""
    height, width = size
    horizon = rng.uniform(0.38, 0.55)
    floor = height * horizon
    blue = rgb(rng.uniform(0.54, 0.6), rng.uniform(0.3, 0.6), rng.uniform(0.75, 0.95))
    canvas = gradient(size, (blue, rgb(rng.uniform(0.08, 0.6), 0.1, 1.0), (255, 255, 255)))
    for _ in range(rng.integers(0, 4)):
        at = (rng.uniform(0, width), rng.uniform(0.02, 0.6) * floor)
        reach = rng.uniform(0.08, 0.18) * width
        cloud = blob(rng, at, (reach, reach * 0.35), 7, 0.3)
        paint(canvas, Figure((cloud,), (255, 255, 255), light=(0.0, -0.1)), rng, fine)
    for rise, tone in ((0.16, 0.75), (0.07, 0.6)):
        x = np.linspace(0, width, 40)
        waves = np.sin(x / width * rng.uniform(3, 9) + rng.uniform(0, 6)) + 1.2
        ridge = np.stack((x, floor - waves * rise * 0.45 * height), axis=1)
        corners = np.concatenate((ridge, [(width, floor + 2), (0, floor + 2)]))
        paint(canvas, Figure((corners,), rgb(0.36 + 0.1 * tone, 0.3, tone)), rng, fine)
    hue, saturation = ((0.24, 0.55), (0.27, 0.5), (0.11, 0.35))[rng.integers(3)]
    soil = rgb(hue + rng.normal(0, 0.01), saturation, rng.uniform(0.5, 0.7))
    for _ in range(rng.integers(1, 6)):
        reach = rng.uniform(0.03, 0.1) * width
        bush = blob(rng, (rng.uniform(0, width), floor), (reach, reach * rng.uniform(0.5, 0.9)), 7, 0.2)
        green = rgb(rng.uniform(0.25, 0.33), 0.55, rng.uniform(0.25, 0.42))
        paint(canvas, Figure((bush,), green, grain=0.12, grain_size=height / 40), rng, fine)
    ground = rectangle(0, floor, width, height)
    paint(canvas, Figure((ground,), soil, (), (0.05, 0.15), 0.05, height / 60), rng, fine)
    return Place(horizon, {"person": 0.75, "sheep": 0.42, "car": 0.42}), canvas


def _hang(canvas: Image.Image, rng: np.random.Generator, size: tuple[int, int], floor: float, fine: int) -> None:
    """Paint a painting, a window or nothing onto the wall."""
    height, width = size
    if rng.random() < 0.3:
        return
    left, wide = rng.uniform(0.05, 0.65) * width, rng.uniform(0.18, 0.3) * width
    top, bottom = rng.uniform(0.05, 0.12) * height, floor - rng.uniform(0.12, 0.2) * height
    frame, edge = rectangle(left, top, left + wide, bottom), 0.03 * height
    inner = rectangle(left + edge, top + edge, left + wide - edge, bottom - edge)
    if rng.random() < 0.5:
        colour, middle = rgb(0.1, 0.6, rng.uniform(0.3, 0.6)), (left + wide / 2, (top + bottom) / 2)
        spot = Part(arc(middle, (wide / 5, (bottom - top) / 5)), rgb(rng.uniform(0, 1), 0.4, 0.7))
        parts = (Part(inner, (225, 220, 205)), spot)
    else:
        colour, bar = (235, 235, 232), left + wide / 2
        cross = rectangle(bar - edge / 3, top, bar + edge / 3, bottom)
        parts = (Part(inner, (205, 228, 250)), Part(cross, colour))
    paint(canvas, Figure((frame,), colour, parts), rng, fine)
