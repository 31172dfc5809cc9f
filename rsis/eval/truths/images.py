"""Reading of annotations that are image files; every kind of damage raises the same error."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from rsis.errors import UserError
from rsis.machine.pixels import too_many_pixels

# what Pillow raises for damaged files; the type depends on the place of the damage
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def read_image(path: Path, remedy: str) -> Image.Image:
    """Return an image with all its pixels, in the mode of the file.

    Raises:
        UserError: The file cannot be read, is truncated or is not an image; the message ends with `remedy`.
    """
    with _opened(path, remedy) as image:
        image.load()
        return image


def size_of(path: Path, remedy: str) -> tuple[int, int]:
    """Return (H, W) from the header of an image file; raise UserError as `read_image` does."""
    with _opened(path, remedy) as image:
        return image.height, image.width


@contextmanager
def _opened(path: Path, remedy: str) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except Image.DecompressionBombError as error:
        raise UserError(f"{path}: {too_many_pixels(error)}") from error
    except _DAMAGE as error:
        raise UserError(f"{path}: cannot read ({' '.join(str(error).split())}); {remedy}") from error
