"""What a reader of raw data offers, whatever the format behind it."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rsis.errors import UserError
from rsis.structures import RawSample


class BadSampleError(UserError):
    """One image or its annotation is there but broken, so that a preparation may leave it out.

    Faults of the whole, such as a missing folder or an annotation without its image, are plain UserError:
    they mean that the data is not what the user thinks, and nothing should be made of it.
    """


OnMissing = Callable[[Path, str], None]
"""What a reader does about a file that is not there: given its path, and a line that names it and a remedy.

When it returns, the image is left out.
"""


def refuse(_: Path, message: str) -> None:
    """Raise UserError: nothing is made of data that lacks a file."""
    raise UserError(message)


class SampleReader(Protocol):
    """The images of one split with their objects, read one at a time.

    A reader holds paths and small tables, never an open file: it is pickled to worker processes.

    Attributes:
        class_names: Name of each class; class_id i is `class_names[i - 1]`.
        image_ids: Names of the images, unique, in an order that depends on the data alone.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def image_ids(self) -> tuple[str, ...]: ...  # noqa: D102

    def read(self, image_id: str) -> RawSample:
        """Read one image.

        Raises:
            BadSampleError: Its files are there but broken.
        """
        ...
