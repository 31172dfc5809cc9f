"""Large pictures in overlapping tiles, and one object again of the parts that neighbouring tiles saw of it.

A sequence is as long as the network was trained to make it; a picture with more objects than steps is cut into
tiles that hold fewer. Two masks of different tiles are one object when they agree where both tiles look: there,
they share at least half of the smaller one's pixels. Objects up to the size of the overlap are seen whole by some
tile; of larger ones, the parts are joined.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rsis.errors import UserError

SAME_OBJECT = 0.5  # of the smaller mask, in what both tiles see


@dataclass(frozen=True)
class Tiling:
    """How pictures are cut into tiles, for those with more objects than the network has steps.

    Attributes:
        size: (H, W) of a tile in the picture's pixels. As many pixels an object as in training is best.
        overlap: Least share of a tile's side in common with the next one's; objects up to that size are seen whole.
    """

    size: tuple[int, int]
    overlap: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what leaves gaps.

        Raises:
            UserError: A side is below 1, or the overlap not from 0 up to below 1.
        """
        if min(self.size) < 1 or not 0 <= self.overlap < 1:
            raise UserError(
                f"tiles of {self.size} with an overlap of {self.overlap}; expected pixels, and 0 <= overlap < 1"
            )


@dataclass(frozen=True)
class Tile:
    """A part of a picture: rows top..bottom-1 and columns left..right-1, in pixels."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """To index an array [H, W] with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def common(self, other: "Tile") -> "Tile | None":
        """Return what both tiles see, or None."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Tile(top, left, bottom, right) if top < bottom and left < right else None


@dataclass(frozen=True)
class TileObject:
    """An object as one tile sees it.

    Attributes:
        tile: Number of the tile.
        mask: bool [h, w], of the tile's size.
        class_id: Of its most probable class.
    """

    tile: int
    mask: np.ndarray
    class_id: int


def cut(size: tuple[int, int], tile: tuple[int, int], overlap: float) -> list[Tile]:
    """Return tiles that cover a picture of `size` (H, W), row by row, evenly spaced.

    Args:
        size: Of the picture.
        tile: (H, W) of a tile; a larger one than the picture is cut to it.
        overlap: Least share of a tile's side that it has in common with its neighbour, 0 up to below 1.
    """
    rows, columns = (_starts(length, part, overlap) for length, part in zip(size, tile, strict=True))
    height, width = min(tile[0], size[0]), min(tile[1], size[1])
    return [Tile(top, left, top + height, left + width) for top in rows for left in columns]


def _starts(length: int, part: int, overlap: float) -> list[int]:
    if part >= length:
        return [0]
    stride = max(1, int(part * (1 - overlap)))
    count = -(-(length - part) // stride) + 1
    return [round(i * (length - part) / (count - 1)) for i in range(count)]


def group(objects: Sequence[TileObject], tiles: Sequence[Tile]) -> list[list[int]]:
    """Return which of the objects are one, each group's members and the groups by their first.

    Objects of different classes, or of one tile, are never the same by themselves.
    """
    pairs = [
        (i, j)
        for i, j in combinations(range(len(objects)), 2)
        if objects[i].class_id == objects[j].class_id and _agree(objects[i], objects[j], tiles)
    ]
    count = len(objects)
    ones, rows, columns = np.ones(len(pairs)), [i for i, _ in pairs], [j for _, j in pairs]
    _, of_group = connected_components(coo_array((ones, (rows, columns)), shape=(count, count)), directed=False)
    groups: dict[int, list[int]] = {}
    for number, label in enumerate(of_group.tolist() if count else []):
        groups.setdefault(label, []).append(number)
    return list(groups.values())


def joined_mask(members: Sequence[TileObject], tiles: Sequence[Tile], size: tuple[int, int]) -> np.ndarray:
    """Return bool [H, W] at the picture's `size`, what any of the parts covers."""
    mask = np.zeros(size, bool)
    for member in members:
        mask[tiles[member.tile].slices] |= member.mask
    return mask


def _agree(first: TileObject, second: TileObject, tiles: Sequence[Tile]) -> bool:
    if first.tile == second.tile:
        return False
    common = tiles[first.tile].common(tiles[second.tile])
    if common is None:
        return False
    parts = [_part(item.mask, tiles[item.tile], common) for item in (first, second)]
    smaller = min(int(part.sum()) for part in parts)
    return smaller > 0 and int((parts[0] & parts[1]).sum()) >= SAME_OBJECT * smaller


def _part(mask: np.ndarray, tile: Tile, common: Tile) -> np.ndarray:
    return mask[common.top - tile.top : common.bottom - tile.top, common.left - tile.left : common.right - tile.left]
