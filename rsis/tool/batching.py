"""Batches of pictures or tiles, which bound the memory."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rsis.tool.pictures import InputImage

Item = TypeVar("Item")

_PIXELS = 2**24  # a batch is full when its pictures have this many together


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of `size` or, if they are large pictures, of fewer; the last list may be shorter."""
    batch: list[Item] = []
    pixels = 0
    for item in items:
        batch.append(item)
        pixels += item.image.shape[0] * item.image.shape[1] if isinstance(item, InputImage) else 0
        if len(batch) == size or pixels >= _PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch
