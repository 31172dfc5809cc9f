"""Image files as arrays, and one error for every way in which they can be broken."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from rsis.data.readers.base import BadSampleError
from rsis.masks import relabel
from rsis.structures import RawSample

# What Pillow raises for damaged files, depending on where the damage is
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


def read_image(path: Path) -> Image.Image:
    """Return the image with all its pixels read, in the mode of the file.

    Raises:
        BadSampleError: The file cannot be read, is truncated or is no image.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise BadSampleError(f"{path}: not a readable image ({reason}); restore the file") from error


def to_rgb(image: Image.Image, path: Path) -> np.ndarray:
    """Return uint8 [H, W, 3] of a grey, palette or colour image.

    Transparency is dropped and the colour under it kept. Of 16-bit grey the upper 8 bits are kept.

    Args:
        image: An image of any mode but 32-bit integer and float, whose range is not known.
        path: Its file, for the error.

    Raises:
        BadSampleError: The mode has no known range.
    """
    if image.mode.startswith("I;16"):
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise BadSampleError(f"{path}: pixels of mode {image.mode}, expected 8-bit or 16-bit ones; convert the file")
    return np.asarray(image.convert("RGB"))


def one_class_sample(image: np.ndarray, numbers: np.ndarray, image_id: str) -> RawSample:
    """Return a sample whose objects are all of class 1, and in which nothing is ignored.

    Args:
        image: uint8 [H, W, 3].
        numbers: Whole numbers [H, W], above 0 where an object is.
        image_id: Its name.
    """
    instance_map = relabel(numbers)
    return RawSample(
        image=image,
        instance_map=instance_map,
        class_ids=np.ones(int(instance_map.max(initial=0)), np.int64),
        ignore_mask=np.zeros(instance_map.shape, bool),
        image_id=image_id,
    )


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return uint8 [H, W, 3] of `size` (H, W): bilinear, with antialiasing where it shrinks; one of that size stays."""
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))
