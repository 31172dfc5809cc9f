"""Pixels of TIFF files that Pillow reads wrongly or not at all: stacks, channels, and other types than uint8.

Pillow decodes all usual compressions, but has no stacks of channels, no float64 or int64, takes the upper 8 bits of
16-bit colours and reads uint32 as int32. tifffile knows all types and axes, but without its package of codecs only the
compressions deflate, packbits and LZMA. So tifffile says what a file holds and decodes what it can; Pillow decodes the
rest, page by page.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.images import DAMAGE, unreadable
from rsis.files.embedded import is_embedded, open_picture
from rsis.splits.pages import Planes, is_described, open_tiff, pages_of, refuse_bomb

if TYPE_CHECKING:
    import tifffile

_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # what undoes an orientation
_MISSING_CODEC = "imagecodecs"  # in tifffile's message


@dataclass(frozen=True)
class TiffPixels:
    """One page of a TIFF file.

    Attributes:
        pixels: [H, W] or, with channels or colours, [H, W, C]; of the file's type, as stored.
        orientation: The file's orientation, 1..8.
        is_colour: Whether the channels are red, green, blue and perhaps an alpha channel.
    """

    pixels: np.ndarray
    orientation: int
    is_colour: bool


def read_tiff(path: Path, planes: Planes, page: int | None, axis: str) -> TiffPixels | None:
    """Read one page of a TIFF file.

    Args:
        path: The file.
        planes: Its axes.
        page: Position of the page, from 0, on the axis; None for a file without pages.
        axis: Letter of the axis of pages.

    Returns:
        The page; None if Pillow reads it as it is meant, as its frame of that number: a grey, palette or colour
        picture of 8 bits or less.

    Raises:
        BadSampleError: The file is damaged or of a compression that neither library decodes.
    """
    try:
        refuse_bomb(planes.length("Y") * planes.length("X"))
        with open_tiff(path) as tiff:
            pages = pages_of(tiff)
            first = pages[0]
            tag = first.tags.get("Orientation")
            orientation = int(tag.value) if tag is not None and tag.value in range(1, 9) else 1
            is_colour = int(first.photometric) not in (0, 1)
            plain = first.dtype is not None and first.dtype in (np.bool_, np.uint8) and first.axes in ("YX", "YXS")
            has_alpha = not is_colour and tuple(map(int, first.extrasamples)) in ((1,), (2,))  # grey with alpha
            if plain and (is_colour or has_alpha or first.axes == "YX") and _is_frames(tiff, planes, page):
                return None
            pixels = _decode(tiff, path, planes, page, axis)
    except BadSampleError:
        raise
    except Exception as error:  # whatever tifffile raises for a damaged file
        raise unreadable(path, error) from error
    return TiffPixels(pixels[..., :1] if has_alpha else pixels, orientation, is_colour)


def _is_frames(tiff: "tifffile.TiffFile", planes: Planes, page: int | None) -> bool:
    """Return whether each page of the file is one of the directories that Pillow counts as frames."""
    if page is None:
        return planes.pages == 1 and pages_of(tiff)[0].index == 0
    return planes.pages == len(tiff.pages) and planes.axes in (f"{planes.axes[0]}YX", f"{planes.axes[0]}YXS")


def _decode(tiff: "tifffile.TiffFile", path: Path, planes: Planes, page: int | None, axis: str) -> np.ndarray:
    """Return [H, W] or [H, W, C] of a page."""
    axes, shape = planes.axes, planes.shape
    if page is not None:
        place = axes.index(axis)
        axes, shape = axes.replace(axis, ""), (*shape[:place], *shape[place + 1 :])
    if not is_described(tiff):
        found = _page(tiff, path, page or 0)
        if page is None and planes.stacks:  # the pages are channels
            found = np.stack([found, *(_page(tiff, path, number) for number in range(1, planes.pages))])
    elif page is not None and planes.axes[0] == axis and len(tiff.series[0].pages) == planes.pages:
        each = planes.pages // planes.length(axis)
        found = np.stack([_page(tiff, path, page * each + number) for number in range(each)])
    else:
        refuse_bomb(math.prod(planes.shape))
        whole = _series(tiff, path, planes.pages).reshape(planes.shape)
        found = whole if page is None else whole.take(page, axis=planes.axes.index(axis))
    found = found.reshape(shape)
    other = axes.replace("Y", "").replace("X", "")
    order = [axes.index(letter) for letter in ("Y", "X", *other)]
    return np.ascontiguousarray(found.transpose(order))


def _series(tiff: "tifffile.TiffFile", path: Path, planes: int) -> np.ndarray:
    try:
        return np.asarray(tiff.series[0].asarray())
    except ValueError as error:
        if _MISSING_CODEC not in str(error):
            raise
        return np.stack([_by_pillow(path, number) for number in range(planes)])


def _page(tiff: "tifffile.TiffFile", path: Path, number: int) -> np.ndarray:
    page = pages_of(tiff)[number]
    try:
        return np.asarray(page.asarray())
    except ValueError as error:
        if _MISSING_CODEC not in str(error):
            raise
        return _by_pillow(path, page.index, page.dtype)


def _by_pillow(path: Path, number: int, dtype: np.dtype | None = None) -> np.ndarray:
    """Return a page that Pillow decodes, in the frame in which it is stored."""
    try:
        with Image.open(open_picture(path) if is_embedded(path) else path) as file:
            image: Image.Image = file
            image.seek(number)
            back = _BACK.get(image.getexif().get(0x0112, 1))
            if image.mode not in ("1", "L", "P", "RGB", "RGBA", "LA", "I", "F") and not image.mode.startswith("I;16"):
                image = image.convert("RGB")
            image.load()  # and turns it
            pixels = np.asarray(image if back is None else image.transpose(back))
    except DAMAGE as error:
        raise unreadable(path, error) from error
    return pixels.view(np.uint32) if dtype == np.uint32 and pixels.dtype == np.int32 else pixels
