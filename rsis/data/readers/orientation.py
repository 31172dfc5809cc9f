"""The frame of a picture: its pixels as they are stored, and as its EXIF orientation, 1 to 8, has viewers show them."""

from pathlib import Path

import numpy as np
from PIL import Image

from rsis.data.readers.images import DAMAGE, unreadable
from rsis.files.embedded import open_picture

_ORIENTATION = 0x0112  # tag of EXIF and of TIFF
_METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned(array: np.ndarray, orientation: int) -> np.ndarray:
    """Return what is in the stored frame in the upright one.

    Args:
        array: [H, W] or [H, W, C] in the stored frame.
        orientation: EXIF orientation, 1..8.

    Returns:
        The same values; [W, H] or [W, H, C] for orientations 5..8.
    """
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def read_shown(path: Path, frame: int = 0) -> tuple[Image.Image, int]:
    """Return an image file as a viewer shows it, in the mode of the file, and its EXIF orientation, 1..8.

    Args:
        path: The file.
        frame: Position of the picture in a file of more than one.

    Raises:
        BadSampleError: The file cannot be read, is truncated, or is not an image.
    """
    try:
        # as a file: given a path, Pillow maps turned TIFF files of 8 bits into memory with the wrong width
        with open_picture(path) as file, Image.open(file) as image:
            if frame:
                image.seek(frame)
            orientation = orientation_of(image)
            image.load()
            # Pillow turns TIFF files itself when it loads them, and forgets the orientation
            method = None if image.format == "TIFF" else _METHODS.get(orientation)
            return image if method is None else image.transpose(method), orientation
    except DAMAGE as error:
        raise unreadable(path, error) from error


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1..8, of an image that is not loaded yet; 1 where it has none that is valid."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except DAMAGE:  # of a picture that can be read otherwise
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1
