"""The truth of a split, read from the benchmark's raw annotations.

This reading shares nothing with the preparation of the training data: a fault there must show up as a bad
score and not cancel out.
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
        rle: Its mask.
        class_id: 1..K-1.
        area: Pixels, as the annotation says where it does (COCO sorts objects into sizes by it).
        iscrowd: It stands for a group: found or not, it counts for nothing.
    """

    rle: RLE
    class_id: int
    area: float
    iscrowd: bool


class GroundTruth(ABC):
    """The annotated images of a split; each is read when it is asked for.

    Attributes:
        image_ids: Unique names, in the order of the split.
        class_names: Names of classes 1..K-1.
    """

    def __init__(self, image_ids: Sequence[str], class_names: Sequence[str]) -> None:
        self.image_ids = tuple(image_ids)
        self.class_names = tuple(class_names)

    @abstractmethod
    def image_path(self, image_id: str) -> Path:
        """Return where the picture itself is."""

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of the annotation."""
        height, width = self.instance_map(image_id).shape
        return height, width

    @abstractmethod
    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], 0 = background, the other labels as annotated, perhaps with gaps."""

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true where the annotation says nothing; nowhere, if the format has no such pixels."""
        return np.zeros(self.size(image_id), bool)

    @abstractmethod
    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects, crowd regions too, as pycocotools needs them; masks may overlap."""


class CachedTruth(GroundTruth):
    """A truth whose objects were read once, by several processes, and are kept: as run lengths they are small.

    All scorers and tables ask for them, and each time whole annotations would be decoded.

    Args:
        source: Gives everything but the objects, image by image.
        image_ids: The images whose objects are read.
        workers: Processes; None for as many as pay. The objects do not depend on it.

    Raises:
        UserError: An annotation is missing or malformed.
    """

    def __init__(self, source: GroundTruth, image_ids: Sequence[str], workers: int | None = None) -> None:
        super().__init__(source.image_ids, source.class_names)
        self._source = source
        facts = map_in_processes(_ReadImage(source), image_ids, workers)
        self._facts = dict(zip(image_ids, facts, strict=True))

    def image_path(self, image_id: str) -> Path:
        """Return what the source does."""
        return self._source.image_path(image_id)

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) as it was read."""
        return self._facts[image_id][0]

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return what the source does."""
        return self._source.instance_map(image_id)

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return what the source does."""
        return self._source.ignore_mask(image_id)

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects as they were read."""
        return self._facts[image_id][1]


class _ReadImage:
    """What is read of one image; sent once to every process."""

    def __init__(self, source: GroundTruth) -> None:
        self._source = source

    def __call__(self, image_id: str) -> tuple[tuple[int, int], tuple[TrueObject, ...]]:
        return self._source.size(image_id), self._source.annotations(image_id)
