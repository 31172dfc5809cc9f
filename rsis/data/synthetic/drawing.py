"""Drawing with polygons: a picture painted from figures, and the exact instance map that belongs to it.

Coordinates are (x, y), x to the right and y down. Coordinates of a placed figure are in pixels: pixel i covers i to
i + 1. The corners of an outline are rounded down to integers. Both the map and the picture use the rounded corners, so
that they always agree. Only the picture is antialiased.
"""

import colorsys
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]  # RGB, 0..255
Corners = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Part:
    """A polygon of one colour.

    Attributes:
        points: Corners (x, y), float [n, 2].
        colour: Colour before shading.
    """

    points: np.ndarray
    colour: Colour


@dataclass(frozen=True)
class Figure:
    """An object to draw: a silhouette, and coloured parts that are clipped to it.

    Attributes:
        outline: Polygons, each float [n, 2]; the silhouette is their union.
        base: Colour of the silhouette where no part is.
        parts: Parts in the order of painting.
        light: Relative increase of the brightness from left to right and from top to bottom.
        grain: Relative strength of the noise of the surface.
        grain_size: Distance between the noise values, in the unit of the points.
    """

    outline: tuple[np.ndarray, ...]
    base: Colour
    parts: tuple[Part, ...] = ()
    light: tuple[float, float] = (0.1, -0.2)
    grain: float = 0.0
    grain_size: float = 0.05

    def placed(self, scale: tuple[float, float], at: tuple[float, float]) -> "Figure":
        """Return the figure scaled by `scale` (x, y), where a negative factor mirrors it, and then moved by `at`."""
        stretch, shift = np.array(scale), np.array(at)
        return replace(
            self,
            outline=tuple(points * stretch + shift for points in self.outline),
            parts=tuple(Part(part.points * stretch + shift, part.colour) for part in self.parts),
            grain_size=self.grain_size * abs(scale[1]),
        )

    def box(self) -> tuple[int, int, int, int]:
        """Return the bounding box (left, top, right, bottom) in pixels; right and bottom are excluded."""
        points = np.floor(np.concatenate(self.outline)).astype(int)
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return left, top, right + 1, bottom + 1


def polygon(corners: Corners) -> np.ndarray:
    """Return the corners as float [n, 2]."""
    return np.array(corners, float)


def symmetric(right: Corners) -> np.ndarray:
    """Return a polygon that is symmetric to x = 0; `right` has the corners of its right half, from top to bottom."""
    half = polygon(right)
    return np.concatenate((half, half[::-1] * (-1, 1)))


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Return the corners of an axis-aligned rectangle."""
    return polygon([(left, top), (right, top), (right, bottom), (left, bottom)])


def arc(
    centre: tuple[float, float], radii: tuple[float, float], start: float = 0.0, stop: float = 360.0, count: int = 20
) -> np.ndarray:
    """Return `count` points of an ellipse from angle `start` to `stop`, in degrees; 0 is right and 90 is down."""
    angles = np.radians(np.linspace(start, stop, count))
    return np.stack((centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)), axis=1)


def bar(start: tuple[float, float], stop: tuple[float, float], width: float) -> np.ndarray:
    """Return a straight line of the given width as a polygon."""
    along = np.subtract(stop, start)
    across = np.array((-along[1], along[0])) * (width / 2 / max(math.hypot(*along), 1e-9))
    return np.stack((start + across, stop + across, stop - across, start - across))


def blob(
    rng: np.random.Generator, centre: tuple[float, float], radii: tuple[float, float], bumps: int, depth: float
) -> np.ndarray:
    """Return an ellipse with a bumpy edge, for a cloud, a fleece or the crown of a tree."""
    angles = np.linspace(0, 2 * math.pi, bumps * 5, endpoint=False)
    wave = np.abs(np.sin(angles * bumps / 2 + rng.uniform(0, math.pi)))
    reach = 1 - depth + depth * wave * rng.uniform(0.7, 1.0) + depth * 0.5 * np.sin(2 * angles + rng.uniform(0, 6))
    return np.stack((np.cos(angles), np.sin(angles)), axis=1) * reach[:, None] * radii + centre


def rgb(hue: float, saturation: float, value: float) -> Colour:
    """Return the colour of a hue (in turns, any number), a saturation and a value (both clipped to 0..1)."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(red * 255), round(green * 255), round(blue * 255)


def darker(colour: Colour, factor: float) -> Colour:
    """Return the colour with its brightness multiplied by `factor`; a factor above 1 makes it brighter."""
    red, green, blue = (min(round(channel * factor), 255) for channel in colour)
    return red, green, blue


def number_map(outlines: Iterable[Sequence[np.ndarray]], size: tuple[int, int], scale: float = 1.0) -> np.ndarray:
    """Draw outlines in order into an instance map.

    Args:
        outlines: At most 255 outlines; each is a list of polygons whose union is filled.
        size: (H, W) of the map.
        scale: Pixels of the map per pixel of the outlines.

    Returns:
        uint8 [H, W], at each pixel the number 1, 2, ... of the last outline that covers it, 0 = none.
    """
    image = Image.new("L", (size[1], size[0]))
    draw = ImageDraw.Draw(image)
    for number, polygons in enumerate(outlines, start=1):
        for points in polygons:
            draw.polygon(np.floor(points * scale).astype(int).ravel().tolist(), fill=number)
    return np.asarray(image)


def widen(mask: Image.Image, radius: int) -> Image.Image:
    """Dilate a mask of values 0 and 255 by a square that reaches `radius` pixels in each direction."""
    if radius == 0:
        return mask
    spread = mask.filter(ImageFilter.BoxBlur(radius))  # many times faster than a maximum filter
    return spread.point([0] + [255] * 255)


def samples_per_pixel(size: tuple[int, int]) -> int:
    """Return the number of samples along each side of a pixel: 1 in large images, where more would cost much time."""
    return 3 if max(size) <= 640 else 1


def paint(canvas: Image.Image, figure: Figure, rng: np.random.Generator, fine: int) -> None:
    """Paint a placed figure onto an RGB image, antialiased with `fine` x `fine` samples per pixel."""
    left, top, right, bottom = figure.box()
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, canvas.width), min(bottom, canvas.height)
    if left >= right or top >= bottom:
        return
    size, corner = (right - left, bottom - top), np.array((left, top))
    tile = Image.new("RGB", (size[0] * fine, size[1] * fine), figure.base)
    draw = ImageDraw.Draw(tile)
    for part in figure.parts:
        draw.polygon(np.floor((part.points - corner) * fine).astype(int).ravel().tolist(), fill=part.colour)
    mask = Image.new("L", tile.size)
    draw = ImageDraw.Draw(mask)
    for points in figure.outline:
        centres = (np.floor(points) - corner) * fine + fine // 2
        corners = centres.astype(int).ravel().tolist()
        draw.polygon(corners, fill=255)
        if fine > 1:  # the map covers each pixel that an edge touches; widen the mask by half a pixel to match it
            draw.line([*corners, *corners[:2]], fill=255, width=fine)
    if fine > 1:
        mask, tile = mask.reduce(fine), tile.reduce(fine)
    canvas.paste(ImageChops.multiply(tile, _shade(figure, rng, size)), (left, top), mask)


def shadow(canvas: Image.Image, at: tuple[float, float], radii: tuple[float, float], depth: float) -> None:
    """Darken a soft ellipse on the ground by up to the fraction `depth`."""
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    soft = np.clip(1.25 - 1.25 * np.hypot(x, y), 0, 1) * (255 * depth)
    size = max(round(2 * radii[0]), 1), max(round(2 * radii[1]), 1)
    mask = Image.fromarray(soft.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    canvas.paste((0, 0, 0), (round(at[0] - radii[0]), round(at[1] - radii[1])), mask)


def gradient(size: tuple[int, int], colours: Sequence[Colour]) -> Image.Image:
    """Return an RGB image of `size` (H, W) with a vertical gradient through the colours, the first at the top."""
    column = Image.fromarray(np.array(colours, np.uint8)[:, None])
    return column.resize((size[1], size[0]), Image.Resampling.BILINEAR)


def noise(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return standard normal noise, float32 [h, w]."""
    return rng.standard_normal(shape, dtype=np.float32)


def expose(canvas: Image.Image, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Simulate a camera's picture of a painted scene: uneven light, a colour cast, sensor noise.

    Args:
        canvas: The painted scene, RGB.
        rng: Random number generator.
        strength: Standard deviation of the noise, in grey values.

    Returns:
        uint8 [H, W, 3], RGB.
    """
    y, x = np.mgrid[-1:1:12j, -1:1:12j]
    right, down = rng.normal(0, 0.04, 2)
    light = 0.96 + right * x + down * y - rng.uniform(0.03, 0.12) * (x * x + y * y)
    cast = 1 - rng.uniform(0, 0.06, 3)
    veil = Image.fromarray((np.clip(light[..., None] * cast, 0, 1) * 255).astype(np.uint8))
    lit = ImageChops.multiply(canvas, veil.resize(canvas.size, Image.Resampling.BILINEAR))
    grey = np.rint(noise(rng, (canvas.height, canvas.width)) * np.float32(strength)).astype(np.int16)
    exposed: np.ndarray = np.clip(np.asarray(lit).astype(np.int16) + grey[..., None], 0, 255).astype(np.uint8)
    return exposed


def _shade(figure: Figure, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Return the brightness factor at each pixel of a figure, an RGB image of `size` (W, H); 255 = 1."""
    rows, columns = (min(max(round(n / max(figure.grain_size, 1)), 3), 96) for n in (size[1], size[0]))
    y, x = np.linspace(-0.5, 0.5, rows)[:, None], np.linspace(-0.5, 0.5, columns)[None]
    tone = 0.91 + figure.light[0] * x + figure.light[1] * y + figure.grain * noise(rng, (rows, columns))
    grey = Image.fromarray((np.clip(tone, 0, 1) * 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    return Image.merge("RGB", (grey, grey, grey))
