"""The interface of the ground truth of a split, which is read from raw annotations.

The classes here do not use the readers of the training data: a bug in a reader must show as a bad score, and must not
cancel out.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rsis.masks import RLE

Answer = TypeVar("Answer")
Truth = TypeVar("Truth", bound="GroundTruth")


@dataclass(frozen=True)
class TrueObject:
    """One annotated object.

    Attributes:
        rle: Mask at the image's original size.
        class_id: Class, 1..K-1.
        area: Area in pixels, from the annotation if it has one; it decides the size range in COCO's metrics.
        iscrowd: Whether this is a crowd region, an annotated group of objects, which is ignored in all scores.
    """

    rle: RLE
    class_id: int
    area: float
    iscrowd: bool


class GroundTruth(ABC):
    """The annotated images of a split; an image is read when one of the methods is called for it.

    Attributes:
        image_ids: Unique names, in the order of the split.
        class_names: Names of classes 1..K-1.
    """

    def __init__(self, image_ids: Sequence[str], class_names: Sequence[str]) -> None:
        self.image_ids = tuple(image_ids)
        self.class_names = tuple(class_names)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy for another process needs: all but the answers that `once_an_image` keeps."""
        return {key: value for key, value in self.__dict__.items() if not key.startswith("_last_")}

    @abstractmethod
    def image_path(self, image_id: str) -> Path:
        """Return the path of the picture."""

    def page(self, image_id: str) -> int | None:
        """Return the position of the picture's page in a TIFF stack, from 0; None for a file of one picture."""
        return None

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of the annotation."""
        height, width = self.instance_map(image_id).shape
        return height, width

    @abstractmethod
    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], 0 = background, objects numbered as annotated, perhaps with gaps."""

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true on pixels without annotation; all false if the format has no such pixels."""
        return np.zeros(self.size(image_id), bool)

    @abstractmethod
    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects and the crowd regions; their masks may overlap."""


def once_an_image(method: Callable[[Truth, str], Answer]) -> Callable[[Truth, str], Answer]:
    """Make a method keep its answer for the last image, since scoring asks for all of an image, then for the next.

    An array among the answers may not be changed afterwards. It is not kept in a copy for another process.
    """
    key = f"_last_{method.__name__}"

    @wraps(method)
    def answer(self: Truth, image_id: str) -> Answer:
        last: dict[str, Answer] | None = self.__dict__.get(key)
        if last is None or image_id not in last:
            last = self.__dict__[key] = {image_id: _read_only(method(self, image_id))}
        return last[image_id]

    return answer


def _read_only(answer: Answer) -> Answer:
    for item in answer if isinstance(answer, tuple) else (answer,):
        if isinstance(item, np.ndarray):
            item.setflags(write=False)
    return answer


class ReadOnce(GroundTruth):
    """A ground truth that asks another one only once for each answer about an image, and keeps those of the last image.

    Without this class each scorer and each table would read and decode the annotation again.

    Attributes:
        source: The ground truth to read from.
    """

    def __init__(self, source: GroundTruth) -> None:
        super().__init__(source.image_ids, source.class_names)
        self.source = source

    def image_path(self, image_id: str) -> Path:
        """Return the source's path of the picture."""
        return self.source.image_path(image_id)

    def page(self, image_id: str) -> int | None:
        """Return the source's page of the picture."""
        return self.source.page(image_id)

    @once_an_image
    def size(self, image_id: str) -> tuple[int, int]:
        """Return the source's size of the annotation."""
        return self.source.size(image_id)

    @once_an_image
    def instance_map(self, image_id: str) -> np.ndarray:
        """Return the source's instance map."""
        return self.source.instance_map(image_id)

    @once_an_image
    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return the source's ignore mask."""
        return self.source.ignore_mask(image_id)

    @once_an_image
    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the source's objects and crowd regions."""
        return self.source.annotations(image_id)
