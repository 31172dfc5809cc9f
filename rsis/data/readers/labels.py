"""Instance maps and masks that are image files: which number, or which object, each pixel has.

    file                                    number of a pixel
    grey, whole numbers of any type         its value; 0 and below are background
    grey, float                             its value, which must be whole
    palette                                 its index, not its colour
    colours                                 65536 R + 256 G + B, so that each colour is an object and black background

Of a mask, the pixels of the object are those with a number, or any of red, green and blue, above 0; of a palette the
colour decides, since index 0 may be white. An alpha channel never counts. A file with an orientation of its own is
turned by it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.images import unreadable
from rsis.data.readers.orientation import read_shown, turned
from rsis.data.readers.tiff import read_tiff
from rsis.machine.pixels import array_of
from rsis.masks import bands, distinct
from rsis.splits.pages import Planes, is_tiff, planes_of

_GREY = ("1", "L", "I", "F")
_MOST_COLOURS = 256  # of a map; with more, and few pixels of each, it is a photo
_LEAST_PIXELS = 16  # a colour, on average


@dataclass(frozen=True)
class Labels:
    """One instance map or mask.

    Attributes:
        numbers: [H, W] numbers of any type, upright by the file's own orientation.
        has_orientation: Whether the file itself says how it is to be turned.
        is_colour: Whether the numbers are colours.
    """

    numbers: np.ndarray
    has_orientation: bool
    is_colour: bool


def read_map(path: Path, page: int | None) -> Labels:
    """Read an instance map.

    Args:
        path: The file.
        page: Position of its page, from 0, if it has more than one.

    Raises:
        BadSampleError: The file is damaged, its pixels are not one number or one colour, or it has pages and none is
            chosen.
    """
    labels = _read(path, page, palette_colours=False)
    if labels.is_colour:
        colours = len(distinct(labels.numbers))
        if colours > _MOST_COLOURS and colours * _LEAST_PIXELS > labels.numbers.size:
            raise BadSampleError(
                f"{path}: has {colours} colours on {labels.numbers.size} pixels, expected an object a colour, or a "
                "number a pixel; this is a photo, or was saved as JPEG: give the map"
            )
    return labels


def read_masks(path: Path) -> list[Labels]:
    """Read a file of masks: one mask, or one on each page of a stack; `numbers` is bool.

    Raises:
        BadSampleError: As for `read_map`.
    """
    return [Labels(labels.numbers > 0, labels.has_orientation, labels.is_colour) for labels in read_mask_numbers(path)]


def read_mask_numbers(path: Path) -> list[Labels]:
    """Read a file of masks as `read_masks` does, with the numbers of the pixels."""
    pages = planes_of(path).pages
    return [_read(path, page if pages > 1 else None, palette_colours=True) for page in range(pages)]


def to_objects(path: Path, numbers: np.ndarray, ignore_value: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return integers [H, W], 0 = background and objects above it in the order of the numbers, and the ignored pixels.

    Args:
        path: The file, for messages.
        numbers: [H, W] of any type.
        ignore_value: The number of pixels that are not annotated; None if all are.

    Raises:
        BadSampleError: A number is not whole.
    """
    if numbers.dtype.kind == "f":
        numbers = _whole(path, numbers)
    ignored = np.zeros(numbers.shape, bool) if ignore_value is None else numbers == ignore_value
    if numbers.dtype == np.uint64:  # above what int64 holds: only the order counts
        found, given = distinct(numbers), numbers
        numbers = np.empty(given.shape, np.int64)
        for rows in bands(given):
            numbers[rows] = np.searchsorted(found, given[rows]) + (found[0] != 0)
    elif numbers.dtype.kind == "b":
        numbers = numbers.view(np.uint8)
    if ignore_value is None and numbers.min(initial=0) >= 0:
        return numbers, ignored
    objects = np.maximum(numbers, 0)
    objects[ignored] = 0
    return objects, ignored


def _whole(path: Path, numbers: np.ndarray) -> np.ndarray:
    """Return whole numbers of floating-point ones, [H, W]; raise BadSampleError if one is not whole."""
    largest = 0.0
    for rows in bands(numbers):
        band = numbers[rows].astype(np.float64)
        broken = band[~(np.isfinite(band) & (band == np.floor(band)) & (np.abs(band) < 2**62))]
        if broken.size:
            raise BadSampleError(
                f"{path}: has the number {broken[0]:g}, expected whole ones, a number for each object; save the map "
                "with whole numbers"
            )
        largest = max(largest, float(np.abs(band).max(initial=0)))
    return numbers.astype(np.int32 if largest < 2**31 else np.int64)


def _read(path: Path, page: int | None, *, palette_colours: bool) -> Labels:
    planes = planes_of(path)
    place, axis = _page(path, planes, page)
    try:
        found = read_tiff(path, planes, place, axis) if is_tiff(path) else None
    except OSError as error:
        raise unreadable(path, error) from error
    if found is not None:
        shown = turned(found.pixels, found.orientation)
        return _labels(path, shown, found.orientation, is_colour=found.is_colour and shown.ndim == 3)
    image, orientation = read_shown(path, place or 0)
    if image.mode in ("P", "PA") and palette_colours:
        image = image.convert("RGB")
    if image.mode in _GREY or image.mode.startswith("I;16"):
        return _labels(path, array_of(image), orientation, is_colour=False)
    deep = image.mode in ("LA", "RGB", "RGBA") and _has_deep_colours(path)
    if image.mode in ("P", "PA", "LA") and not deep:
        pixels = array_of(image)
        return _labels(path, pixels if pixels.ndim == 2 else pixels[..., 0], orientation, is_colour=False)
    if image.mode not in ("RGB", "RGBA") or deep:
        kind = "16 bits a colour" if deep else f"mode {image.mode}"
        raise BadSampleError(f"{path}: pixels of {kind}, expected a number or an 8-bit colour a pixel; save it as such")
    return _labels(path, array_of(image), orientation, is_colour=True)


def _labels(path: Path, pixels: np.ndarray, orientation: int, *, is_colour: bool) -> Labels:
    """Return [H, W] numbers of pixels [H, W] or colours [H, W, 3 or 4]."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 3:
        if not is_colour or pixels.dtype.itemsize > 2 or pixels.dtype.kind not in "bu":
            raise BadSampleError(
                f"{path}: has {pixels.shape[2]} channels of {pixels.dtype}, expected a number or a colour a pixel; "
                "save it as such"
            )
        bits = 8 * pixels.dtype.itemsize
        numbers = np.empty(pixels.shape[:2], np.int64 if bits > 8 else np.int32)
        for rows in bands(pixels):
            red, green, blue = (pixels[rows, :, k].astype(np.int64) for k in range(3))
            numbers[rows] = (red << 2 * bits) + (green << bits) + blue
        pixels = numbers
    return Labels(pixels, orientation != 1, is_colour)


def _page(path: Path, planes: Planes, page: int | None) -> tuple[int | None, str]:
    """Return the position of a page, and the letter of its axis; (None, "") for a file of one page."""
    axes = planes.axes.translate(dict.fromkeys(map(ord, "SYX")))
    if not axes:
        return None, ""
    if len(axes) > 1:
        raise BadSampleError(
            f"{path}: has {len(axes)} axes of pages ({planes}), expected one; save each page as a file"
        )
    if page is None or page >= planes.pages:
        raise BadSampleError(
            f"{path}: has {planes.pages} pages ({planes}), its picture has another number of them; save each picture "
            "and its map as files of their own, or choose one page with the data set's key page (rsis init --page 1)"
        )
    return page, axes


def _has_deep_colours(path: Path) -> bool:
    """Return whether a file is a PNG file with 16 bits a colour, of which Pillow keeps the upper 8."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[:4] == b"\x89PNG" and head[24] == 16
