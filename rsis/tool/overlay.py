"""Numbered, coloured objects painted over a picture; the same in reports, results and on the web page."""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt

from rsis.masks import resize_map

# Paul Tol's muted scheme and three of his vibrant one, ordered so that neighbours in number differ most
# under the common colour-vision deficiencies. From the thirteenth object on, the number tells them apart.
PALETTE = np.array(
    [
        (51, 34, 136), (238, 119, 51), (17, 119, 51), (136, 204, 238), (204, 102, 119), (221, 204, 119),
        (136, 34, 85), (68, 170, 153), (0, 119, 187), (153, 153, 51), (170, 68, 153), (238, 51, 119),
    ]
)  # fmt: skip
GREY = np.array([110, 110, 110])
_FILL, _WASH = 0.55, 0.35  # share of the object's colour; share of white over the grey image
_LONG, _SHORT = 288, 192  # pixels: the longer side's aim, the shorter side's least


def enlarge(image: Image.Image, *, shrink: bool = True) -> Image.Image:
    """Scale an image so that numbers on it can be read, by Lanczos: up by a whole factor where that fits.

    Args:
        image: Of any size.
        shrink: Whether a large one is made smaller, as suits a page; otherwise it stays as it is.
    """
    short, long = sorted(image.size)
    scale = max(_SHORT / short, _LONG / long)
    scale = float(round(scale)) if scale > 1.5 else scale
    if scale <= 1 and not shrink:
        return image
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def paint(image: Image.Image, labels: np.ndarray, numbers: dict[int, int | None], hatched: set[int]) -> Image.Image:
    """Paint objects over the washed-out image.

    Args:
        image: RGB or grey, of any size.
        labels: int [H, W], 0 = background; brought to the image's size.
        numbers: The number that each label gets, with the number's colour; None = grey without one.
        hatched: Labels that are striped.
    """
    big = resize_map(labels, (image.height, image.width))
    base = np.asarray(image.convert("L"), float)[..., None].repeat(3, axis=2)
    base = (1 - _WASH) * base + _WASH * 255
    colors = np.zeros((int(labels.max(initial=0)) + 1, 3))
    for label, number in numbers.items():
        colors[label] = GREY if number is None else PALETTE[(number - 1) % len(PALETTE)]
    color = colors[big]
    rows, columns = np.indices(big.shape)
    stripe = np.isin(big, sorted(hatched)) & ((rows + columns) % 10 < 5)
    share = np.where(big > 0, np.where(stripe, _FILL / 3, _FILL), 0)[..., None]
    painted = (1 - share) * base + share * color
    edge = _edges(big)
    painted[edge] = 0.75 * color[edge]
    picture = Image.fromarray(painted.round().astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for label, number in numbers.items():
        if number is not None:
            _write_number(draw, big == label, number)
    return picture


def _edges(labels: np.ndarray) -> np.ndarray:
    """Bool [H, W]: the pixels of an object within two of another label or of the border of the image."""
    padded = np.pad(labels, 2)
    height, width = labels.shape
    inner = np.ones(labels.shape, bool)
    for dy, dx in ((0, 2), (4, 2), (2, 0), (2, 4), (1, 1), (1, 3), (3, 1), (3, 3)):
        inner &= padded[dy : dy + height, dx : dx + width] == labels
    return (labels > 0) & ~inner


def _write_number(draw: ImageDraw.ImageDraw, mask: np.ndarray, number: int) -> None:
    """Write a number at the point of a mask that is farthest from its edge."""
    (rows,), (columns,) = (np.nonzero(mask.any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    distance = distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(distance.argmax()), part.shape)
    row, column = row + rows[0], column + columns[0]
    size = int(np.clip(1.3 * distance.max(), 12, max(17, min(mask.shape) // 30)))
    # Kept inside the image, where a number at the very border would be cut.
    x = float(np.clip(column, size * len(str(number)) / 2, mask.shape[1] - size * len(str(number)) / 2))
    y = float(np.clip(row, size / 2, mask.shape[0] - size / 2))
    draw.text((x, y), str(number), "white", _font(size), "mm", stroke_width=2, stroke_fill=(20, 20, 20))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # the font that Pillow has with it: the same on every machine
