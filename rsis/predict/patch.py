"""A mask as the part of it where something is: of a large picture it needs a small fraction of the memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsis.masks import RLE, rle_of_edges


@dataclass(frozen=True)
class Patch:
    """A binary mask, kept within the box that it fills.

    Attributes:
        size: (H, W) of the mask.
        top: First row that has a pixel.
        left: First column that has a pixel.
        pixels: bool [h, w], the box; [0, 0] for an empty mask.
    """

    size: tuple[int, int]
    top: int
    left: int
    pixels: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> Patch:
        """Return a mask, bool [H, W], as a patch, which is a copy."""
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return cls(mask.shape, 0, 0, np.zeros((0, 0), bool))
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return cls(mask.shape, int(rows[0]), int(columns[0]), mask[box].copy())

    def moved(self, size: tuple[int, int], down: int, right: int) -> Patch:
        """Return the same pixels in a mask of another size, so many rows and columns further on."""
        return Patch(size, self.top + down, self.left + right, self.pixels)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of the pixels, the last two exclusive."""
        return self.top, self.left, self.top + self.pixels.shape[0], self.left + self.pixels.shape[1]

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices of the box, for indexing an array [H, W]."""
        top, left, bottom, right = self.box
        return slice(top, bottom), slice(left, right)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.pixels))

    def full(self) -> np.ndarray:
        """Return the mask, bool [H, W]."""
        mask = np.zeros(self.size, bool)
        mask[self.slices] = self.pixels
        return mask

    def rle(self) -> RLE:
        """Return the mask's run-length encoding, as `encode_rle` does, without making the mask."""
        columns = self.pixels.T
        changes = np.zeros((columns.shape[0], columns.shape[1] + 1), bool)  # before each pixel, and behind the last
        if columns.size:
            changes[:, 0], changes[:, -1] = columns[:, 0], columns[:, -1]
            np.not_equal(columns[:, 1:], columns[:, :-1], out=changes[:, 1:-1])
        column, row = np.nonzero(changes)
        edges = (self.left + column) * self.size[0] + self.top + row
        goes_on = edges[1:] == edges[:-1]  # a run down to the last row goes on in the next column
        inner = np.zeros(len(edges), bool)
        inner[:-1] |= goes_on
        inner[1:] |= goes_on
        return rle_of_edges(edges[~inner], self.size)

    def within(self, box: tuple[int, int, int, int]) -> np.ndarray:
        """Return the part of the mask, bool [h', w'], in a box (top, left, bottom, right), the last two exclusive."""
        top, left, bottom, right = box
        part = np.zeros((bottom - top, right - left), bool)
        first, last = max(top, self.top), min(bottom, self.box[2])
        start, end = max(left, self.left), min(right, self.box[3])
        if first < last and start < end:
            here = self.pixels[first - self.top : last - self.top, start - self.left : end - self.left]
            part[first - top : last - top, start - left : end - left] = here
        return part
