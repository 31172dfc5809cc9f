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

import numpy as np

from rsis.data.readers.depth import percentiles_of, sampled, to_8_bits
from rsis.data.readers.orientation import turned
from rsis.data.readers.rules import PLAIN, Frame, PictureRules
from rsis.data.readers.values import read_values

__all__ = ["PLAIN", "Frame", "Picture", "PictureRules", "read_picture", "turned"]


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        image: uint8 [H, W, 3], RGB, upright.
        orientation: EXIF orientation of the file, 1..8; 1 if it has none.
        stored_size: (H, W) of the pixels in the file; with orientations 5..8 those of `image` exchanged.
        scaled_alone: Whether it has more than 8 bits and was scaled by percentiles of its own.
    """

    image: np.ndarray
    orientation: int
    stored_size: tuple[int, int]
    scaled_alone: bool = False

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

    def bring(self, annotation: np.ndarray, annotated: Frame = "upright") -> np.ndarray | None:
        """Return an annotation [H, W] in the frame of `image` (see `frame_of`); None if its size fits neither frame."""
        frame = self.frame_of(annotation.shape, annotated)
        if frame is None:
            return None
        return turned(annotation, self.orientation) if frame == "stored" else annotation

    def as_annotated(self, size: tuple[int, ...]) -> np.ndarray:
        """Return the picture in the frame of an annotation of a size (H, W): upright unless only the stored frame fits.

        The benchmarks' scorers compare masks in the frame of the annotation, so there the picture follows it.
        """
        if self.frame_of(size) != "stored":
            return self.image
        return np.ascontiguousarray(turned(self.image, {6: 8, 8: 6}.get(self.orientation, self.orientation)))

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
        BadSampleError: The file cannot be read, is truncated, is not an image, or has pages or channels that no rule
            chooses among.
    """
    values = read_values(path, rules, page)
    pixels = values.pixels
    own = pixels.dtype != np.uint8 and rules.intensity is None
    if pixels.dtype != np.uint8:
        pixels = to_8_bits(pixels, rules.intensity or percentiles_of([sampled(pixels)]) or (0.0, 1.0))
    image = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else np.ascontiguousarray(pixels)
    size = (image.shape[0], image.shape[1])
    return Picture(image, values.orientation, size if values.orientation < 5 else size[::-1], own)
