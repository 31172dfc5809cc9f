"""Masks, instance maps and run-length encodings, and the conversions between them.

An instance map is int32 [H, W] with 0 = background and 1..N consecutive. Masks are bool [N, H, W]; masks
may overlap, the objects of an instance map cannot. A run-length encoding is COCO's compressed form (see `RLE`),
which counts pixels column by column.
"""

from collections.abc import Iterator
from typing import TypedDict

import numpy as np
from pycocotools import mask as coco_mask

_BAND = 1 << 18  # pixels of a band: what needs much memory for each pixel looks at one band after the other
_SMALL_TABLE = 1 << 16  # entries; a lookup table up to this length is always affordable
_MOST_DIGITS = 12  # of one run length; 12 digits of 5 bits fit into 64 bits


class RLE(TypedDict):
    """A binary mask as COCO's compressed run-length encoding.

    `size` is [H, W]; `counts` is ASCII text. A 2 x 3 mask whose last column is set encodes as
    {"size": [2, 3], "counts": "42"}: four pixels off, then two on, column by column.
    """

    size: list[int]
    counts: str


def bands(array: np.ndarray) -> Iterator[slice]:
    """Yield the rows of an array [H, ...] in slices of about a quarter of a million pixels, at least one row each."""
    rows = max(1, _BAND * len(array) // max(1, array.size))
    for top in range(0, len(array), rows):
        yield slice(top, min(top + rows, len(array)))


def distinct(numbers: np.ndarray) -> np.ndarray:
    """Return the sorted distinct numbers of an array [H, ...], as np.unique does, but with little memory."""
    parts = [np.unique(numbers[rows]) for rows in bands(numbers)]
    return np.unique(np.concatenate(parts)) if parts else np.unique(numbers)


def relabel(instance_map: np.ndarray) -> np.ndarray:
    """Return int32 [H, W] with the labels above 0 renumbered 1..N in rising order; 0 and below become 0.

    Args:
        instance_map: Integer [H, W].
    """
    renumbered = np.empty(instance_map.shape, np.int32)
    largest = int(instance_map.max(initial=0))
    if largest > max(_SMALL_TABLE, instance_map.size):  # a table with `largest` entries would be too long
        labels = distinct(instance_map)
        labels = labels[labels > 0]
        for rows in bands(instance_map):
            band = instance_map[rows]
            renumbered[rows] = np.where(band > 0, np.searchsorted(labels, band) + 1, 0)
        return renumbered
    present = np.zeros(largest + 1, bool)
    for rows in bands(instance_map):
        present[np.maximum(instance_map[rows], 0).astype(np.intp)] = True
    present[0] = False
    table = (np.cumsum(present) * present).astype(np.int32)
    for rows in bands(instance_map):
        renumbered[rows] = table.take(np.maximum(instance_map[rows], 0).astype(np.intp))
    return renumbered


def map_to_masks(instance_map: np.ndarray) -> np.ndarray:
    """Return bool [N, H, W] of an instance map with consecutive labels; mask i has the pixels of label i + 1."""
    num_instances = int(instance_map.max(initial=0))
    masks: np.ndarray = instance_map[None] == np.arange(1, num_instances + 1)[:, None, None]
    return masks


def masks_to_map(masks: np.ndarray) -> np.ndarray:
    """Return the instance map int32 [H, W] of masks; a pixel of two masks belongs to the earlier one.

    A mask that loses all its pixels gets no label, so the labels are consecutive.

    Args:
        masks: bool [N, H, W], the mask with the highest precedence first.
    """
    if len(masks) == 0:
        return np.zeros(masks.shape[1:], np.int32)
    first = np.where(masks.any(axis=0), masks.argmax(axis=0) + 1, 0)
    return relabel(first)


def resize_indices(source: int, target: int) -> np.ndarray:
    """Return int64 [target], the index of the source pixel that each target pixel copies along one axis.

    The first and the last pixels of both grids coincide and ties round up, as in the original implementation's
    resize of instance maps: floor(i * (source - 1) / (target - 1) + 0.5). The computation is in integers, so that
    floating-point rounding cannot change an index.

    Args:
        source: Number of source pixels.
        target: Number of target pixels.
    """
    if target == 1:
        return np.zeros(1, np.int64)
    i = np.arange(target, dtype=np.int64)
    return (2 * i * (source - 1) + (target - 1)) // (2 * (target - 1))


def resize_map(instance_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the map resized to `size` (H, W) by nearest neighbour (see `resize_indices`); labels keep their values."""
    rows = resize_indices(instance_map.shape[0], size[0])
    columns = resize_indices(instance_map.shape[1], size[1])
    resized: np.ndarray = instance_map.take(rows, axis=0).take(columns, axis=1)
    return resized


def encode_rle(mask: np.ndarray) -> RLE:
    """Return the run-length encoding of a mask, bool [H, W]."""
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return RLE(size=[int(n) for n in encoded["size"]], counts=encoded["counts"].decode("ascii"))


def decode_rle(rle: RLE) -> np.ndarray:
    """Return the mask of a run-length encoding, bool [H, W]; check an encoding from a file with `rle_runs` first."""
    mask: np.ndarray = coco_mask.decode({"size": rle["size"], "counts": rle["counts"].encode("ascii")}).astype(bool)
    return mask


def rle_runs(rle: RLE) -> np.ndarray:
    """Decode and check the run lengths of a compressed mask.

    `decode_rle` does not check its input: where the runs end too early, it leaves pixels undefined. So call this
    function first for a mask from a file.

    Returns:
        int64 [R], the numbers of pixels off, on, off, ... column by column.

    Raises:
        ValueError: The counts are not COCO's text code, or their sum is not the number of pixels of `size`.
    """
    pixels = rle["size"][0] * rle["size"][1]
    text = rle["counts"]
    digits = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if not text.isascii() or ((digits < 0) | (digits >= 64)).any():
        raise ValueError("has a character outside COCO's run-length code")
    ends = np.flatnonzero((digits & 32) == 0)  # the last digit of each number
    if len(ends) == 0 or ends[-1] != len(digits) - 1:
        raise ValueError(f"has an incomplete last run, for a mask of {pixels} pixels")
    starts = np.append(0, ends[:-1] + 1)
    lengths = ends - starts + 1
    if lengths.max() > _MOST_DIGITS:
        raise ValueError(f"has a run that is longer than its mask of {pixels} pixels")
    places = 5 * (np.arange(len(digits)) - np.repeat(starts, lengths))
    values = np.add.reduceat((digits & 31) << places, starts)
    values -= (digits[ends] & 16) << places[ends] + 1  # the top bit of the last digit is the sign
    if np.abs(values).max() > pixels:  # differences of valid runs are in this range too; so no sum can overflow
        raise ValueError(f"has a run that is longer than its mask of {pixels} pixels")
    runs = values
    for first in (1, 2):  # from the fourth run on, COCO stores the difference to the last run but one
        runs[first::2] = np.cumsum(values[first::2])
    if runs.min() < 0 or runs.sum() != pixels:
        raise ValueError(f"has runs of {runs.sum()} pixels for a mask of {pixels}")
    return runs


def pixels_of(rle: RLE) -> np.ndarray:
    """Return int64 [area], the positions of a mask's pixels, counted column by column.

    Raises:
        ValueError: The mask is malformed (see `rle_runs`).
    """
    runs = rle_runs(rle)
    ends = np.cumsum(runs)[1::2]
    lengths = runs[1::2]
    before = np.cumsum(lengths) - lengths  # pixels of earlier runs
    return np.repeat(ends - lengths - before, lengths) + np.arange(lengths.sum())


def encode_labels(label_map: np.ndarray) -> dict[int, RLE]:
    """Return the mask of each label above 0, in rising order of the labels.

    Each mask equals `encode_rle(label_map == label)`, but the map is read only once for all labels.

    Args:
        label_map: Integer [H, W], labels perhaps with gaps.
    """
    height, width = label_map.shape
    starts, labels = _runs_by_column(label_map)
    ends = np.append(starts[1:], label_map.size)[: len(starts)]
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] > 0]
    rle_of_label: dict[int, RLE] = {}
    for runs in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else ():
        edges = np.column_stack([starts[runs], ends[runs]]).ravel()
        rle_of_label[int(labels[runs[0]])] = rle_of_edges(edges, (height, width))
    return rle_of_label


def rle_of_edges(edges: np.ndarray, size: tuple[int, int]) -> RLE:
    """Return the run-length encoding of a mask from where its runs begin and end, in turn.

    Args:
        edges: int64 [2R], rising; pixels counted column by column, ends exclusive.
        size: (H, W) of the mask.
    """
    height, width = size
    counts = np.diff(edges, prepend=0, append=height * width)
    kept = counts if counts[-1] else counts[:-1]
    encoded = coco_mask.frPyObjects({"size": [height, width], "counts": kept.tolist()}, height, width)
    return RLE(size=[height, width], counts=encoded["counts"].decode("ascii"))


def _runs_by_column(label_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int64 [R], where each run of equal labels begins, counted column by column, and its label."""
    height = len(label_map)
    starts, labels = [np.zeros(0, np.int64)], [np.zeros(0, label_map.dtype)]
    before = None
    for columns in bands(label_map.T):
        band = label_map[:, columns].ravel(order="F")
        begins = np.append(0, np.flatnonzero(band[1:] != band[:-1]) + 1)
        if before is not None and band[0] == before:  # the run goes on
            begins = begins[1:]
        starts.append(begins + columns.start * height)
        labels.append(band[begins])
        before = band[-1]
    return np.concatenate(starts), np.concatenate(labels)
