"""Reading of annotations that are image files; every kind of damage raises the same error.

Masks are compared where a viewer shows the picture. A picture with an EXIF orientation is shown turned, and its
annotation may lie in the file's own frame; `PictureFrame` tells which, and `as_shown` turns it.
"""

import functools
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from rsis.errors import UserError
from rsis.files.embedded import open_picture
from rsis.machine.pixels import too_many_pixels
from rsis.splits.pages import is_described, is_tiff, open_tiff, pages_of

# what Pillow raises for damaged files; the type depends on the place of the damage
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: np.fliplr(np.rot90(pixels, -1)),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.fliplr(np.rot90(pixels, 1)),
    8: lambda pixels: np.rot90(pixels, 1),
}


@dataclass(frozen=True)
class PictureFrame:
    """How a picture lies in its file and how it is shown.

    Attributes:
        orientation: Its EXIF orientation, 1..8.
        stored: (H, W) of the pixels in the file.
        shown: (H, W) of the picture as it is shown.
    """

    orientation: int
    stored: tuple[int, int]
    shown: tuple[int, int]

    def has(self, size: tuple[int, ...]) -> bool:
        """Return whether an annotation of a size (H, W) belongs to the picture, in either frame."""
        return size in (self.stored, self.shown)

    def lies_as_stored(self, size: tuple[int, ...], annotated: Literal["upright", "stored"]) -> bool:
        """Return whether an annotation of a size (H, W) lies in the file's frame.

        Args:
            size: One of the two sizes.
            annotated: The frame of an annotation whose size fits both.
        """
        return size == self.stored and (self.stored != self.shown or annotated == "stored")

    def show(self, annotation: np.ndarray, annotated: Literal["upright", "stored"] = "upright") -> np.ndarray:
        """Return an annotation [H, W] as it lies on the picture that is shown."""
        stored = self.lies_as_stored(annotation.shape, annotated)
        return as_shown(annotation, self.orientation) if stored else annotation


def frame_of(path: Path, remedy: str, page: int = 0) -> PictureFrame:
    """Return a picture's frame from its header; raise UserError as `read_image` does.

    Args:
        path: The file.
        remedy: What to do about a damaged file.
        page: Position of the picture in a TIFF stack, from 0.
    """
    try:
        state = path.stat()
        return _frame(path, remedy, page, (state.st_mtime_ns, state.st_size))
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); {remedy}") from error


@functools.lru_cache(maxsize=16)  # of a PNG all pixels are decoded, since its orientation may stand behind them
def _frame(path: Path, remedy: str, page: int, _: tuple[int, int]) -> PictureFrame:
    if path.is_file() and is_tiff(path):
        return _tiff_frame(path, remedy, page)
    with _opened(path, remedy) as image:
        return _frame_of_image(image)


def frame_within(content: bytes, path: Path, remedy: str) -> PictureFrame:
    """Return the frame of a picture that stands inside of the file `path`; raise UserError as `read_image` does."""
    with _opened(path, remedy, content) as image:
        return _frame_of_image(image)


def _frame_of_image(image: Image.Image) -> PictureFrame:
    orientation = _orientation(image)
    size = (image.height, image.width)
    return PictureFrame(orientation, size, size if orientation < 5 else (image.width, image.height))


def _tiff_frame(path: Path, remedy: str, page: int) -> PictureFrame:
    """Return the frame by the tags of a TIFF file, which may hold types that Pillow does not know."""
    try:
        with open_tiff(path) as file:
            pages = pages_of(file)
            tag = pages[0].tags.get("Orientation")
            found = file.series[0] if is_described(file) else pages[min(page, len(pages) - 1)]
            height, width = (int(found.shape[found.axes.index(axis)]) for axis in "YX")
    except Exception as error:  # whatever tifffile raises for a damaged file
        raise UserError(f"{path}: cannot read ({' '.join(str(error).split())}); {remedy}") from error
    orientation = int(tag.value) if tag is not None and tag.value in range(1, 9) else 1
    return PictureFrame(orientation, (height, width), (height, width) if orientation < 5 else (width, height))


def as_shown(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Return pixels [H, W] or [H, W, C] of the stored frame as a viewer shows them."""
    return np.ascontiguousarray(_TURNS[orientation](pixels))


def read_image(path: Path, remedy: str, content: bytes | None = None) -> Image.Image:
    """Return an image with all its pixels, in the mode of the file.

    Args:
        path: The file.
        remedy: End of the message of an error.
        content: The image's own bytes if it stands inside of the file.

    Raises:
        UserError: The file cannot be read, is truncated or is not an image.
    """
    with _opened(path, remedy, content) as image:
        image.load()
        return image


def size_of(path: Path, remedy: str) -> tuple[int, int]:
    """Return (H, W) of a picture as it is shown, from its header; raise UserError as `read_image` does."""
    return frame_of(path, remedy).shown


def stored_size(path: Path, remedy: str) -> tuple[int, int]:
    """Return (H, W) of a file's pixels, from its header alone; raise UserError as `read_image` does."""
    with _opened(path, remedy) as image:
        return image.height, image.width


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(0x0112, 1)
    except _DAMAGE:  # a picture whose EXIF is broken is shown as it is stored
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


@contextmanager
def _opened(path: Path, remedy: str, content: bytes | None = None) -> Iterator[Image.Image]:
    try:
        # as a file: given a path, Pillow maps turned TIFF files of 8 bits into memory with the wrong width
        with open_picture(path) if content is None else io.BytesIO(content) as file, Image.open(file) as image:
            yield image
    except Image.DecompressionBombError as error:
        raise UserError(f"{path}: {too_many_pixels(error)}") from error
    except _DAMAGE as error:
        raise UserError(f"{path}: cannot read ({' '.join(str(error).split())}); {remedy}") from error
