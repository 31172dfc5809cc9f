"""Pictures as the network sees them: upright, RGB, 8 bits a channel.

One function reads pictures for training, for prediction and for the web page, so that a network meets the same pixels
in all of them. A camera that was turned stores its pixels turned, and an EXIF orientation, 1 to 8, that says how a
viewer has to show them. Here every picture is shown so. Its annotation may be in either frame:

    upright  as viewers and annotation tools show the picture
    stored   as the pixels lie in the file

    picture = read_picture(path, rules)
    frame = picture.frame_of(mask.shape, rules.annotated)
    if frame == "stored":
        mask = turned(mask, picture.orientation)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from rsis.data.readers.images import DAMAGE, to_rgb, unreadable

Frame = Literal["upright", "stored"]
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


@dataclass(frozen=True)
class PictureRules:
    """How the pictures of a data set are read.

    Attributes:
        intensity: Pixel values (low, high) that become 0 and 255, for pictures of more than 8 bits; None takes
            percentiles of each picture.
        channels: Positions, from 1, of the channels that become red, green and blue, or of the one that becomes grey;
            None takes the first three.
        page: Position, from 1, of the page of a TIFF stack; None takes a picture that has one page.
        annotated: Frame of the annotations where their size fits both frames.
    """

    intensity: tuple[float, float] | None = None
    channels: tuple[int, ...] | None = None
    page: int | None = None
    annotated: Frame = "upright"


PLAIN = PictureRules()


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        image: uint8 [H, W, 3], RGB, upright.
        orientation: EXIF orientation of the file, 1..8; 1 if it has none.
        stored_size: (H, W) of the pixels in the file; with orientations 5..8 those of `image` exchanged.
    """

    image: np.ndarray
    orientation: int
    stored_size: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of `image`."""
        return self.image.shape[0], self.image.shape[1]

    def frame_of(self, size: tuple[int, ...], annotated: Frame = "upright") -> Frame | None:
        """Return the frame of an annotation of a size (H, W): by its size, or `annotated` where both frames have it.

        None means that it fits neither.
        """
        if size == self.size == self.stored_size:
            return annotated if self.orientation != 1 else "upright"
        if size == self.size:
            return "upright"
        return "stored" if size == self.stored_size else None

    def is_assumed(self, size: tuple[int, ...]) -> bool:
        """Return whether the picture is turned and an annotation of a size (H, W) fits both frames."""
        return self.orientation != 1 and size == self.size == self.stored_size


def read_picture(path: Path, rules: PictureRules = PLAIN, page: int | None = None) -> Picture:
    """Read a picture and turn it upright.

    Args:
        path: The file.
        rules: How to read it.
        page: Position, from 0, of its page in a stack; None takes `rules.page`.

    Raises:
        BadSampleError: The file cannot be read, is truncated, is not an image or has axes that no rule chooses among.
    """
    image, orientation = read_shown(path)
    pixels = to_rgb(image, path)
    size = (pixels.shape[0], pixels.shape[1])
    return Picture(pixels, orientation, size if orientation < 5 else size[::-1])


def read_shown(path: Path) -> tuple[Image.Image, int]:
    """Return an image file as a viewer shows it, in the mode of the file, and its EXIF orientation, 1..8.

    Raises:
        BadSampleError: The file cannot be read, is truncated, or is not an image.
    """
    try:
        with Image.open(path) as image:
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
