"""How the pictures of a data set are read: its keys of the data set, recorded in prepared files and checkpoints."""

from dataclasses import dataclass
from typing import Literal

Frame = Literal["upright", "stored"]


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
