"""Figures of people, bicycles and motorcycles in the generated streets.

They are flat figures as in `rsis.data.synthetic.scenes.objects`, seen from the front or from the side: in metres, y
down, 0 on the ground.
"""

from collections.abc import Callable

import numpy as np

from rsis.data.synthetic.drawing import Colour, Figure, Part, arc, bar, darker, polygon, rgb
from rsis.data.synthetic.scenes.objects import DARK, person
from rsis.data.synthetic.streets.camera import Camera, Layer, layer
from rsis.data.synthetic.streets.vehicles import bus, car, train, truck

PALE: Colour = (120, 122, 124)  # the street, seen through the spokes


def walker(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a person on foot."""
    tall = rng.uniform(1.55, 1.95)
    return [layer("person", z, camera.stand(person(rng).placed((tall, tall), (0, 0)), x, z))]


def cyclist(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a bicycle and its rider."""
    turn = rng.choice((-1.0, 1.0)) * rng.uniform(0.45, 1.0)
    machine, human = camera.stand(_bicycle(rng), x, z, turn), camera.stand(_rider(rng), x, z, turn)
    return [layer("bicycle", z, machine), layer("rider", z, human)]


def bicycle(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a parked bicycle."""
    turn = rng.choice((-1.0, 1.0)) * rng.uniform(0.6, 1.0)
    return [layer("bicycle", z, camera.stand(_bicycle(rng), x, z, turn))]


def motorcycle(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a parked motorcycle."""
    turn = rng.choice((-1.0, 1.0)) * rng.uniform(0.6, 1.0)
    return [layer("motorcycle", z, camera.stand(_motorcycle(rng), x, z, turn))]


def motorcyclist(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a motorcycle and its rider."""
    turn = rng.choice((-1.0, 1.0)) * rng.uniform(0.5, 1.0)
    machine, human = camera.stand(_motorcycle(rng), x, z, turn), camera.stand(_rider(rng), x, z, turn)
    return [layer("motorcycle", z, machine), layer("rider", z, human)]


KINDS: dict[str, Callable[[np.random.Generator, Camera, float, float], list[Layer]]] = {
    "car": car,
    "walker": walker,
    "cyclist": cyclist,
    "bicycle": bicycle,
    "motorcycle": motorcycle,
    "motorcyclist": motorcyclist,
    "truck": truck,
    "bus": bus,
    "train": train,
}
"""The function that places each kind of road user at x, z and returns one or two objects."""


def _rider(rng: np.random.Generator) -> Figure:
    """Draw a rider on a saddle, seen from the side; the rider moves to the right."""
    jacket, trousers = rgb(rng.uniform(0, 1), rng.uniform(0.6, 0.9), rng.uniform(0.6, 0.95)), rgb(0.6, 0.4, 0.3)
    helmet = rgb(rng.choice((0.0, 0.15, 0.6)), 0.85, 0.9)
    back = [(-0.33, -0.92), (-0.27, -1.25), (-0.05, -1.5), (0.02, -1.54)]
    front = [(0.16, -1.47), (0.5, -1.12), (0.47, -1.0), (0.2, -1.18), (0.12, -1.02), (0.34, -0.78), (0.2, -0.16)]
    front += [(0.02, -0.14), (0.1, -0.66), (-0.14, -0.82)]
    head = arc((0.12, -1.64), (0.125, 0.14), 150, 420, 14)
    outline = np.concatenate((polygon(back), head, polygon(front)))
    legs = polygon([(-0.5, -0.98), (0.05, -1.08), (0.5, -0.85), (0.3, 0), (-0.3, 0)])
    parts = [Part(legs, trousers), Part(arc((0.13, -1.62), (0.12, 0.13)), (214, 164, 130))]
    parts += [Part(arc((0.12, -1.67), (0.14, 0.12), 180, 360), helmet)]
    parts += [Part(bar((0.03, -1.4), (0.5, -1.06), 0.1), darker(jacket, 0.8))]
    return Figure((outline,), jacket, tuple(parts))


def _bicycle(rng: np.random.Generator) -> Figure:
    """Draw a bicycle, seen from the side; it points to the right."""
    paint = rgb(rng.uniform(0, 1), 0.8, rng.uniform(0.5, 0.9))
    rear, front = arc((-0.52, -0.34), (0.34, 0.34), 40, 270, 14), arc((0.52, -0.34), (0.34, 0.34), 270, 500, 14)
    middle = polygon([(-0.32, -0.86), (-0.38, -1.0), (-0.1, -1.0), (-0.14, -0.86), (0.3, -0.88), (0.26, -1.08)])
    handle = polygon([(0.52, -1.1), (0.5, -1.0), (0.42, -0.95)])
    outline = np.concatenate((rear, middle, handle, front, polygon([(0.1, -0.18), (-0.1, -0.18)])))
    parts = [Part(arc((x, -0.34), (0.35, 0.35)), DARK) for x in (-0.52, 0.52)]
    parts += [Part(arc((x, -0.34), (0.26, 0.26)), PALE) for x in (-0.52, 0.52)]
    tubes = [((-0.52, -0.34), (-0.22, -0.86)), ((-0.22, -0.86), (0.38, -0.86)), ((0.38, -0.95), (0.52, -0.34))]
    tubes += [((-0.22, -0.86), (0.0, -0.3)), ((0.0, -0.3), (0.38, -0.8)), ((-0.52, -0.34), (0.0, -0.3))]
    parts += [Part(bar(start, stop, 0.07), paint) for start, stop in tubes]
    parts += [Part(bar((-0.4, -0.97), (-0.08, -0.97), 0.08), DARK), Part(bar((0.24, -1.06), (0.54, -1.06), 0.09), DARK)]
    return Figure((outline,), PALE, tuple(parts))


def _motorcycle(rng: np.random.Generator) -> Figure:
    """Draw a motorcycle, seen from the side; it points to the right."""
    paint = rgb(rng.choice((0.0, 0.08, 0.6)), 0.85, rng.uniform(0.5, 0.85))
    rear, front = arc((-0.68, -0.32), (0.32, 0.32), 60, 270, 14), arc((0.68, -0.32), (0.32, 0.32), 270, 480, 14)
    middle = polygon([(-0.95, -0.8), (-0.9, -0.9), (-0.1, -0.88), (0.1, -1.02), (0.3, -1.0), (0.32, -1.2), (0.5, -1.2)])
    outline = np.concatenate((rear, middle, polygon([(0.55, -0.85)]), front, polygon([(0.4, -0.15), (-0.4, -0.15)])))
    tank = polygon([(-0.15, -0.88), (0.1, -1.04), (0.45, -1.0), (0.5, -0.6), (0.1, -0.55), (-0.6, -0.62)])
    parts = [Part(arc((x, -0.32), (0.17, 0.17)), (150, 150, 155)) for x in (-0.68, 0.68)]
    parts += [Part(tank, paint), Part(bar((-0.95, -0.82), (-0.6, -0.66), 0.14), paint)]
    parts += [
        Part(bar((0.42, -0.9), (0.68, -0.32), 0.08), (170, 170, 175)),
        Part(arc((0.52, -0.95), (0.09, 0.09)), (250, 240, 190)),
    ]
    return Figure((outline,), DARK, tuple(parts))
