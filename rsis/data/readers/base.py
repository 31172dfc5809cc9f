"""The interface of all readers of raw data."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rsis.errors import UserError
from rsis.structures import RawSample


class BadSampleError(UserError):
    """A file of one image exists but is broken; the preparation may leave the image out.

    Faults of the whole data set, such as a missing folder or an annotation without its image, are plain UserError:
    they mean that the data is not what the user thinks, so nothing should be prepared from it.
    """


OnMissing = Callable[[Path, str], None]
"""Callback of a reader for each missing file: (path, message); the message names the file and a remedy.

It may raise. When it returns, the reader leaves the image out.
"""


def refuse(_: Path, message: str) -> None:
    """Raise UserError with the message: the default for data that lacks a file."""
    raise UserError(message)


class SampleReader(Protocol):
    """The images of one split with their objects, read one at a time.

    A reader has paths and small tables as attributes, never an open file: it is pickled for worker processes.

    Attributes:
        class_names: Names of classes 1..K-1; class_id i is `class_names[i - 1]`.
        image_ids: Names of the images, unique, in an order that depends only on the data.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def image_ids(self) -> tuple[str, ...]: ...  # noqa: D102

    def read(self, image_id: str) -> RawSample:
        """Read one image.

        Raises:
            BadSampleError: A file of the image is broken.
        """
        ...


def notes_of(reader: SampleReader) -> tuple[str, ...]:
    """Return a line for each thing that a reader left out, merged or found in another place; of most formats none."""
    return tuple(getattr(reader, "notes", ()))
