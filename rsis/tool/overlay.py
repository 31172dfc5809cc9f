"""Paint coloured and numbered objects over a picture, alike in reports, result files and on the web page."""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt

from rsis.masks import resize_map

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
_MOST = 4096  # pixels: a longer picture is not enlarged, nor up to more
_LONG, _SHORT = 288, 192  # pixels: wanted length of the longer side, least length of the shorter side


def enlarge(image: Image.Image, *, shrink: bool = True) -> Image.Image:
    """Scale an image with a Lanczos filter so that numbers on it are legible; factors above 1.5 are whole numbers.

    Args:
        image: An image of any size.
        shrink: Whether to scale a large image down, as for a page; otherwise it is returned as it is.
    """
    short, long = sorted(image.size)
    scale = min(max(_SHORT / short, _LONG / long), max(1.0, _MOST / long))  # a line of pixels stays a line
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
    big = resize_map(instance_map, (image.height, image.width))
    base = np.asarray(image.convert("L"), float)[..., None].repeat(3, axis=2)
    base = (1 - _WASH) * base + _WASH * 255
    colors = np.zeros((int(instance_map.max(initial=0)) + 1, 3))
    for instance_id, number in numbers.items():
        colors[instance_id] = GREY if number is None else PALETTE[(number - 1) % len(PALETTE)]
    color = colors[big]
    rows, columns = np.indices(big.shape)
    stripe = np.isin(big, sorted(hatched)) & ((rows + columns) % 10 < 5)
    share = np.where(big > 0, np.where(stripe, _FILL / 3, _FILL), 0)[..., None]
    painted = (1 - share) * base + share * color
    edge = _edges(big)
    painted[edge] = 0.75 * color[edge]
    picture = Image.fromarray(painted.round().astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for instance_id, number in numbers.items():
        if number is not None:
            _write_number(draw, big == instance_id, number)
    return picture


def _edges(instance_map: np.ndarray) -> np.ndarray:
    """Return bool [H, W]: object pixels within two pixels of another object, the background or the image's border."""
    padded = np.pad(instance_map, 2)
    height, width = instance_map.shape
    inner = np.ones(instance_map.shape, bool)
    for dy, dx in ((0, 2), (4, 2), (2, 0), (2, 4), (1, 1), (1, 3), (3, 1), (3, 3)):
        inner &= padded[dy : dy + height, dx : dx + width] == instance_map
    return (instance_map > 0) & ~inner


def _write_number(draw: ImageDraw.ImageDraw, mask: np.ndarray, number: int) -> None:
    """Write a number at the pixel of a mask that is farthest from the mask's edge."""
    (rows,), (columns,) = (np.nonzero(mask.any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    distance = distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(distance.argmax()), part.shape)
    row, column = row + rows[0], column + columns[0]
    size = int(np.clip(1.3 * distance.max(), 12, max(17, min(mask.shape) // 30)))
    # keep the whole number inside the image
    x = float(np.clip(column, size * len(str(number)) / 2, mask.shape[1] - size * len(str(number)) / 2))
    y = float(np.clip(row, size / 2, mask.shape[0] - size / 2))
    draw.text((x, y), str(number), "white", _font(size), "mm", stroke_width=2, stroke_fill=(20, 20, 20))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # the font that comes with Pillow, so it is the same on every machine
