"""The pixels of instance maps and masks of users' data, read for the scorers.

A pixel of a map has one number: a grey value, a palette's index, or for a colour 65536 R + 256 G + B. A pixel of a mask
belongs to the object if its number, or one of its colours, is above 0; alpha channels do not count. A file that has an
orientation of its own is turned by it.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from rsis.errors import UserError
from rsis.eval.truths.images import PictureFrame, as_shown, frame_of, read_image
from rsis.machine.pixels import array_of, too_many_pixels
from rsis.masks import bands
from rsis.splits.pages import is_described, is_tiff, open_tiff, pages_of, planes_of, refuse_bomb

_MODES = ("1", "L", "P", "I", "F", "LA", "PA", "RGB", "RGBA")
_NUMBERS = (0, 1, 2, 3, 6)  # photometric interpretations of TIFF: grey, RGB, palette, and JPEG's colours


@dataclass(frozen=True)
class Pixels:
    """The pixels of one annotation file or page.

    Attributes:
        values: [H, W] numbers or [H, W, C] colours, of the file's type, as shown by its own orientation.
        is_turned: Whether the file has an orientation of its own.
    """

    values: np.ndarray
    is_turned: bool

    def on(self, frame: PictureFrame, path: Path, remedy: str, annotated: str, marks: np.ndarray) -> np.ndarray:
        """Return `marks` [H, W] of these pixels as they lie on the picture that is shown.

        Raises:
            UserError: The size fits neither frame of the picture.
        """
        if not frame.has(marks.shape):
            raise UserError(f"{path}: has {marks.shape} pixels, its picture {frame.shown}; {remedy}")
        return frame.show(marks, "stored" if annotated == "stored" and not self.is_turned else "upright")


def numbers_of(path: Path, pixels: Pixels, remedy: str) -> np.ndarray:
    """Return integers [H, W] of the pixels of a map.

    Raises:
        UserError: A number is not whole, or there are more channels than those of a colour.
    """
    values = pixels.values
    if values.ndim == 3 and values.shape[2] == 2:  # grey with alpha
        values = values[..., 0]
    if values.ndim == 3:
        if values.shape[2] not in (3, 4) or values.dtype not in (np.uint8, np.uint16):
            raise UserError(f"{path}: has {values.shape[2]} channels; expected a number or a colour a pixel; {remedy}")
        base = 256 if values.dtype == np.uint8 else 65536
        weights = np.array([base * base, base, 1], np.int64)
        numbers = np.empty(values.shape[:2], np.int32 if base == 256 else np.int64)
        for rows in bands(values):
            numbers[rows] = values[rows, :, :3].astype(np.int64) @ weights
        return numbers
    if values.dtype.kind == "f":
        return _whole_numbers(path, values, remedy)
    return values.astype(np.uint8) if values.dtype.kind == "b" else values


def _whole_numbers(path: Path, values: np.ndarray, remedy: str) -> np.ndarray:
    numbers = np.empty(values.shape, np.int64)
    for rows in bands(values):
        band = values[rows].astype(np.float64)
        whole = np.isfinite(band) & (np.abs(band) < 2.0**62)
        whole &= np.where(whole, band, 0.5) % 1 == 0
        if not whole.all():
            raise UserError(f"{path}: has the number {band[~whole][0]:g}; expected whole ones; {remedy}")
        numbers[rows] = band
    return numbers


def is_object(pixels: Pixels) -> np.ndarray:
    """Return bool [H, W], true where a mask has its object."""
    values = pixels.values
    if values.ndim == 3:
        values = values[..., : 3 if values.shape[2] > 2 else 1].max(axis=2)
    return np.asarray(values > 0)


def page_count(path: Path) -> int:
    """Return how many masks a file holds, one on each page."""
    return planes_of(path).pages


def read_pixels(path: Path, page: int, remedy: str, *, palette_colours: bool) -> Pixels:
    """Read the pixels of an annotation file.

    Args:
        path: The file.
        page: Position of its page, from 0.
        remedy: What to do about a damaged file.
        palette_colours: Whether a palette's colours are wanted, not its indices.

    Raises:
        UserError: The file is damaged.
    """
    try:
        tiff = is_tiff(path)
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror}); {remedy}") from error
    turn = frame_of(path, remedy).orientation
    if not tiff:
        image = _frame(path, page, remedy)
        if image.mode not in _MODES and not image.mode.startswith("I;16"):
            raise _wrong_mode(path, image.mode, remedy)
        if _has_deep_colours(path, image):
            raise UserError(f"{path}: has 16 bits a colour; expected a number or an 8-bit colour a pixel; {remedy}")
        return Pixels(as_shown(_values(image, palette_colours), turn), turn != 1)
    try:
        with open_tiff(path) as file:
            if int(pages_of(file)[0].photometric) not in _NUMBERS:
                raise _wrong_mode(path, str(pages_of(file)[0].photometric.name), remedy)
            palette = int(pages_of(file)[0].photometric) == 3 and palette_colours
            values = None if palette else _tiff_page(file, page)
    except UserError:
        raise
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise _damaged(path, error, remedy) from error
        values = None
    except Exception as error:  # whatever tifffile raises for a damaged file
        raise _damaged(path, error, remedy) from error
    if values is None:  # Pillow turns it
        image = _frame(path, page, remedy)
        if image.mode not in _MODES and not image.mode.startswith("I;16"):
            raise _wrong_mode(path, image.mode, remedy)
        return Pixels(_values(image, palette_colours), turn != 1)
    return Pixels(as_shown(values, turn), turn != 1)


def _tiff_page(file, page: int) -> np.ndarray:  # type: ignore[no-untyped-def]  # a tifffile.TiffFile
    """Return [H, W] or [H, W, C] as stored."""
    first = pages_of(file)[0]
    if is_described(file):
        series = file.series[0]
        height, width = (series.shape[series.axes.index(axis)] for axis in "YX")
        single = len(series.pages) > 1  # a page of the file is a page of the stack
        refuse_bomb(height * width if single else math.prod(series.shape))
        whole = file.asarray(key=page, series=0) if single else series.asarray()
        last = series.axes.endswith("S")
        shape = (-1, height, width, series.shape[-1]) if last else (-1, height, width)
        values = whole.reshape(shape)[0 if single else page]
    else:
        found = pages_of(file)
        one = found[0] if found[0].axes.startswith("S") else found[page]
        refuse_bomb(math.prod(one.shape))
        values = one.asarray() if one is not found[0] or not one.axes.startswith("S") else one.asarray()[page]
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if int(first.photometric) == 0 and values.dtype == np.bool_:  # 0 is white
        return np.asarray(~values)
    if int(first.photometric) == 0 and values.dtype == np.uint8:
        return np.asarray(255 - values)
    return np.asarray(values)


def _has_deep_colours(path: Path, image: Image.Image) -> bool:
    """Return whether Pillow has cut off the lower 8 bits of the colours of a PNG file."""
    with path.open("rb") as file:
        header = file.read(26)
    return header[:4] == b"\x89PNG" and header[24] == 16 and not image.mode.startswith("I")


def _frame(path: Path, page: int, remedy: str) -> Image.Image:
    if not page:
        return read_image(path, remedy)
    try:
        with path.open("rb") as file, Image.open(file) as image:  # see `rsis.eval.truths.images`
            image.seek(page)
            image.load()
            return image
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise _damaged(path, error, remedy) from error


def _values(image: Image.Image, palette_colours: bool) -> np.ndarray:
    if image.mode == "PA":
        return array_of(image.convert("RGBA"))[..., :3] if palette_colours else array_of(image)[..., 0]
    if image.mode == "P" and palette_colours:
        return array_of(image.convert("RGB"))
    return array_of(image)[..., 0] if image.mode == "LA" else array_of(image)


def _wrong_mode(path: Path, mode: str, remedy: str) -> UserError:
    return UserError(f"{path}: has pixels of mode {mode}; expected a number or a colour a pixel; {remedy}")


def _damaged(path: Path, error: Exception, remedy: str) -> UserError:
    if isinstance(error, Image.DecompressionBombError):
        return UserError(f"{path}: {too_many_pixels(error)}")
    return UserError(f"{path}: cannot read ({' '.join(str(error).split())}); {remedy}")
