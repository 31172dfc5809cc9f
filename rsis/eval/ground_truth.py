"""The truth of a split, read from the benchmark's raw annotations.

This reading shares nothing with the preparation of the training data: a fault there must show up as a bad
score and not cancel out.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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

    @abstractmethod
    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of the annotation."""

    @abstractmethod
    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], 0 = background, the other labels as annotated, perhaps with gaps."""

    @abstractmethod
    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true where the annotation says nothing."""

    @abstractmethod
    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects, crowd regions too, as pycocotools needs them; masks may overlap."""
