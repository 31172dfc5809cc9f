"""Figures of the objects in the generated scenes: six of the twenty classes of Pascal VOC.

A figure stands on the origin and has height 1: y is -1 at its top and 0 on the ground. Each class has a different shape
and a different range of colours, so that a small network can distinguish them.
"""

import math
from collections.abc import Callable

import numpy as np

from rsis.data.synthetic.drawing import Colour, Figure, Part, arc, bar, blob, darker, polygon, rectangle, rgb, symmetric

DARK: Colour = (34, 34, 38)
GLASS: Colour = (70, 92, 112)


def person(rng: np.random.Generator) -> Figure:
    """Draw a standing or walking person, seen from the front."""
    reach, stride = rng.uniform(0.0, 0.09), rng.uniform(0.0, 0.06)
    skin = rgb(rng.uniform(0.04, 0.08), rng.uniform(0.3, 0.6), rng.uniform(0.45, 0.95))
    shirt = rgb(rng.uniform(0, 1), rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.9))
    trousers = rgb(rng.choice((0.6, 0.62, 0.08)), rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.45))
    hair = rgb(0.08, rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.5))
    hand, foot = 0.125 + reach, 0.05 + stride
    right = [(0.03, -0.86), (0.1, -0.83), (0.125, -0.8), (hand + 0.025, -0.47), (hand - 0.03, -0.45), (0.09, -0.7)]
    right += [(0.09, -0.5), (foot + 0.045, 0.0), (foot - 0.03, 0.0), (0.0, -0.42)]
    half = polygon(right)
    head = arc((0, -0.925), (0.062, 0.075), 60, -240)
    outline = np.concatenate((half, half[::-1] * (-1, 1), head[::-1]))
    parts = [Part(rectangle(-0.3, -0.5, 0.3, 0.0), trousers), Part(rectangle(-0.3, -0.03, 0.3, 0.02), DARK)]
    parts.append(Part(rectangle(-0.1, -0.86, 0.1, -0.48), shirt))
    for side in (-1, 1):
        elbow = ((0.11 + 0.4 * reach) * side, -0.66)
        parts.append(Part(bar((0.1 * side, -0.84), elbow, 0.075), darker(shirt, 0.85)))
        parts.append(Part(bar(elbow, (hand * side, -0.5), 0.07), darker(shirt, 0.85)))
        parts.append(Part(arc((hand * side, -0.46), (0.045, 0.045)), skin))
    parts += [Part(arc((0, -0.92), (0.066, 0.085)), skin), Part(rectangle(-0.028, -0.87, 0.028, -0.83), skin)]
    parts.append(Part(arc((0, -0.95), (0.07, 0.06), 180, 360), hair))
    parts += [Part(arc((side * 0.024, -0.925), (0.009, 0.009), count=8), DARK) for side in (-1, 1)]
    return Figure((outline,), shirt, tuple(parts), grain=0.03)


def car(rng: np.random.Generator) -> Figure:
    """Draw a car, seen from the side; it drives to the right."""
    paint = rgb(rng.choice((0.0, 0.58, 0.12, 0.0)), rng.choice((0.1, 0.75, 0.85)), rng.uniform(0.45, 0.9))
    roof = rng.uniform(0.25, 0.5)
    body = [(-1.2, -0.22), (-1.22, -0.5), (-1.1, -0.63), (-0.75, -0.68), (-0.5, -1.0), (roof, -1.0), (0.72, -0.66)]
    body += [(1.12, -0.56), (1.24, -0.42), (1.24, -0.2)]
    front, rear = (arc((at, -0.22), (0.22, 0.22), 0, 180, 10) for at in (0.74, -0.72))
    outline = np.concatenate((polygon(body), front, rear))
    panes = polygon([(-0.64, -0.68), (-0.44, -0.93), (roof - 0.04, -0.93), (0.56, -0.67)])
    parts = [Part(rectangle(-1.3, -0.36, 1.3, 0.0), darker(paint, 0.75)), Part(panes, GLASS)]
    parts += [Part(bar((0.0, -1), (0.02, -0.3), 0.06), paint), Part(bar((-0.52, -0.2), (0.54, -0.2), 0.1), DARK)]
    parts.append(Part(bar((-0.4, -0.9), (-0.2, -0.72), 0.05), darker(GLASS, 1.4)))
    for at in (0.74, -0.72):
        parts += [Part(arc((at, -0.22), (0.26, 0.26)), DARK), Part(arc((at, -0.22), (0.11, 0.11)), (170, 170, 175))]
    parts.append(Part(arc((1.2, -0.48), (0.09, 0.06)), (250, 240, 190)))
    parts.append(Part(rectangle(-1.24, -0.58, -1.14, -0.46), (190, 30, 30)))
    return Figure((outline,), paint, tuple(parts), light=(0.0, -0.25), grain=0.02)


def sheep(rng: np.random.Generator) -> Figure:
    """Draw a sheep with a dark head, seen from the side; it looks to the right."""
    fleece = rgb(0.12, rng.uniform(0.02, 0.18), rng.uniform(0.85, 1.0))
    face = rgb(0.07, 0.2, rng.uniform(0.12, 0.3))
    stride, nod = rng.uniform(-0.05, 0.05), rng.uniform(-0.14, 0.1)
    body = blob(rng, (0.0, -0.58), (0.62, 0.42), 12, 0.14)
    head = arc((0.62, -0.7 + nod), (0.2, 0.15))
    ear = bar((0.5, -0.78 + nod), (0.42, -0.9 + nod), 0.08)
    feet = (-0.38, -0.2, 0.18, 0.36)
    legs = [bar((x, -0.4), (x + stride * (-1) ** i, 0.0), 0.085) for i, x in enumerate(feet)]
    parts = [Part(leg, face) for leg in legs] + [Part(body, fleece), Part(head, face), Part(ear, face)]
    parts.append(Part(arc((0.68, -0.74 + nod), (0.025, 0.025), count=8), (220, 220, 200)))
    return Figure((*legs, body, head, ear), fleece, tuple(parts), light=(0.05, -0.3), grain=0.07, grain_size=0.07)


def bottle(rng: np.random.Generator) -> Figure:
    """Draw a bottle of coloured glass with a paper label."""
    glass = rgb(rng.choice((0.36, 0.07, 0.42)), rng.uniform(0.6, 0.85), rng.uniform(0.3, 0.55))
    neck, wide, shoulder = rng.uniform(0.05, 0.065), rng.uniform(0.13, 0.17), rng.uniform(-0.66, -0.55)
    right = [(neck + 0.01, -1.0), (neck + 0.01, -0.94), (neck, -0.93), (neck, shoulder - 0.1)]
    right += [(wide * 0.85, shoulder - 0.03), (wide, shoulder + 0.05), (wide, -0.02), (wide - 0.02, 0.0)]
    paper = rgb(rng.uniform(0, 0.17), rng.uniform(0.1, 0.7), 0.95)
    parts = [
        Part(rectangle(-0.08, -1.01, 0.08, -0.93), rgb(rng.uniform(0, 1), 0.7, 0.7)),
        Part(rectangle(-wide * 0.75, shoulder + 0.02, -wide * 0.5, -0.03), darker(glass, 1.7)),
        Part(rectangle(-neck * 0.7, -0.9, -neck * 0.2, shoulder - 0.05), darker(glass, 1.7)),
        Part(rectangle(-1, -0.42, 1, -0.14), paper),
        Part(rectangle(-wide * 0.6, -0.32, wide * 0.6, -0.24), rgb(rng.uniform(0, 1), 0.7, 0.6)),
    ]
    return Figure((symmetric(right),), glass, tuple(parts), light=(-0.3, 0.0))


def tvmonitor(rng: np.random.Generator) -> Figure:
    """Draw a flat screen on a stand, with a simple picture on it."""
    wide, edge = rng.uniform(0.62, 0.85), 0.045
    case = rgb(0.6, 0.1, rng.uniform(0.08, 0.22))
    screen = rectangle(-wide, -1.0, wide, -0.2)
    stand = polygon([(-0.08, -0.21), (0.08, -0.21), (0.1, -0.06), (0.34, -0.04), (0.34, 0.0), (-0.34, 0.0)])
    stand = np.concatenate((stand, polygon([(-0.34, -0.04), (-0.1, -0.06)])))
    hue = rng.uniform(0.48, 0.65)
    inner = rectangle(-wide + edge, -1 + edge, wide - edge, -0.2 - edge)
    hills = polygon([(-wide + edge, -0.45), (-0.2, -0.62), (0.25, -0.42), (wide - edge, -0.6)])
    hills = np.concatenate((hills, polygon([(wide - edge, -0.2 - edge), (-wide + edge, -0.2 - edge)])))
    parts = (
        Part(inner, rgb(hue, rng.uniform(0.35, 0.6), 1.0)),
        Part(arc((rng.uniform(-0.4, 0.4), -0.78), (0.09, 0.09)), (255, 250, 225)),
        Part(hills, rgb(hue + rng.uniform(-0.3, 0.1), 0.6, 0.75)),
    )
    return Figure((screen, stand), case, parts, light=(0.1, -0.1))


def pottedplant(rng: np.random.Generator) -> Figure:
    """Draw a plant with long leaves in a pot of clay."""
    green = rgb(rng.uniform(0.25, 0.36), rng.uniform(0.6, 0.85), rng.uniform(0.35, 0.6))
    clay = rgb(rng.uniform(0.02, 0.06), rng.uniform(0.55, 0.75), rng.uniform(0.6, 0.8))
    pot = symmetric([(0.24, -0.4), (0.24, -0.33), (0.21, -0.33), (0.15, 0.0)])
    count = int(rng.integers(9, 13))
    heart = arc((0, -0.4), (0.2, 0.12))
    leaves, parts = [heart], [Part(heart, darker(green, 0.6))]
    for i in np.argsort(np.abs(np.arange(count) - (count - 1) / 2))[::-1]:  # the upright leaves last, in front
        lean = math.radians(-75 + 150 * i / (count - 1) + rng.uniform(-6, 6))
        length, half = rng.uniform(0.5, 0.62) * (1 - 0.12 * abs(math.sin(lean))), rng.uniform(0.06, 0.085)
        u = np.array((0.0, 0.3, 0.6, 0.85, 1, 0.85, 0.6, 0.3))
        v = np.array((0.4, 0.8, 1, 0.6, 0, -0.6, -1, -0.8)) * half
        droop = 0.15 * math.sin(lean) ** 2 * u * u * length
        x = u * length * math.sin(lean) + v * math.cos(lean)
        leaf = np.stack((x, -0.38 - u * length * math.cos(lean) + v * math.sin(lean) + droop), axis=1)
        leaves.append(leaf)
        parts.append(Part(leaf, darker(green, rng.uniform(0.75, 1.25))))
    parts += [Part(pot, clay), Part(rectangle(-0.3, -0.4, 0.3, -0.33), darker(clay, 1.15))]
    return Figure((*leaves, pot), green, tuple(parts), light=(-0.15, -0.2), grain=0.03)


FIGURES: dict[str, Callable[[np.random.Generator], Figure]] = {
    "bottle": bottle,
    "car": car,
    "person": person,
    "pottedplant": pottedplant,
    "sheep": sheep,
    "tvmonitor": tvmonitor,
}
"""The function that draws a figure of each class."""
