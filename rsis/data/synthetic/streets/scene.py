"""The arrangement of objects in a generated street, and the picture of it.

Coordinates are those of `rsis.data.synthetic.streets.camera`. The counted objects are those of the eight evaluated
classes, without groups. At least `FEWEST_PIXELS` pixels of each are visible, and nearly always `GOOD_AREA` of the
image.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from rsis.data.synthetic.drawing import expose, number_map, paint, samples_per_pixel, shadow
from rsis.data.synthetic.streets.camera import Camera, Layer, group
from rsis.data.synthetic.streets.objects import KINDS, bicycle, walker
from rsis.data.synthetic.streets.vehicles import car, caravan
from rsis.data.synthetic.streets.view import furniture, ground, look, overlay
from rsis.errors import UserError

COUNTED = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
WEIGHTS = {
    "car": 0.52,
    "walker": 0.26,
    "cyclist": 0.08,
    "bicycle": 0.03,
    "motorcycle": 0.02,
    "motorcyclist": 0.01,
    "truck": 0.035,
    "bus": 0.03,
    "train": 0.015,
}
PAIRS = ("cyclist", "motorcyclist")  # kinds that consist of two objects
VEHICLES = {"car": (1.0, 4.7), "truck": (1.3, 9.0), "bus": (1.35, 11.0), "train": (1.35, 25.0)}  # half width, length
FLAT = (0.5, 0.7)  # half width and length of all other kinds
SMALLEST = (32, 64)  # (H, W); in smaller images objects cannot be distinguished
GOOD_AREA = 0.002  # visible fraction of the image; an object with less is placed elsewhere
GOOD_SHARE = 0.4  # visible fraction of the object's own area; likewise
FEWEST_PIXELS = 4  # pixels of an object that must be visible
ATTEMPTS = 5  # backgrounds that are tried
TRIES = 12  # places that are tried for each object
SKETCH = 256  # longer side in pixels of the map in which the objects of a larger image are arranged
GROUP_CHANCE, CARAVAN_CHANCE = 0.35, 0.1
Plot = tuple[float, float, float, float]  # occupied ground: left, right, near, far


def draw_street(
    seed: int, index: int, size: tuple[int, int], objects: tuple[int, int]
) -> tuple[np.ndarray, list[Layer]]:
    """Draw street `index` of a data set.

    Args:
        seed: Seed of the data set.
        index: Number of the street.
        size: (H, W) in pixels.
        objects: Minimum and maximum number of counted objects; the target number is drawn uniformly.

    Returns:
        The picture, uint8 [H, W, 3], and its layers in the order of drawing.

    Raises:
        UserError: The minimum exceeds the maximum, the image is smaller than `SMALLEST`, or the minimum number of
            objects does not fit.
    """
    least, most = objects
    if least > most:
        raise UserError(f"objects: found [{least}, {most}]; the first number must not exceed the second; swap them")
    if size[0] < SMALLEST[0] or size[1] < SMALLEST[1]:
        raise UserError(
            f"image_size: found {size[0]} x {size[1]}, streets need {SMALLEST[0]} x {SMALLEST[1]}; raise it"
        )
    rng = np.random.default_rng([seed, index])
    count = int(rng.integers(least, most + 1))
    for attempt in range(ATTEMPTS):
        camera, half = look(rng, size), rng.uniform(4.0, 5.2)
        wall = half + rng.uniform(2.2, 3.2)
        base, top = ground(rng, camera, size, half, wall), overlay(rng, size)
        fixed = furniture(rng, camera, half, wall)
        few = GOOD_AREA * size[0] * size[1] * (1 - attempt / ATTEMPTS)
        standing = _arrange(rng, (camera, half, wall), fixed, Sight(top, size, few), count)
        num_counted = sum(layer.label in COUNTED for layer in standing)
        # no test of shares here: they were tested in the small map, and at full size some are a little too small
        if least <= num_counted and Sight(top, size, FEWEST_PIXELS, share=0.0).shows_all(standing, 1.0):
            layers = [*base, *standing, *top]
            return _picture(rng, layers, size), layers
    raise UserError(
        f"objects, image_size: {least} objects cannot all be visible in {size[0]} x {size[1]} pixels; "
        "ask for fewer objects or a larger image"
    )


class Sight:
    """Test of whether all counted objects are visible enough.

    Args:
        top: Layers in front of all others.
        size: (H, W) of the image.
        few: Pixels of each object that must be visible.
        share: Fraction of each object's own area that must be visible, 0..1.
    """

    def __init__(self, top: Sequence[Layer], size: tuple[int, int], few: float, share: float = GOOD_SHARE) -> None:
        self._top, self._size, self._few, self._share = top, size, few, share

    def shows_all(self, layers: Sequence[Layer], scale: float) -> bool:
        """Return whether each counted object is visible enough.

        Args:
            layers: Layers in the order of drawing.
            scale: Scale of the map in which the pixels are counted; at 1 it has the size of the image.
        """
        size = round(self._size[0] * scale), round(self._size[1] * scale)
        labels = number_map(([layer.outline] for layer in (*layers, *self._top)), size, scale)
        areas = np.bincount(labels.ravel(), minlength=len(layers) + 1)
        for number, layer in enumerate(layers, start=1):
            if layer.label not in COUNTED:
                continue
            if areas[number] < max(self._few, self._share * layer.area) * scale**2:
                return False
        return True

    @property
    def scale(self) -> float:
        """Scale of the small map in which objects are arranged, at most 1."""
        return min(1.0, SKETCH / max(self._size))


def _arrange(
    rng: np.random.Generator, street: tuple[Camera, float, float], fixed: Sequence[Layer], sight: Sight, count: int
) -> list[Layer]:
    """Return the layers in the street, the farthest first, with up to `count` counted objects."""
    camera, half, wall = street
    uncounted, occupied = _uncounted(rng, camera, half)
    standing = _sorted([*fixed, *uncounted])
    num_counted = 0
    kinds, weights = list(WEIGHTS), np.array(list(WEIGHTS.values()))
    for _ in range(TRIES * count):
        if num_counted == count:
            break
        kind = kinds[rng.choice(len(kinds), p=weights / weights.sum())]
        x, z = _spot(rng, kind, half, wall)
        wide, long = VEHICLES.get(kind, FLAT)
        plot = (x - wide, x + wide, z, z + long)
        if (kind in PAIRS and num_counted + 2 > count) or any(_overlap(plot, other) for other in occupied):
            continue
        objects = KINDS[kind](rng, camera, x, z)
        trial = _sorted([*standing, *objects])
        if sight.shows_all(trial, sight.scale):
            standing, num_counted = trial, num_counted + len(objects)
            occupied.append(plot)
    return standing


def _spot(rng: np.random.Generator, kind: str, half: float, wall: float) -> tuple[float, float]:
    """Return x, z for a road user: vehicles in a lane or at the kerb, people mostly on the sidewalk."""
    side = rng.choice((-1.0, 1.0))
    if kind in VEHICLES:
        lane = half * 0.44 + rng.normal(0, 0.15)
        x = side * (half - 1.1 if kind == "car" and rng.random() < 0.5 else lane)
        near, far = (6.5, 42.0) if kind == "car" else (11.0, 40.0)
    elif kind == "walker":
        x = rng.uniform(-half, half) if rng.random() < 0.3 else side * rng.uniform(half + 0.4, wall - 0.4)
        near, far = 8.0, 24.0
    elif kind in PAIRS:
        x, near, far = side * rng.uniform(0.3, 0.85) * half, 7.0, 22.0
    else:
        x, near, far = side * (half + rng.uniform(0.4, 1.2)), 9.0, 22.0
    return float(x), 1 / rng.uniform(1 / far, 1 / near)


def _uncounted(rng: np.random.Generator, camera: Camera, half: float) -> tuple[list[Layer], list[Plot]]:
    """Return the layers of a group, a caravan, both or neither, and the ground that they occupy."""
    layers: list[Layer] = []
    occupied: list[Plot] = []
    side = rng.choice((-1.0, 1.0))
    if rng.random() < GROUP_CHANCE:
        make, x, step, count = (
            (walker, side * (half + 1.2), 0.3, 6),
            (bicycle, side * (half + 0.9), 0.5, 4),
            (car, side * (half - 1.1), 5.0, 3),
        )[rng.choice(3, p=(0.5, 0.2, 0.3))]
        near = rng.uniform(12, 20) if make is not car else rng.uniform(22, 28)
        depths = near + step * np.arange(count)[::-1]
        sway = 0.9 if make is walker else 0.2 if make is bicycle else 0.05
        members = [layer for z in depths for layer in make(rng, camera, x + rng.uniform(-sway, sway), float(z))]
        layers.append(group(members[0].label, members))
        occupied.append((x - 1.3, x + 1.3, near, float(depths[0]) + step))
    if rng.random() < CARAVAN_CHANCE:
        x, z = -side * (half - 1.2), rng.uniform(12, 30)
        layers += caravan(rng, camera, x, z)
        occupied.append((x - 1.2, x + 1.2, z, z + 5.7))
    return layers, occupied


def _overlap(one: Plot, other: Plot) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _sorted(layers: Sequence[Layer]) -> list[Layer]:
    return sorted(layers, key=lambda layer: -layer.depth)


def _picture(rng: np.random.Generator, layers: Sequence[Layer], size: tuple[int, int]) -> np.ndarray:
    """Return the picture, uint8 [H, W, 3]: the layers painted in order, road users with a shadow."""
    fine = samples_per_pixel(size)
    canvas = Image.new("RGB", (size[1], size[0]))
    for layer in layers:
        for figure in layer.figures:
            left, top, right, bottom = figure.box()
            if layer.label.removesuffix("group") in COUNTED and layer.label != "rider":
                depth = 0.05 * (bottom - top) + 0.03 * (right - left)
                shadow(canvas, ((left + right) / 2, bottom - depth * 0.3), ((right - left) * 0.58, depth), 0.55)
            paint(canvas, figure, rng, fine)
    return expose(canvas, rng, rng.uniform(1.0, 3.0))
