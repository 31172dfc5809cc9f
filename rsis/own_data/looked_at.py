"""What `rsis init` keeps of the images that it reads, to say what of them is used at the network's size."""

import zlib
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from rsis.data.prepared.resize import too_small
from rsis.structures import RawSample
from rsis.tracking.account import Account, count_left


@dataclass
class LookedAt:
    """The images of a split that were read.

    Attributes:
        split: Its name.
        left_out: One line for each image that cannot be used.
    """

    split: str
    left_out: list[str] = field(default_factory=list)
    _maps: list[tuple[tuple[int, int], bytes]] = field(default_factory=list)  # sizes and compressed instance maps
    _objects: int = 0
    _dropped: Counter[str] = field(default_factory=Counter)

    def add(self, sample: RawSample) -> None:
        """Keep what `account` needs of an image."""
        numbers = sample.instance_map
        self._maps.append(((numbers.shape[0], numbers.shape[1]), zlib.compress(np.ascontiguousarray(numbers).data, 1)))
        self._objects += len(sample.class_ids)
        self._dropped.update(sample.dropped)

    def account(self, size: tuple[int, int]) -> Account:
        """Return what is used at the network's size, (H, W)."""
        left = 0
        for shape, packed in self._maps:
            left += count_left(np.frombuffer(zlib.decompress(packed), np.int32).reshape(shape), size)
        dropped = Counter(self._dropped)
        if left < self._objects:
            dropped[too_small(size)] = self._objects - left
        return Account(self.split, len(self._maps), self.left_out, left, dropped)
