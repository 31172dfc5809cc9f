"""Tiles cover a picture, and the parts of objects in different tiles are joined."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsis.predict.patch import Patch
from rsis.tool.tiles import Tile, TileObject, cut, group, joined


@settings(deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    tile=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    overlap=st.floats(0, 0.9),
)
def test_tiles_cover_every_pixel_and_overlap_enough(
    size: tuple[int, int], tile: tuple[int, int], overlap: float
) -> None:
    tiles = cut(size, tile, overlap)
    covered = np.zeros(size, int)
    for part in tiles:
        assert (part.bottom - part.top, part.right - part.left) == (min(tile[0], size[0]), min(tile[1], size[1]))
        covered[part.slices] += 1
    assert covered.min() >= 1
    rows = sorted({part.top for part in tiles})
    for first, second in pairwise(rows):
        assert first + tile[0] - second >= min(tile[0] - 1, int(overlap * tile[0]))


def discs() -> np.ndarray:
    """An instance map of 200 x 200 pixels with a hundred separate discs of 7 to 13 pixels."""
    random = np.random.default_rng(5)
    rows, columns = np.indices((200, 200))
    labels = np.zeros((200, 200), np.int32)
    for number in range(100):
        row, column = 20 * (number // 10) + 10, 20 * (number % 10) + 10
        row, column = (int(place + random.integers(-3, 4)) for place in (row, column))
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= random.integers(3, 7) ** 2] = number + 1
    return labels


@pytest.mark.parametrize("side", [40, 64, 200])
def test_a_hundred_objects_are_whole_again(side: int) -> None:
    """With the output of a network that finds every object in each tile; objects are cut at the tiles' edges."""
    labels = discs()
    tiles = cut((200, 200), (side, side), 0.25)
    seen = []
    for number, tile in enumerate(tiles):
        part = labels[tile.slices]
        seen += [TileObject(number, Patch.of(part == label), 1) for label in np.unique(part[part > 0])]

    groups = group(seen, tiles)

    assert len(groups) == 100
    for members in groups:
        mask = joined([seen[n] for n in members], tiles, (200, 200)).full()
        (label,) = np.unique(labels[mask])
        assert np.array_equal(mask, labels == label)


def test_neighbours_of_two_classes_or_of_one_tile_stay_apart() -> None:
    tiles = [Tile(0, 0, 4, 4), Tile(0, 2, 4, 6)]
    everything = Patch.of(np.ones((4, 4), bool))
    assert group([TileObject(0, everything, 1), TileObject(1, everything, 1)], tiles) == [[0, 1]]
    assert group([TileObject(0, everything, 1), TileObject(1, everything, 2)], tiles) == [[0], [1]]
    assert group([TileObject(0, everything, 1), TileObject(0, everything, 1)], tiles) == [[0], [1]]
    assert group([], tiles) == []
