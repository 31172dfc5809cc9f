"""Drawing of one rosette plant in a pot: the geometry of its leaves, and the picture of it.

Lengths are fractions of the image's shorter side, angles are in radians, the origin is the centre of the image,
x is to the right and y down. The oldest leaf lies lowest. One function tests which points are inside a leaf, both for
the instance map (at pixel centres) and for the picture (at a finer grid that is averaged), so that the two always
agree.
"""

import colorsys
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
FINE = 3  # samples per pixel along each axis of the picture


@dataclass(frozen=True)
class Leaf:
    """A leaf: a thin petiole from `base` and a blade at its end, on a slightly bent midrib.

    Attributes:
        base: (x, y) of the start of the petiole.
        angle: Direction of growth.
        petiole: Length of the petiole.
        length: Length of the blade.
        width: Greatest width of the blade.
        bend: Sideways shift of the tip.
        bulge: Exponent that moves the widest point towards the tip when above 1.
        wave: Relative height of the waves of the margin.
        phase: Phase of the waves.
        stalk: Width of the petiole.
        fold: Slope of the two halves of the blade at the midrib.
        hue: Hue, saturation and value of the blade, each 0..1.
    """

    base: tuple[float, float]
    angle: float
    petiole: float
    length: float
    width: float
    bend: float
    bulge: float
    wave: float
    phase: float
    stalk: float
    fold: float
    hue: tuple[float, float, float]


def grow(rng: np.random.Generator, count: int) -> list[Leaf]:
    """Return `count` leaves, oldest first, by golden-angle phyllotaxis with jitter."""
    centre = rng.normal(0, 0.015, 2)
    reach = rng.uniform(0.45, 0.54) * min(1.0, 0.84 + 0.018 * count)
    roundness = rng.uniform(0.66, 0.84) * (1.16 - 0.018 * count)
    start, turn = rng.uniform(0, 2 * math.pi), rng.choice((-1.0, 1.0))
    hue, saturation, value = rng.uniform(0.23, 0.31), rng.uniform(0.52, 0.75), rng.uniform(0.5, 0.68)
    bulge, wave = rng.uniform(1.0, 1.45), rng.uniform(0.0, 0.035)
    leaves = []
    for i in range(count):
        age = 1 - i / max(count - 1, 1)  # 1 oldest, 0 youngest
        total = reach * (0.38 + 0.62 * age**0.6) * rng.uniform(0.86, 1.0)
        length = total * (0.82 - 0.19 * age) * rng.uniform(0.93, 1.07)
        angle = start + turn * i * GOLDEN_ANGLE + rng.normal(0, 0.14)
        tint = (
            hue - 0.025 * (1 - age) + rng.normal(0, 0.008),
            saturation * (1 - 0.1 * (1 - age)) + rng.normal(0, 0.04),
            value * (1 + 0.22 * (1 - age)) + rng.normal(0, 0.055),
        )
        leaves.append(
            Leaf(
                base=(centre[0] - 0.008 * math.cos(angle), centre[1] - 0.008 * math.sin(angle)),
                angle=angle,
                petiole=total - length,
                length=length,
                width=length * roundness * rng.uniform(0.9, 1.1),
                bend=total * rng.normal(0, 0.07),
                bulge=bulge * rng.uniform(0.92, 1.08),
                wave=wave,
                phase=rng.uniform(0, 2 * math.pi),
                stalk=0.016 + 0.008 * age,
                fold=rng.uniform(0.2, 1.0),
                hue=(tint[0], min(max(tint[1], 0.0), 1.0), min(max(tint[2], 0.0), 1.0)),
            )
        )
    return leaves


def grid(size: tuple[int, int], fine: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sample positions y [H * fine, 1] and x [1, W * fine], float32."""
    unit = min(size) * fine
    y, x = (((np.arange(n * fine) + 0.5 - n * fine / 2) / unit).astype(np.float32) for n in size)
    return y[:, None], x[None, :]


def label_map(leaves: list[Leaf], size: tuple[int, int]) -> np.ndarray:
    """Return the instance map, int32 [H, W]: the number of the topmost leaf at each pixel centre, 0 = none."""
    y, x = grid(size, 1)
    labels = np.zeros(size, np.int32)
    for number, leaf in enumerate(leaves, start=1):
        window = _window(leaf, y, x, 0.0)
        labels[window][_outline(leaf, y[window[0]], x[:, window[1]])[0]] = number
    return labels


def paint(rng: np.random.Generator, leaves: list[Leaf], size: tuple[int, int]) -> np.ndarray:
    """Return the picture, uint8 [H, W, 3]: pot, soil, shaded leaves with shadows, uneven light, sensor noise."""
    y, x = grid(size, FINE)
    canvas = _pot(rng, y, x)
    towards = rng.uniform(0, 2 * math.pi)
    light = (math.cos(towards), math.sin(towards))
    mottle = _noise(rng, canvas.shape[:2], 0.012) + _noise(rng, canvas.shape[:2], 0.05)
    height, depth = rng.uniform(0.01, 0.022), rng.uniform(0.35, 0.6)
    for leaf in leaves:
        window = _window(leaf, y, x, 3 * height)
        part, rows, columns = canvas[window], y[window[0]], x[:, window[1]]
        inside, along, across = _outline(leaf, rows, columns)
        shadow = _shift(inside.astype(np.float32), light, -height * min(size) * FINE)
        part *= (1 - depth * shadow)[..., None]
        part[inside] = _blade(leaf, along[inside], across[inside], light, mottle[window][inside])
    (right, down), fall = rng.normal(0, 0.13, 2).tolist(), rng.uniform(0.1, 0.35)
    canvas *= ((1 + right * x - fall * x**2) + (down * y - fall * y**2))[..., None]
    return _expose(rng, canvas, size)


def _outline(leaf: Leaf, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return three arrays [h, w]: whether each point is inside the leaf, and its two coordinates on the leaf.

    The coordinate along the blade is below 0 on the petiole and 1 at the tip. The coordinate across it is -1 and 1 at
    the two margins.
    """
    cos, sin = math.cos(leaf.angle), math.sin(leaf.angle)
    dx, dy = x - np.float32(leaf.base[0]), y - np.float32(leaf.base[1])
    u = dx * cos + dy * sin
    v = dy * cos - dx * sin - (leaf.bend / (leaf.petiole + leaf.length) ** 2) * u * u
    along = (u - leaf.petiole) / leaf.length
    t = np.clip(along, 0, 1)
    half = np.maximum(np.sin(np.pi * t**leaf.bulge), 0) ** 0.62 * (leaf.width / 2)
    half *= 1 + leaf.wave * np.sin(21 * t + leaf.phase + 0.4 * np.sign(v))
    half = np.maximum(half, np.where((u >= 0) & (along < 0.4), leaf.stalk / 2, 0))
    return np.abs(v) < half, along, v / np.maximum(half, 1e-6)


def _window(leaf: Leaf, y: np.ndarray, x: np.ndarray, margin: float) -> tuple[slice, slice]:
    """Return the slices of the grid that contain the leaf and `margin` around it."""
    margin += 0.55 * max(leaf.width, leaf.stalk) + 0.02
    u = np.linspace(0, 1, 5)
    v, u = leaf.bend * u * u, (leaf.petiole + leaf.length) * u
    across = leaf.base[0] + u * math.cos(leaf.angle) - v * math.sin(leaf.angle)
    down = leaf.base[1] + u * math.sin(leaf.angle) + v * math.cos(leaf.angle)
    rows = np.searchsorted(y[:, 0], (down.min() - margin, down.max() + margin))
    columns = np.searchsorted(x[0], (across.min() - margin, across.max() + margin))
    return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))


def _blade(
    leaf: Leaf, along: np.ndarray, across: np.ndarray, light: tuple[float, float], mottle: np.ndarray
) -> np.ndarray:
    """Return the colours [n, 3] of points of a leaf: tilt towards the light, veins, paler petiole, darker margin."""
    cos, sin = math.cos(leaf.angle), math.sin(leaf.angle)
    lengthwise = light[0] * cos + light[1] * sin
    crosswise = light[1] * cos - light[0] * sin
    tone = 1 + 0.2 * (along - 0.45) * lengthwise + 0.17 * leaf.fold * np.tanh(3 * across) * crosswise
    tone = tone + 0.07 * mottle - 0.3 * np.clip(np.abs(across) - 0.78, 0, 1)
    tone = tone - 0.3 * np.clip(0.25 - along, 0, 0.6)  # little light reaches the heart of the rosette
    lateral = np.exp(-((np.sin(np.pi * 7 * (along - 0.22 * np.abs(across))) / 0.3) ** 2)) * (along > 0.05)
    vein = np.exp(-((across / (0.09 + 0.05 * along)) ** 2)) + 0.4 * lateral * (1 - across**2)
    vein = np.where(along < 0, 0.7, vein * np.clip(1.2 - along, 0, 1))[:, None]
    green = _rgb(*leaf.hue)
    pale = _rgb(leaf.hue[0] - 0.03, leaf.hue[1] * 0.7, leaf.hue[2] * 1.25)
    colour: np.ndarray = (green + 0.8 * vein * (pale - green)) * tone[:, None]
    return colour


def _pot(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the empty pot, float32 [h, w, 3]: soil with crumbs, moss and stones, a plastic rim, the tray outside."""
    shape = (y.shape[0], x.shape[1])
    crumbs = 0.8 * _noise(rng, shape, 0.006) + 0.6 * _noise(rng, shape, 0.018) + 0.5 * _noise(rng, shape, 0.13)
    soil = _rgb(rng.uniform(0.03, 0.1), rng.uniform(0.25, 0.55), 1.0)
    canvas = soil * (rng.uniform(0.2, 0.36) * np.exp(0.38 * crumbs))[..., None]
    moss = np.clip(_noise(rng, shape, 0.1) + 0.6 * _noise(rng, shape, 0.02) - rng.uniform(0.7, 2.2), 0, 1)
    green = _rgb(rng.uniform(0.19, 0.27), rng.uniform(0.4, 0.65), rng.uniform(0.25, 0.42))
    canvas += (0.8 * moss)[..., None] * (green * (1 + 0.3 * crumbs)[..., None] - canvas)
    for _ in range(rng.integers(10, 70)):
        _stone(rng, canvas, y, x)
    power = float(rng.choice((2.0, 6.0)))  # a round pot or a square one
    left, up = rng.normal(0, 0.01, 2).tolist()
    far = (np.abs(x - left) ** power + np.abs(y - up) ** power) ** (1 / power) * (1 / rng.uniform(0.46, 0.56))
    canvas *= np.clip((1.02 - far) / 0.12, 0.35, 1)[..., None]  # the rim casts a shadow on the soil beside it
    plastic = rng.uniform(0.1, 0.24) * np.exp(-(((far - 1.03) / 0.018) ** 2)) + rng.uniform(0.05, 0.12)
    plastic = plastic * (1 + 0.08 * crumbs) + (far > 1.09) * (0.04 * crumbs - 0.02)
    outside = far > 1
    edge = np.clip((far[outside] - 1) / 0.012, 0, 1)[:, None]
    tint = np.array((0.96, 1.0, 1.05), np.float32) * plastic[outside][:, None]
    canvas[outside] += edge * (tint - canvas[outside])
    return canvas


def _stone(rng: np.random.Generator, canvas: np.ndarray, y: np.ndarray, x: np.ndarray) -> None:
    """Paint one pebble or grain of perlite onto `canvas`."""
    radius, squeeze = rng.uniform(0.004, 0.014), rng.uniform(0.6, 1.0)
    at, turn = rng.uniform(-0.5, 0.5, 2), rng.uniform(0, math.pi)
    shade = rng.uniform(0.25, 0.75) * np.array((1.0, rng.uniform(0.9, 1.0), rng.uniform(0.78, 0.98)))
    rows = slice(*np.searchsorted(y[:, 0], (at[0] - radius, at[0] + radius)).tolist())
    columns = slice(*np.searchsorted(x[0], (at[1] - radius, at[1] + radius)).tolist())
    dy, dx = y[rows] - at[0], x[:, columns] - at[1]
    u, v = dx * math.cos(turn) + dy * math.sin(turn), (dy * math.cos(turn) - dx * math.sin(turn)) / squeeze
    round_ = (u * u + v * v) / radius**2
    inside = round_ < 1
    canvas[rows, columns][inside] = shade * (1 - 0.45 * round_[inside])[:, None]


def _noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    """Return smooth noise [h, w] of about unit variance, whose features have the size `scale`."""
    step = max(1.0, scale * min(shape))
    coarse = rng.standard_normal((math.ceil(shape[0] / step) + 2, math.ceil(shape[1] / step) + 2), dtype=np.float32)
    smooth = Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(smooth)


def _rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    """Return the colour of a hue, a saturation and a value as float32 [3], 0..1."""
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32)


def _shift(mask: np.ndarray, light: tuple[float, float], distance: float) -> np.ndarray:
    """Return the soft shadow of a mask: the mask moved along the light and blurred by half that distance."""
    blurred = ndimage.uniform_filter(mask, max(1, round(abs(distance) * 1.2)))
    down, right, edge = round(light[1] * distance), round(light[0] * distance), math.ceil(abs(distance))
    padded = np.pad(blurred, edge)
    return padded[edge - down : edge - down + mask.shape[0], edge - right : edge - right + mask.shape[1]]


def _expose(rng: np.random.Generator, canvas: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the picture, uint8 [H, W, 3]: the average of each pixel's samples, with sensor noise."""
    pixels = np.zeros((*size, 3), np.float32)
    for i in range(FINE * FINE):
        pixels += canvas[i // FINE :: FINE, i % FINE :: FINE]
    pixels *= np.float32(rng.uniform(0.86, 1.1) / FINE**2) * rng.uniform(0.96, 1.04, 3).astype(np.float32)
    blur = rng.uniform(0.2, 0.55)
    pixels = np.clip(ndimage.gaussian_filter(pixels, (blur, blur, 0)), 0, 1)
    noise = rng.standard_normal(pixels.shape, dtype=np.float32) * np.sqrt(0.0001 + rng.uniform(0.0002, 0.0012) * pixels)
    exposed: np.ndarray = (np.clip(pixels + noise, 0, 1) * 255 + 0.5).astype(np.uint8)
    return exposed
