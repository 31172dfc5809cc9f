"""Cut large pictures into overlapping tiles, and join the parts of an object that different tiles contain.

A network was trained for sequences of limited length. A picture with more objects than decoder steps is therefore cut
into tiles with fewer objects. Two masks of different tiles belong to one object if they agree in the area that both
tiles cover: there, they have in common at least half of the pixels of the smaller mask. An object up to the size of the
overlap is completely inside some tile; the parts of a larger object are joined.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rsis.errors import UserError
from rsis.predict.decode import DetectedObjects
from rsis.predict.patch import Patch

SMALLEST_TILE = 16  # pixels a side
MOST_TILES = 10_000  # of a picture
SAME_OBJECT = 0.5  # least fraction of the smaller mask in common, in the area that both tiles cover


@dataclass(frozen=True)
class Tiling:
    """How to cut pictures into tiles, for pictures with more objects than the network has decoder steps.

    Attributes:
        size: (H, W) of a tile in the picture's pixels, 16 or more. Best is a size at which objects have as many
            pixels, after resizing to the network's input size, as in training.
        overlap: Least fraction of a tile's side that it has in common with the next tile, 0 or more, below 1. Objects
            up to this size are completely inside some tile.
    """

    size: tuple[int, int]
    overlap: float = 0.25

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UserError: A side is below 16, or the overlap is not in 0 <= overlap < 1.
        """
        if min(self.size) < SMALLEST_TILE or not 0 <= self.overlap < 1:
            raise UserError(
                f"tiles of {self.size} with an overlap of {self.overlap}; expected {SMALLEST_TILE} pixels a side or "
                "more, and 0 <= overlap < 1"
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
        """Row and column slices for indexing an array [H, W]."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def common(self, other: "Tile") -> "Tile | None":
        """Return the area that both tiles cover, or None."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Tile(top, left, bottom, right) if top < bottom and left < right else None


@dataclass(frozen=True)
class TileObject:
    """The part of an object in one tile.

    Attributes:
        tile: Index of the tile.
        patch: Its mask, of the tile's size.
        class_id: Its most probable class.
    """

    tile: int
    patch: Patch
    class_id: int


def cut(size: tuple[int, int], tile: tuple[int, int], overlap: float) -> list[Tile]:
    """Return evenly spaced tiles that cover a picture, row by row.

    Args:
        size: (H, W) of the picture.
        tile: (H, W) of a tile; a side larger than the picture's is reduced to it.
        overlap: Least fraction of a tile's side that it has in common with its neighbour, 0 <= overlap < 1.

    Raises:
        UserError: There are more than 10,000 tiles.
    """
    if fault := fault_of(size, tile, overlap):
        raise UserError(fault)
    rows, columns = (_starts(length, part, overlap) for length, part in zip(size, tile, strict=True))
    height, width = min(tile[0], size[0]), min(tile[1], size[1])
    return [Tile(top, left, top + height, left + width) for top in rows for left in columns]


def fault_of(size: tuple[int, int], tile: tuple[int, int], overlap: float) -> str:
    """Return what is wrong with cutting a picture (see `cut`): more than 10,000 tiles; empty if nothing is."""
    count = math.prod(_count(length, part, overlap) for length, part in zip(size, tile, strict=True))
    if count <= MOST_TILES:
        return ""
    found = f"tiles of {tile} with an overlap of {overlap} cut a picture of {size} into {count}"
    return f"{found}, expected at most {MOST_TILES}; take larger tiles or a smaller overlap"


def _count(length: int, part: int, overlap: float) -> int:
    if part >= length:
        return 1
    stride = max(1, int(part * (1 - overlap)))
    return -(-(length - part) // stride) + 1


def _starts(length: int, part: int, overlap: float) -> list[int]:
    count = _count(length, part, overlap)
    return [round(i * (length - part) / (count - 1)) for i in range(count)] if count > 1 else [0]


def group(objects: Sequence[TileObject], tiles: Sequence[Tile]) -> list[list[int]]:
    """Group the parts that belong to one object.

    Parts with different classes, or in the same tile, are never matched directly; parts of the same tile may be in one
    group through a part in another tile.

    Returns:
        The indices in `objects` of each group's members; the groups are ordered by their first member.
    """
    pairs = [
        (i, j)
        for i, j in _candidates(objects, tiles)
        if objects[i].class_id == objects[j].class_id and _agree(objects[i], objects[j], tiles)
    ]
    count = len(objects)
    ones, rows, columns = np.ones(len(pairs)), [i for i, _ in pairs], [j for _, j in pairs]
    _, of_group = connected_components(coo_array((ones, (rows, columns)), shape=(count, count)), directed=False)
    groups: dict[int, list[int]] = {}
    for index, group_id in enumerate(of_group.tolist() if count else []):
        groups.setdefault(group_id, []).append(index)
    return list(groups.values())


def _candidates(objects: Sequence[TileObject], tiles: Sequence[Tile]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of objects in two tiles that have an area in common."""
    inside: dict[int, list[int]] = {}
    for index, item in enumerate(objects):
        inside.setdefault(item.tile, []).append(index)
    ordered = sorted(inside, key=lambda tile: tiles[tile].top)
    for position, tile in enumerate(ordered):
        for other in ordered[position + 1 :]:
            if tiles[other].top >= tiles[tile].bottom:
                break
            if tiles[tile].common(tiles[other]) is not None:
                yield from product(inside[tile], inside[other])


def joined(members: Sequence[TileObject], tiles: Sequence[Tile], size: tuple[int, int]) -> Patch:
    """Return the union of the parts' masks at the picture's `size`."""
    parts = []
    for member in members:
        tile, patch = tiles[member.tile], member.patch
        parts.append(Patch(size, tile.top + patch.top, tile.left + patch.left, patch.pixels))
    tops, lefts, bottoms, rights = zip(*(part.box for part in parts), strict=True)
    box = min(tops), min(lefts), max(bottoms), max(rights)
    return Patch(size, box[0], box[1], np.logical_or.reduce([part.within(box) for part in parts]))


def _agree(first: TileObject, second: TileObject, tiles: Sequence[Tile]) -> bool:
    if first.tile == second.tile:
        return False
    common = tiles[first.tile].common(tiles[second.tile])
    if common is None:
        return False
    parts = [_part(item.patch, tiles[item.tile], common) for item in (first, second)]
    smaller = min(int(part.sum()) for part in parts)
    return smaller > 0 and int((parts[0] & parts[1]).sum()) >= SAME_OBJECT * smaller


def _part(patch: Patch, tile: Tile, common: Tile) -> np.ndarray:
    top, left = common.top - tile.top, common.left - tile.left
    return patch.within((top, left, common.bottom - tile.top, common.right - tile.left))


def objects_of(detected: Sequence[DetectedObjects]) -> tuple[list[TileObject], list[tuple[int, int]]]:
    """Return the objects of all tiles and, for each object, the index of its tile and its index in the tile."""
    objects, places = [], []
    for tile, item in enumerate(detected):
        for position, (patch, probs) in enumerate(zip(item.patches, item.class_probs, strict=True)):
            objects.append(TileObject(tile, patch, int(probs.argmax()) + 1))
            places.append((tile, position))
    return objects, places


def score_of(detected: Sequence[DetectedObjects], place: tuple[int, int]) -> float:
    """Return the score of the object with this index of a tile and index in the tile, 0..1."""
    item = detected[place[0]]
    return float(item.scores[place[1]])
