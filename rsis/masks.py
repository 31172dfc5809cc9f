"""Masks and instance maps, and the way from one to the other.

An instance map is int32 [H, W] with 0 = background and 1..N consecutive. Masks are bool [N, H, W]; they
may overlap, an instance map cannot. Run-length encoding is COCO's compressed form (see
`encode_rle`), whose columns run first.
"""

from typing import TypedDict

import numpy as np
from pycocotools import mask as coco_mask

_FEW_LABELS = 1 << 16
_MOST_DIGITS = 12  # of one run length: they fit into 64 bits


class RLE(TypedDict):
    """A binary mask as COCO's compressed run-length encoding.

    `size` is [H, W]; `counts` is ASCII text. A 2 x 3 mask whose last column is set encodes as
    {"size": [2, 3], "counts": "42"}: four pixels off, then two on, column by column.
    """

    size: list[int]
    counts: str


def relabel(instance_map: np.ndarray) -> np.ndarray:
    """Return int32 [H, W] with the labels above 0 renumbered 1..N in rising order; 0 and below become 0.

    Args:
        instance_map: Whole numbers [H, W].
    """
    largest = int(instance_map.max(initial=0))
    if largest > max(_FEW_LABELS, instance_map.size):  # a table of all numbers up to it would be too long
        labels, inverse = np.unique(instance_map, return_inverse=True)
        numbers = np.cumsum(labels > 0) * (labels > 0)
        return numbers[inverse].reshape(instance_map.shape).astype(np.int32)
    indices = np.maximum(instance_map, 0).astype(np.intp)
    present = np.bincount(indices.ravel(), minlength=1) > 0
    present[0] = False
    table = (np.cumsum(present) * present).astype(np.int32)
    renumbered: np.ndarray = table.take(indices)
    return renumbered


def map_to_masks(instance_map: np.ndarray) -> np.ndarray:
    """Return bool [N, H, W], mask i the pixels of label i + 1 of a consecutive instance map."""
    num_instances = int(instance_map.max(initial=0))
    masks: np.ndarray = instance_map[None] == np.arange(1, num_instances + 1)[:, None, None]
    return masks


def masks_to_map(masks: np.ndarray) -> np.ndarray:
    """Return int32 [H, W] in which the earliest mask keeps a contested pixel.

    A mask that loses all its pixels has no label, so labels stay consecutive.

    Args:
        masks: bool [N, H, W], in the order that decides conflicts.
    """
    if len(masks) == 0:
        return np.zeros(masks.shape[1:], np.int32)
    first = np.where(masks.any(axis=0), masks.argmax(axis=0) + 1, 0)
    return relabel(first)


def resize_indices(source: int, target: int) -> np.ndarray:
    """Return int64 [target]: the source pixel that each target pixel copies along one axis.

    The grids' first and last pixels coincide and ties round up, as in the original implementation's
    label resize: floor(i * (source - 1) / (target - 1) + 0.5), in integers so that no rounding differs.
    """
    if target == 1:
        return np.zeros(1, np.int64)
    i = np.arange(target, dtype=np.int64)
    return (2 * i * (source - 1) + (target - 1)) // (2 * (target - 1))


def resize_map(instance_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a map [H', W'] of `size` by nearest neighbour (see `resize_indices`), labels untouched."""
    rows = resize_indices(instance_map.shape[0], size[0])
    columns = resize_indices(instance_map.shape[1], size[1])
    resized: np.ndarray = instance_map.take(rows, axis=0).take(columns, axis=1)
    return resized


def encode_rle(mask: np.ndarray) -> RLE:
    """Encode a bool [H, W] mask."""
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return RLE(size=[int(n) for n in encoded["size"]], counts=encoded["counts"].decode("ascii"))


def decode_rle(rle: RLE) -> np.ndarray:
    """Decode to bool [H, W]."""
    mask: np.ndarray = coco_mask.decode({"size": rle["size"], "counts": rle["counts"].encode("ascii")}).astype(bool)
    return mask


def rle_runs(rle: RLE) -> np.ndarray:
    """Return int64 [R], the run lengths of a compressed mask: pixels off, on, off, ... column by column.

    `decode_rle` trusts its input: of runs that end early it leaves pixels undefined. Check a mask from a
    file with this first.

    Raises:
        ValueError: The counts are not COCO's text code, or do not add up to the pixels of `size`.
    """
    pixels = rle["size"][0] * rle["size"][1]
    text = rle["counts"]
    digits = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if not text.isascii() or ((digits < 0) | (digits >= 64)).any():
        raise ValueError("has a character outside COCO's run-length code")
    ends = np.flatnonzero((digits & 32) == 0)  # the last digit of each number
    if len(ends) == 0 or ends[-1] != len(digits) - 1:
        raise ValueError(f"has runs that break off, for a mask of {pixels} pixels")
    starts = np.append(0, ends[:-1] + 1)
    lengths = ends - starts + 1
    if lengths.max() > _MOST_DIGITS:
        raise ValueError(f"has a run that is longer than its mask of {pixels} pixels")
    places = 5 * (np.arange(len(digits)) - np.repeat(starts, lengths))
    values = np.add.reduceat((digits & 31) << places, starts)
    values -= (digits[ends] & 16) << places[ends] + 1  # the top bit of the last digit is the sign
    if np.abs(values).max() > pixels:  # of runs within the mask differences are too; and no sum can overflow
        raise ValueError(f"has a run that is longer than its mask of {pixels} pixels")
    runs = values
    for first in (1, 2):  # from the fourth on, each is stored as its difference to the last but one
        runs[first::2] = np.cumsum(values[first::2])
    if runs.min() < 0 or runs.sum() != pixels:
        raise ValueError(f"has runs of {runs.sum()} pixels for a mask of {pixels}")
    return runs


def pixels_of(rle: RLE) -> np.ndarray:
    """Return int64 [area], the positions of a checked mask's pixels, counted column by column."""
    runs = rle_runs(rle)
    ends = np.cumsum(runs)[1::2]
    lengths = runs[1::2]
    before = np.cumsum(lengths) - lengths  # pixels of earlier runs
    return np.repeat(ends - lengths - before, lengths) + np.arange(lengths.sum())


def encode_labels(label_map: np.ndarray) -> dict[int, RLE]:
    """Return the mask of each label above 0 by rising label: what `encode_rle(label_map == label)` gives.

    The map is walked once, however many labels it has.

    Args:
        label_map: Whole numbers [H, W].
    """
    height, width = label_map.shape
    columns = label_map.ravel(order="F")
    starts = np.append(0, np.flatnonzero(columns[1:] != columns[:-1]) + 1)
    ends = np.append(starts[1:], columns.size)
    labels = columns[starts]
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] > 0]
    found: dict[int, RLE] = {}
    for runs in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else ():
        edges = np.column_stack([starts[runs], ends[runs]]).ravel()
        counts = np.diff(edges, prepend=0, append=columns.size)
        kept = counts if counts[-1] else counts[:-1]
        encoded = coco_mask.frPyObjects({"size": [height, width], "counts": kept.tolist()}, height, width)
        found[int(labels[runs[0]])] = RLE(size=[height, width], counts=encoded["counts"].decode("ascii"))
    return found
