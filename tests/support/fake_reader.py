"""A reader of random images, for tests of the code that uses readers."""

import os
from dataclasses import dataclass

import numpy as np

from rsis.data.readers.base import BadSampleError
from rsis.structures import RawSample


@dataclass(frozen=True)
class FakeReader:
    """Images of random rectangles; the same id always gives the same image.

    Args:
        count: Number of images, named "image-ü0", "image-ü1", ...
        raw_size: (H, W) of every image.
        bad: Positions of images whose files are broken.
        objects: Number of rectangles drawn; later ones may cover earlier ones.
    """

    count: int
    raw_size: tuple[int, int] = (40, 52)
    bad: tuple[int, ...] = ()
    objects: int = 6
    class_names: tuple[str, ...] = ("leaf", "stem")

    @property
    def image_ids(self) -> tuple[str, ...]:
        return tuple(f"image-ü{i}" for i in range(self.count))

    def read(self, image_id: str) -> RawSample:
        position = self.image_ids.index(image_id)
        if position in self.bad:
            raise BadSampleError(f"{image_id}.png: cut short; copy it again")
        rng = np.random.default_rng(position)
        height, width = self.raw_size
        painted = np.zeros(self.raw_size, np.int32)
        for label in range(1, self.objects + 1):
            row, column = rng.integers(0, height - 6), rng.integers(0, width - 6)
            painted[row : row + rng.integers(3, 20), column : column + rng.integers(3, 20)] = label
        labels = np.unique(painted)
        instance_map = np.searchsorted(labels, painted).astype(np.int32) + np.int32(labels[0] != 0)
        num_instances = int(instance_map.max())
        return RawSample(
            image=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
            instance_map=instance_map,
            class_ids=1 + np.arange(num_instances, dtype=np.int64) % 2,
            ignore_mask=rng.random(self.raw_size) < 0.1,
            image_id=image_id,
        )


@dataclass(frozen=True)
class KillingReader(FakeReader):
    """A reader that ends its process, as the kernel does when memory runs out."""

    def read(self, image_id: str) -> RawSample:
        os._exit(1)
