"""How the pictures of a data set are read: its keys of the data set, recorded in prepared files and checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Position = Annotated[int, Field(ge=1)]
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

    __pydantic_config__ = ConfigDict(extra="forbid")

    intensity: tuple[_Finite, _Finite] | None = None
    channels: Annotated[tuple[_Position, ...], Field(min_length=1, max_length=3)] | None = None
    page: _Position | None = None
    annotated: Frame = "upright"

    @classmethod
    def from_reading(cls, reading: Mapping[str, Any]) -> "PictureRules":
        """Return the rules among the keys that a prepared file records."""
        keys = ("intensity", "channels", "page", "annotated")
        return TypeAdapter(cls).validate_python({key: reading[key] for key in keys if key in reading})


PLAIN = PictureRules()
