"""A ground truth in memory, for tests of the scorers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rsis.eval.truths.base import GroundTruth, TrueObject
from rsis.masks import encode_rle


class MemoryTruth(GroundTruth):
    """A ground truth of given objects.

    Args:
        objects: (mask, class id) of the objects of each image, by image id.
        class_names: Names of classes 1..K-1.
        shape: (H, W) of all images.
        ignored: Ignore mask, bool [H, W], by image id; an image without one has no ignored pixels.
    """

    def __init__(
        self,
        objects: Mapping[str, Sequence[tuple[np.ndarray, int]]],
        class_names: Sequence[str],
        shape: tuple[int, int],
        ignored: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__(list(objects), class_names)
        self.objects = objects
        self.shape = shape
        self.ignored = ignored or {}

    def image_path(self, image_id: str) -> Path:
        return Path(image_id)

    def size(self, image_id: str) -> tuple[int, int]:
        return self.shape

    def instance_map(self, image_id: str) -> np.ndarray:
        labels = np.zeros(self.shape, np.int32)
        for number, (mask, _) in enumerate(self.objects[image_id], 1):
            labels[mask] = number
        return labels

    def ignore_mask(self, image_id: str) -> np.ndarray:
        return self.ignored.get(image_id, np.zeros(self.shape, bool))

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        objects = self.objects[image_id]
        return tuple(TrueObject(encode_rle(mask), k, float(mask.sum()), iscrowd=False) for mask, k in objects)
