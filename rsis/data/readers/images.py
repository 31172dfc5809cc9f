"""Reading of image files into arrays, with one exception for all kinds of damage."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from rsis.data.readers.base import BadSampleError
from rsis.machine.pixels import array_of, too_many_pixels
from rsis.masks import relabel
from rsis.structures import RawSample

# what Pillow raises for damaged files; the type depends on the place of the damage
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


def read_image(path: Path) -> Image.Image:
    """Read an image file completely, in the mode of the file.

    Raises:
        BadSampleError: The file cannot be read, is truncated, or is not an image.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except DAMAGE as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> BadSampleError:
    """Return the error of a file that Pillow or tifffile cannot read."""
    if isinstance(error, Image.DecompressionBombError):
        return BadSampleError(f"{path}: {too_many_pixels(error)}")
    return BadSampleError(f"{path}: not a readable image ({' '.join(str(error).split())}); restore the file")


def one_class_sample(
    image: np.ndarray, numbers: np.ndarray, image_id: str, *, frame_is_assumed: bool = False
) -> RawSample:
    """Return a sample in which all objects have class 1 and no pixel is ignored.

    Args:
        image: uint8 [H, W, 3].
        numbers: Integers [H, W], 0 = background, objects numbered from 1, perhaps with gaps.
        image_id: Name of the image.
        frame_is_assumed: See `RawSample`.
    """
    instance_map = relabel(numbers)
    return RawSample(
        image=image,
        instance_map=instance_map,
        class_ids=np.ones(int(instance_map.max(initial=0)), np.int64),
        ignore_mask=np.zeros(instance_map.shape, bool),
        image_id=image_id,
        frame_is_assumed=frame_is_assumed,
    )


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image bilinearly, with antialiasing when it becomes smaller.

    Args:
        image: uint8 [H, W, 3].
        size: (H, W) of the result.

    Returns:
        uint8 [H, W, 3] of that size; `image` itself when it has the size already.
    """
    if image.shape[:2] == size:
        return image
    return array_of(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))
