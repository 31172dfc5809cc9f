"""The most pixels of a picture that is opened.

A file of some kilobytes can declare a picture that fills the memory. So Pillow refuses pictures above a limit. The user
can raise it, by an option or a key; the value also holds in worker processes, which inherit the environment.
"""

import os
import warnings

import numpy as np
from PIL import Image

_BAND = 1 << 18  # pixels that are copied at a time
MOST_PIXELS = 178_956_970  # Pillow's own limit
_VARIABLE = "RSIS_MAX_PIXELS"


def allow_pixels(most: int | None) -> None:
    """Let this process, and those that it starts, open pictures of up to `most` pixels.

    None stands for the limit that holds without a key: that of the option, or of the process that started this one, or
    `MOST_PIXELS`.
    """
    limit = _AT_FIRST if most is None else most
    os.environ[_VARIABLE] = str(limit)
    _apply(limit)


def _apply(most: int) -> None:
    Image.MAX_IMAGE_PIXELS = -(-most // 2)  # Pillow refuses what has more than twice as many
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def array_of(image: Image.Image) -> np.ndarray:
    """Return the pixels of an image as np.asarray does, but without two further copies of a large one on the way."""
    rows = max(1, _BAND // max(1, image.width))
    if rows >= image.height:
        return np.asarray(image)
    first = np.asarray(image.crop((0, 0, image.width, rows)))
    pixels = np.empty((image.height, *first.shape[1:]), first.dtype)
    pixels[:rows] = first
    for top in range(rows, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


def too_many_pixels(error: Image.DecompressionBombError) -> str:
    """Return what an error message says of a picture above the limit, with what to do."""
    found = "".join(char if char.isdigit() else " " for char in str(error)).split()
    limit = os.environ.get(_VARIABLE, str(MOST_PIXELS))
    pixels = found[0] if found else "more"
    return (
        f"has {pixels} pixels, at most {limit} are read; if it is a picture of yours, allow more: "
        "the key max_pixels of a data set, or --max-pixels of rsis init, predict-images and demo-app"
    )


_given = os.environ.get(_VARIABLE, "")
_AT_FIRST = int(_given) if _given.isdecimal() else MOST_PIXELS
_apply(_AT_FIRST)
