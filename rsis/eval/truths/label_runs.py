"""A label map as runs of equal labels, column by column, from which areas, masks and overlaps follow.

A map of two million pixels has some ten thousand runs, so what is computed from them does not depend on its pixels. The
positions are those of run-length encodings: pixel (row, column) has the position column * H + row.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from rsis.masks import RLE, rle_runs


@dataclass(frozen=True)
class LabelRuns:
    """The runs of a label map.

    Attributes:
        size: (H, W) of the map.
        starts: int64 [R], the first position of each run, rising from 0.
        ends: int64 [R], the first position after each run; the last is H * W.
        labels: int64 [R], the label of each run.
    """

    size: tuple[int, int]
    starts: np.ndarray
    ends: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, label_map: np.ndarray) -> "LabelRuns":
        """Return the runs of a map, integer [H, W] with at least one pixel."""
        height, width = label_map.shape
        # where the label changes is found in rows, as the map lies in memory; turning it costs more than sorting these
        rows, columns = np.divmod(np.flatnonzero(label_map[1:] != label_map[:-1]), width)
        tops = np.append(0, 1 + np.flatnonzero(label_map[0, 1:] != label_map[-1, :-1]))
        starts = np.sort(np.concatenate([tops * height, columns * height + rows + 1]))
        columns, rows = np.divmod(starts, height)
        labels = label_map[rows, columns].astype(np.int64)
        return cls((height, width), starts, np.append(starts[1:], label_map.size), labels)

    def areas(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels that occur, int64 [N] rising, and the pixels of each, int64 [N]."""
        labels, index = np.unique(self.labels, return_inverse=True)
        return labels, _sums(index, self.ends - self.starts, len(labels))

    def masks(self, wanted: np.ndarray) -> Iterator[tuple[int, RLE]]:
        """Yield the mask of each label for which `wanted`, bool by label, is true, in rising order of the labels."""
        chosen = np.flatnonzero(wanted[self.labels])
        chosen = chosen[np.argsort(self.labels[chosen], kind="stable")]
        height, width = self.size
        for runs in np.split(chosen, np.flatnonzero(np.diff(self.labels[chosen])) + 1) if len(chosen) else ():
            edges = np.column_stack([self.starts[runs], self.ends[runs]]).ravel()
            counts = np.diff(edges, prepend=0, append=height * width)
            kept = counts if counts[-1] else counts[:-1]
            encoded = coco_mask.frPyObjects({"size": [height, width], "counts": kept.tolist()}, height, width)
            yield int(self.labels[runs[0]]), RLE(size=[height, width], counts=encoded["counts"].decode("ascii"))

    def pixels_under(self, mask: RLE, index: np.ndarray, length: int) -> np.ndarray:
        """Return int64 [length], how many pixels of a mask lie in the runs of each index.

        Args:
            mask: A mask of the same size.
            index: int64 [R], an index below `length` for each run, for example the rank of its label.
            length: Number of indices.

        Raises:
            ValueError: The mask is malformed (see `rle_runs`).
        """
        edges = np.cumsum(rle_runs(mask))
        lows, highs = edges[: len(edges) // 2 * 2 : 2], edges[1::2]  # the pieces of the mask
        lows, highs = lows[highs > lows], highs[highs > lows]
        first = np.searchsorted(self.starts, lows, side="right") - 1
        runs = np.searchsorted(self.starts, highs, side="left") - first  # that each piece touches
        before = np.cumsum(runs) - runs
        run = np.repeat(first - before, runs) + np.arange(runs.sum())
        pixels = np.minimum(self.ends[run], np.repeat(highs, runs)) - np.maximum(
            self.starts[run], np.repeat(lows, runs)
        )
        return _sums(index[run], pixels, length)


def _sums(index: np.ndarray, values: np.ndarray, length: int) -> np.ndarray:
    """Return int64 [length], the sum of the values at each index; exact, as no map has 2^53 pixels."""
    sums: np.ndarray = np.bincount(index, weights=values, minlength=length).astype(np.int64)
    return sums
