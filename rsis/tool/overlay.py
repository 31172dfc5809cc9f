"""Paint coloured and numbered objects over a picture, alike in reports, result files and on the web page."""

import functools
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt, find_objects

from rsis.masks import bands, resize_map

# Paul Tol's muted scheme and three colours of his vibrant scheme, ordered so that consecutive numbers differ most
# with the common colour-vision deficiencies. From the thirteenth object on colours repeat, and only the number differs.
PALETTE = np.array(
    [
        (51, 34, 136), (238, 119, 51), (17, 119, 51), (136, 204, 238), (204, 102, 119), (221, 204, 119),
        (136, 34, 85), (68, 170, 153), (0, 119, 187), (153, 153, 51), (170, 68, 153), (238, 51, 119),
    ]
)  # fmt: skip
GREY = np.array([110, 110, 110])
_FILL, _WASH = 0.55, 0.35  # opacity of the object's colour; opacity of white over the grey image
_LONG, _SHORT = 288, 192  # pixels: wanted length of the longer side, least length of the shorter side
_LONGEST = 2048  # pixels: most of the longer side of what is enlarged, so that a narrow strip does not become huge
_NUMBERED = 2**20  # pixels among which the place of an object's number is looked for


def enlarge(image: Image.Image, *, shrink: bool = True) -> Image.Image:
    """Scale an image with a Lanczos filter so that numbers on it are legible; factors above 1.5 are whole numbers.

    An image much longer than wide is enlarged less, or not at all: its longer side becomes at most 2048 pixels long.

    Args:
        image: An image of any size.
        shrink: Whether to scale a large image down, as for a page; otherwise it is returned as it is.
    """
    short, long = sorted(image.size)
    scale = min(max(_SHORT / short, _LONG / long), max(1.0, _LONGEST / long))
    scale = float(round(scale)) if scale > 1.5 else scale
    if scale <= 1 and not shrink:
        return image
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def paint(
    image: Image.Image, instance_map: np.ndarray, numbers: dict[int, int | None], hatched: set[int]
) -> Image.Image:
    """Paint objects over a pale grey version of the image.

    Args:
        image: RGB or grey, of any size.
        instance_map: int [H, W], 0 = background; resized to the image's size.
        numbers: For each value of the instance map, the number to write on the object, which also decides its colour;
            None paints the object grey, without a number.
        hatched: Values of the instance map whose objects are painted with stripes.
    """
    return paint_over(image.convert("RGB"), instance_map, numbers, hatched)


def paint_over(
    picture: Image.Image, instance_map: np.ndarray, numbers: dict[int, int | None], hatched: set[int]
) -> Image.Image:
    """Do the same as `paint`, on the picture itself, which is RGB; return it."""
    size = (picture.height, picture.width)
    big = instance_map if instance_map.shape == size else resize_map(instance_map, size)
    colors = np.zeros((int(instance_map.max(initial=0)) + 1, 3))
    for instance_id, number in numbers.items():
        colors[instance_id] = GREY if number is None else PALETTE[(number - 1) % len(PALETTE)]
    for rows in bands(big):
        grey = np.asarray(picture.crop((0, rows.start, picture.width, rows.stop)).convert("L"))
        picture.paste(
            Image.fromarray(_paint_band(grey, big, (rows.start, rows.stop), colors, hatched)), (0, rows.start)
        )
    draw = ImageDraw.Draw(picture)
    boxes = find_objects(big)
    for instance_id, number in numbers.items():
        if number is not None and 0 < instance_id <= len(boxes) and boxes[instance_id - 1] is not None:
            _write_number(draw, big, instance_id, boxes[instance_id - 1], number)
    return picture


def _paint_band(
    grey: np.ndarray, big: np.ndarray, band: tuple[int, int], colors: np.ndarray, hatched: set[int]
) -> np.ndarray:
    """Return uint8 [h, W, 3], the painted rows first..last-1 of an image, of which these rows are grey, [h, W]."""
    first, last = band
    part = big[first:last]
    base = (1 - _WASH) * grey[..., None].astype(float) + _WASH * 255
    color = colors[part]
    rows, columns = np.arange(first, last)[:, None], np.arange(part.shape[1])
    stripe = np.isin(part, sorted(hatched)) & ((rows + columns) % 10 < 5)
    share = np.where(part > 0, np.where(stripe, _FILL / 3, _FILL), 0)[..., None]
    painted = (1 - share) * base + share * color
    above, below = min(first, 2), min(big.shape[0] - last, 2)
    edge = _edges(big[first - above : last + below], above, below)
    painted[edge] = 0.75 * color[edge]
    rounded: np.ndarray = painted.round().astype(np.uint8)
    return rounded


def _edges(instance_map: np.ndarray, above: int, below: int) -> np.ndarray:
    """Return bool [h, W]: object pixels within two pixels of another object, the background or the image's border.

    Args:
        instance_map: [above + h + below, W], with up to two rows more on both sides; beyond these is the border.
        above: Number of rows before the first one to judge.
        below: Number of rows after the last one.
    """
    padded = np.pad(instance_map, ((2 - above, 2 - below), (2, 2)))
    height, width = padded.shape[0] - 4, padded.shape[1] - 4
    middle = padded[2 : 2 + height, 2 : 2 + width]
    inner = np.ones(middle.shape, bool)
    for dy, dx in ((0, 2), (4, 2), (2, 0), (2, 4), (1, 1), (1, 3), (3, 1), (3, 3)):
        inner &= padded[dy : dy + height, dx : dx + width] == middle
    edges: np.ndarray = (middle > 0) & ~inner
    return edges


def _write_number(
    draw: ImageDraw.ImageDraw, instance_map: np.ndarray, instance_id: int, box: tuple[slice, slice], number: int
) -> None:
    """Write a number at the pixel of an object, which lies in `box`, that is farthest from the object's edge."""
    part = instance_map[box]
    step = max(1, math.ceil(math.sqrt(part.size / _NUMBERED)))  # of a large object every other pixel will do
    part = part[::step, ::step] == instance_id
    distance = step * distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(distance.argmax()), part.shape)
    row, column = row * step + box[0].start, column * step + box[1].start
    height, width = instance_map.shape
    size = int(np.clip(1.3 * distance.max(), 12, max(17, min(height, width) // 30)))
    # keep the whole number inside the image
    x = float(np.clip(column, size * len(str(number)) / 2, width - size * len(str(number)) / 2))
    y = float(np.clip(row, size / 2, height - size / 2))
    draw.text((x, y), str(number), "white", _font(size), "mm", stroke_width=2, stroke_fill=(20, 20, 20))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # the font that comes with Pillow, so it is the same on every machine
