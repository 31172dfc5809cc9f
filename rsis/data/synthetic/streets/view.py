"""The fixed parts of the generated streets: sky, houses, road, sidewalks, trees, poles, bins and the ego vehicle.

Coordinates are those of `rsis.data.synthetic.streets.camera`.
"""

from collections.abc import Callable

import numpy as np

from rsis.data.synthetic.drawing import Colour, Figure, Part, arc, bar, blob, darker, rectangle, rgb
from rsis.data.synthetic.streets.camera import Camera, Layer, layer

NEAR, FAR = 1.6, 70.0  # metres ahead of the camera between which the ground is drawn
GLASS: Colour = (150, 172, 190)


def look(rng: np.random.Generator, size: tuple[int, int]) -> Camera:
    """Return a random camera for an image of `size` (H, W)."""
    height, width = size
    centre = width * rng.uniform(0.44, 0.56), height * rng.uniform(0.4, 0.46)
    return Camera(1.9 * min(height, width / 2), centre)


def ground(rng: np.random.Generator, camera: Camera, size: tuple[int, int], half: float, wall: float) -> list[Layer]:
    """Return sky, houses, sidewalks and road, farthest first.

    Args:
        rng: Random number generator.
        camera: The camera.
        size: (H, W) of the image.
        half: Half the width of the road, in metres.
        wall: Distance of the houses from the middle of the road, in metres.
    """
    height, width = size
    sky = rgb(rng.uniform(0.54, 0.6), rng.uniform(0.05, 0.4), rng.uniform(0.85, 1.0))
    horizon = camera.centre[1]
    layers = [layer("sky", FAR, Figure((rectangle(0, 0, width - 1, height - 1),), sky, (), (0.0, 0.2)))]
    crown = blob(rng, (camera.centre[0], horizon), (camera.focal * 11 / FAR, camera.focal * 6 / FAR), 9, 0.2)
    layers.append(layer("vegetation", FAR, _foliage(rng, crown, camera.focal / FAR)))
    for side in (-1, 1):
        layers += _houses(rng, camera, side * wall)
    stone, asphalt = rgb(0.08, rng.uniform(0.03, 0.12), rng.uniform(0.62, 0.75)), rng.uniform(0.36, 0.48)
    for side in (-1, 1):
        strip = [(side * half, 0.0, NEAR), (side * half, 0.0, FAR), (side * wall, 0.0, FAR), (side * wall, 0.0, NEAR)]
        kerb = [(side * half, 0.0, NEAR), (side * half, 0.0, FAR)]
        kerb += [(side * (half + 0.2), 0.0, FAR), (side * (half + 0.2), 0.0, NEAR)]
        parts = (Part(camera.see(kerb), darker(stone, 1.15)),)
        pavement = Figure((camera.see(strip),), stone, parts, (0.0, 0.0), 0.03, height / 60)
        layers.append(layer("sidewalk", FAR, pavement))
    road = camera.see([(-half, 0, NEAR), (-half, 0, FAR), (half, 0, FAR), (half, 0, NEAR)])
    dashes = [[(-0.08, 0, z), (-0.08, 0, z + 2.5), (0.08, 0, z + 2.5), (0.08, 0, z)] for z in range(2, 60, 6)]
    paint = tuple(Part(camera.see(dash), (215, 215, 210)) for dash in dashes)
    layers.append(layer("road", FAR, Figure((road,), rgb(0.6, 0.05, asphalt), paint, (0.0, 0.1), 0.03, height / 60)))
    return layers


def furniture(rng: np.random.Generator, camera: Camera, half: float, wall: float) -> list[Layer]:
    """Return trees, poles with a sign, and bins along the sidewalks, in no particular order."""
    layers: list[Layer] = []
    choices: tuple[Callable[..., list[Layer]], ...] = (_tree, _tree, _sign, _bin)
    for side in (-1, 1):
        for z in np.arange(rng.uniform(10, 16), 45, rng.uniform(8, 14)):
            make = choices[rng.integers(len(choices))]
            layers += make(rng, camera, side * (wall - 0.5 if make is _bin else half + 0.45), float(z))
    return layers


def overlay(rng: np.random.Generator, size: tuple[int, int]) -> list[Layer]:
    """Return the layers in front of all others: the bonnet of the ego vehicle, and the border of the image.

    The border is 5 pixels wide in an image of 1024 rows; it scales with the image and is at least 1 pixel wide.
    """
    height, width = size
    top, metal = height * rng.uniform(0.9, 0.94), rgb(0.6, 0.08, rng.uniform(0.16, 0.3))
    curve = arc((width / 2, height), (width * 0.62, height - top), 180, 360, 24)
    inside = np.clip(curve, 0, (width - 1, height - 1))
    gloss = Part(arc((width * 0.4, height), (width * 0.2, (height - top) * 0.7), 180, 360), darker(metal, 1.4))
    wide = max(round(5 * height / 1024), 1)
    outer = [(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1), (0, 0)]
    right, bottom = width - wide, height - wide
    inner = [(wide - 1, wide - 1), (wide - 1, bottom), (right, bottom), (right, wide - 1), (wide - 1, wide - 1)]
    ring = np.array([*outer, *inner], np.int64)
    return [layer("ego vehicle", 0.0, Figure((inside,), metal, (gloss,))), Layer("out of roi", 0.0, ring, ())]


def _houses(rng: np.random.Generator, camera: Camera, x: float) -> list[Layer]:
    """Return a row of houses along one side, farthest first."""
    layers = []
    z = FAR
    while z > NEAR:
        near = max(z - rng.uniform(7, 14), NEAR)
        tall, storey, bay = rng.uniform(7, 15), rng.uniform(2.7, 3.3), rng.uniform(1.9, 2.8)
        wall = rgb(rng.uniform(0.0, 0.14), rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.85))
        pane = GLASS if rng.random() < 0.5 else darker(GLASS, 0.45)
        parts = [Part(camera.see(_upright(x, (0.0, 0.7), (near, z))), darker(wall, 0.75))]
        for low in np.arange(1.1, tall - storey * 0.7, storey):
            for start in np.arange(near + 0.4, z - bay * 0.6, bay):
                ends = start, start + bay * 0.55
                parts.append(Part(camera.see(_upright(x, (low, low + storey * 0.55), ends)), pane))
        parts.append(Part(camera.see(_upright(x, (tall - 0.35, tall), (near, z))), darker(wall, 0.6)))
        front = camera.see(_upright(x, (0.0, tall), (near, z)))
        # no shading from left to right, since a facade is flat; no grain, which would take time and not be visible
        layers.append(layer("building", z, Figure((front,), wall, tuple(parts), (0.0, -0.1))))
        z = near
    return layers


def _tree(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a tree, with trunk and crown in one outline."""
    reach, middle = rng.uniform(1.1, 1.7), rng.uniform(3.6, 4.6)
    ((left, foot),), scale = camera.see([(x, 0.0, z)]).tolist(), camera.focal / z
    crown = blob(rng, (left, foot - middle * scale), (reach * scale, reach * scale * 1.1), 7, 0.2)
    lowest = int(crown[:, 1].argmax())
    around = np.roll(crown, -lowest, axis=0)
    trunk = 0.13 * scale
    feet = np.array([(left - trunk, around[-1, 1]), (left - trunk, foot), (left + trunk, foot)])
    outline = np.concatenate((around, feet, [(left + trunk, around[0, 1])]))
    leaves = _foliage(rng, outline, scale)
    bark = Part(bar((left, foot), (left, float(crown[:, 1].max())), 3 * trunk), (84, 66, 50))
    return [
        layer("vegetation", z, Figure(leaves.outline, leaves.base, (bark,), (-0.1, -0.35), 0.12, leaves.grain_size))
    ]


def _sign(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a pole with a traffic sign."""
    post = Figure((rectangle(-0.07, -3.2, 0.07, 0.0),), (120, 122, 126))
    round_ = rng.random() < 0.5
    disc = arc((0, -2.9), (0.36, 0.36)) if round_ else rectangle(-0.33, -3.25, 0.33, -2.6)
    colour: Colour = (200, 30, 36) if round_ else (36, 84, 178)
    inner = arc((0, -2.9), (0.24, 0.24)) if round_ else rectangle(-0.18, -3.1, 0.18, -2.75)
    board = Figure((disc,), colour, (Part(inner, (240, 240, 240)),))
    return [layer("pole", z, camera.stand(post, x, z)), layer("traffic sign", z, camera.stand(board, x, z))]


def _bin(rng: np.random.Generator, camera: Camera, x: float, z: float) -> list[Layer]:
    """Place a bin (label "static"), which the benchmark does not evaluate."""
    colour = rgb(rng.choice((0.3, 0.6, 0.1)), 0.4, 0.35)
    lid = Part(rectangle(-0.32, -1.1, 0.32, -0.95), darker(colour, 1.3))
    return [layer("static", z, camera.stand(Figure((rectangle(-0.3, -1.1, 0.3, 0.0),), colour, (lid,)), x, z))]


def _foliage(rng: np.random.Generator, outline: np.ndarray, scale: float) -> Figure:
    """Return foliage inside an outline; `scale` is in pixels per metre."""
    green = rgb(rng.uniform(0.24, 0.33), rng.uniform(0.45, 0.65), rng.uniform(0.35, 0.55))
    return Figure((outline,), green, (), (-0.1, -0.3), 0.12, 0.25 * scale)


def _upright(x: float, heights: tuple[float, float], ends: tuple[float, float]) -> list[tuple[float, float, float]]:
    """Return the corners of a vertical rectangle along the street, from two heights and two distances."""
    (low, high), (near, far) = heights, ends
    return [(x, low, near), (x, high, near), (x, high, far), (x, low, far)]
