"""The interface of the ground truth of a split, which is read from raw annotations.

The classes here do not use the readers of the training data: a bug in a reader must show as a bad score, and must not
cancel out.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rsis.machine.pool import map_in_processes
from rsis.masks import RLE


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


class CachedTruth(GroundTruth):
    """A ground truth that keeps the sizes and objects of images in memory, where run-length encodings are small.

    They are read once, in worker processes. Without this class each scorer and each table would decode all annotations
    again.

    Args:
        source: The ground truth to read from; it also provides everything else.
        image_ids: The images whose sizes and objects are read.
        workers: Number of processes; None chooses it (see `map_in_processes`). The objects do not depend on it.

    Raises:
        UserError: An annotation is missing or malformed.
    """

    def __init__(self, source: GroundTruth, image_ids: Sequence[str], workers: int | None = None) -> None:
        super().__init__(source.image_ids, source.class_names)
        self._source = source
        read = map_in_processes(_ReadImage(source), image_ids, workers)
        self._cache = dict(zip(image_ids, read, strict=True))

    def image_path(self, image_id: str) -> Path:
        """Return the source's path of the picture."""
        return self._source.image_path(image_id)

    def page(self, image_id: str) -> int | None:
        """Return the source's page of the picture."""
        return self._source.page(image_id)

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) from the cache."""
        return self._cache[image_id][0]

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return the source's instance map, which is not cached."""
        return self._source.instance_map(image_id)

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return the source's ignore mask, which is not cached."""
        return self._source.ignore_mask(image_id)

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects and the crowd regions from the cache."""
        return self._cache[image_id][1]


class _ReadImage:
    """Function that reads the size and the objects of one image; it is sent once to each process."""

    def __init__(self, source: GroundTruth) -> None:
        self._source = source

    def __call__(self, image_id: str) -> tuple[tuple[int, int], tuple[TrueObject, ...]]:
        return self._source.size(image_id), self._source.annotations(image_id)
