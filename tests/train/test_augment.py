"""Augmentation moves image and maps together and adds no new values to the maps."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import ndimage

from rsis.config.runs import AugmentSection
from rsis.train import augment
from rsis.train.augment import JointAugment, affine_matrix, mirrored_labels, warp

_few = settings(max_examples=30, deadline=None, derandomize=True)
_maps = npst.arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 4))
_squares = st.integers(1, 9).flatmap(lambda n: npst.arrays(np.int32, (n, n), elements=st.integers(0, 4)))


def _coded(instance_map: torch.Tensor) -> torch.Tensor:
    """An image that has the instance map's value of each pixel in every channel."""
    return (instance_map * 10).to(torch.uint8).expand(3, *instance_map.shape).contiguous()


def _augment(instance_map: torch.Tensor, seed: int = 0, **section: Any) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(seed)
    found = JointAugment(AugmentSection(**section))(_coded(instance_map), instance_map, instance_map == 1)
    return found.image, found.instance_map, found.ignore_mask


def _blocks(size: int = 64) -> torch.Tensor:
    instance_map = torch.zeros(size, size, dtype=torch.int32)
    instance_map[4:30, 6:28] = 1
    instance_map[34:60, 10:50] = 2
    instance_map[8:28, 36:60] = 3
    return instance_map


@_few
@given(_squares, st.integers(0, 99))
def test_flips_and_transpose_move_pixels_together_and_lose_none(squares: np.ndarray, seed: int) -> None:
    instance_map = torch.from_numpy(squares)
    image, moved, ignore = _augment(instance_map, seed, flip=True, flip_vertical=True, transpose=True)
    assert torch.equal(torch.bincount(moved.flatten()), torch.bincount(instance_map.flatten()))
    assert torch.equal(image, _coded(moved))
    assert torch.equal(ignore, moved == 1)


def test_every_flip_and_transpose_occurs() -> None:
    corner = torch.tensor([[1, 2], [3, 0]], dtype=torch.int32)
    outcomes = {
        tuple(_augment(corner, seed, flip=True, flip_vertical=True, transpose=True)[1].flatten().tolist())
        for seed in range(100)
    }
    assert len(outcomes) == 8


@_few
@given(_maps)
def test_the_default_section_changes_nothing_and_draws_nothing(array: np.ndarray) -> None:
    instance_map = torch.from_numpy(array)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    image, same, ignore = _augment(instance_map, seed=5)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(image, _coded(instance_map))
    assert torch.equal(same, instance_map)
    assert torch.equal(ignore, instance_map == 1)


def _interior(labels: np.ndarray) -> np.ndarray:
    outside = {"mode": "constant", "cval": -1}  # pixels at the image's edge do not count as interior
    found: np.ndarray = ndimage.maximum_filter(labels, 5, **outside) == ndimage.minimum_filter(labels, 5, **outside)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_image_and_maps_stay_aligned_under_affine(seed: int) -> None:
    section = {"rotation": 30.0, "shift": 0.2, "shear": 10.0, "zoom": (0.7, 1.4)}
    image, moved, ignore = _augment(_blocks(), seed, **section)
    assert (moved != _blocks()).float().mean() > 0.05
    labels = moved.numpy()
    interior = _interior(labels)
    assert interior.mean() > 0.3
    assert torch.equal(image[:, interior], _coded(moved)[:, interior])
    assert torch.equal(ignore, moved == 1)


@_few
@given(_maps, st.sampled_from(["nearest", "bilinear"]))
def test_identity_keeps_every_value(array: np.ndarray, interpolation: Any) -> None:
    tensor = torch.from_numpy(array)[None]
    assert torch.equal(warp(tensor, torch.eye(3), interpolation), tensor)


@_few
@given(st.integers(0, 10_000))
def test_warp_agrees_with_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = rng.standard_normal((11, 17))
    matrix = affine_matrix(
        (11, 17),
        rotation=rng.uniform(-90, 90),
        shift=(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)),
        shear=rng.uniform(-30, 30),
        zoom=(rng.uniform(0.5, 2), rng.uniform(0.5, 2)),
    )
    linear, centre = matrix.numpy()[:2, :2], np.array([5.0, 8.0])
    offset = centre + matrix.numpy()[:2, 2] - linear @ centre
    for order, interpolation in ((0, "nearest"), (1, "bilinear")):
        expected = ndimage.affine_transform(array, linear, offset, order=order, mode="nearest")
        found = warp(torch.from_numpy(array)[None], matrix, interpolation)[0]  # type: ignore[arg-type]
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-9)


def test_directions() -> None:
    """The directions of the documented parameters: where does a marked pixel go?"""
    marked = torch.zeros(9, 9, dtype=torch.int32)
    marked[1, 4] = 1  # top, middle
    still: dict[str, Any] = {"rotation": 0.0, "shift": (0.0, 0.0), "shear": 0.0, "zoom": (1.0, 1.0)}

    def where(**change: Any) -> list[list[int]]:
        matrix = affine_matrix((9, 9), **(still | change))
        return torch.nonzero(warp(marked, matrix, "nearest")).tolist()

    assert where() == [[1, 4]]
    assert where(rotation=90.0) == [[4, 7]]  # clockwise, to the right
    assert where(shift=(-1 / 9, 2 / 9)) == [[2, 2]]  # the window moves, so the content moves the other way
    assert where(zoom=(3.0, 3.0)) == [[3, 4]]  # more input in the same output: towards the centre


def test_borders_repeat() -> None:
    ramp = torch.arange(5, dtype=torch.uint8).expand(3, 5, 5).contiguous()
    matrix = affine_matrix((5, 5), rotation=0, shift=(0, 0.4), shear=0, zoom=(1, 1))
    for interpolation in ("nearest", "bilinear"):
        assert warp(ramp, matrix, interpolation)[0, 0].tolist() == [2, 3, 4, 4, 4]


@pytest.mark.parametrize("name", ["brightness", "contrast"])
def test_jitter_stays_in_its_range_and_leaves_maps_alone(name: str) -> None:
    instance_map = torch.full((8, 8), 10, dtype=torch.int32)
    instance_map[:, :4] = 5
    values = torch.stack([_augment(instance_map, seed, **{name: 0.3})[0] for seed in range(50)]).float()
    left, right = values[:, 0, 0, 0], values[:, 0, 0, 7]
    if name == "brightness":
        assert left.min() >= 35
        assert right.max() <= 130
        assert right.max() - right.min() > 30
    else:
        assert (right - left).min() >= 50 * 0.7 - 1
        assert (right - left).max() <= 50 * 1.3 + 1
        assert (right - left).max() - (right - left).min() > 15
    assert torch.equal(_augment(instance_map, 3, **{name: 0.3})[1], instance_map)


@pytest.mark.parametrize("size", [(64, 64), (48, 80), (96, 30)])
def test_size_is_that_of_the_result_and_shows_the_same(size: tuple[int, int]) -> None:
    image, moved, ignore = _augment(_blocks(), size=size)
    assert (image.shape, moved.shape, ignore.shape) == ((3, *size), size, size)
    assert (image.dtype, moved.dtype, ignore.dtype) == (torch.uint8, torch.int32, torch.bool)
    for label in range(4):
        shares = [float((tensor == label).float().mean()) for tensor in (moved, _blocks())]
        assert shares[0] == pytest.approx(shares[1], abs=0.02)
    if size == (64, 64):
        assert torch.equal(moved, _blocks())


def test_size_holds_for_transposed_pictures() -> None:
    instance_map = _blocks()[:, :40].contiguous()
    shapes = {_augment(instance_map, seed, transpose=True, size=(32, 48))[1].shape for seed in range(10)}
    assert shapes == {(32, 48)}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Returns the parameters of the affine maps that a section draws."""

    def of(count: int = 200, **section: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def recorded(size: tuple[int, int], **parameters: Any) -> torch.Tensor:
            found.append(parameters)
            return affine_matrix(size, **parameters)

        with monkeypatch.context() as patch:
            patch.setattr(augment, "affine_matrix", recorded)
            for seed in range(count):
                _augment(torch.ones(8, 8, dtype=torch.int32), seed, **section)
        return found

    return of


def test_aspect_draws_one_zoom_and_a_ratio(drawn: Callable[..., list[dict[str, Any]]]) -> None:
    zooms = np.array([one["zoom"] for one in drawn(zoom=(0.5, 2.0), aspect=0.3)])
    both, ratios = np.log(zooms).mean(axis=1), np.log(zooms[:, 1] / zooms[:, 0])
    for values, most in ((both, math.log(2)), (ratios, 0.6)):
        assert np.abs(values).max() <= most + 1e-9
        assert values.max() > 0.9 * most
        assert values.min() < -0.9 * most
        assert abs(values.mean()) < 0.2 * most
    zooms = np.array([one["zoom"] for one in drawn(zoom=(0.5, 2.0), aspect=0.0)])
    np.testing.assert_allclose(zooms[:, 0], zooms[:, 1])


def test_a_view_anywhere_is_within_the_picture(drawn: Callable[..., list[dict[str, Any]]]) -> None:
    found = drawn(zoom=(0.4, 1.5), anywhere=True)
    zooms, shifts = (np.array([one[key] for one in found]) for key in ("zoom", "shift"))
    edges = shifts + zooms / 2, shifts - zooms / 2
    narrow = zooms < 1
    assert np.abs(np.stack(edges)[:, narrow]).max() <= 0.5 + 1e-9
    assert (shifts[~narrow] == 0).all()
    reached = shifts[narrow] / (1 - zooms[narrow])
    assert reached.max() > 0.45
    assert reached.min() < -0.45


def _by_tiles(array: np.ndarray) -> list[list[tuple[int, int, int]]]:
    """The slow twin of `mirrored_labels`: label and tile of each pixel of the map mirrored once to each side."""
    height, width = array.shape
    padded = np.pad(array, ((height, height), (width, width)), mode="symmetric")
    borders = {-1: (array[0], array[:, 0]), 1: (array[-1], array[:, -1])}
    rows = []
    for row in range(3 * height):
        found = []
        for column in range(3 * width):
            label = int(padded[row, column])
            tile = [row // height - 1, column // width - 1]
            for axis in (0, 1):
                if tile[axis] and label in borders[tile[axis]][axis]:
                    tile[axis] = 0  # the copy and the object are one
            found.append((label, tile[0], tile[1]) if label else (0, 0, 0))
        rows.append(found)
    return rows


def _all_around(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = torch.meshgrid(
        torch.arange(-height, 2 * height, dtype=torch.float64),
        torch.arange(-width, 2 * width, dtype=torch.float64),
        indexing="ij",
    )
    return rows, columns


@_few
@given(_maps)
def test_mirrored_copies_are_objects_of_their_own_unless_they_touch_the_border(array: np.ndarray) -> None:
    labels, sources = mirrored_labels(torch.from_numpy(array), _all_around(*array.shape))
    expected = _by_tiles(array)
    pairs = {
        (int(label), code)
        for row, codes in zip(labels, expected, strict=True)
        for label, code in zip(row, codes, strict=True)
    }
    assert len(pairs) == len({label for label, _ in pairs}) == len({code for _, code in pairs})
    assert {label for label, _ in pairs} - {0} == set(range(1, len(sources) + 1))
    assert all(code == (0, 0, 0) if label == 0 else code[0] == sources[label - 1] for label, code in pairs)


def test_one_object_in_the_middle_has_eight_copies_and_one_at_the_border_is_one_with_its_own() -> None:
    array = np.zeros((7, 7), np.int32)
    array[3, 3] = 1
    _, sources = mirrored_labels(torch.from_numpy(array), _all_around(7, 7))
    assert sources.tolist() == [1] * 9
    array[3, 3] = 0
    array[0, 3] = 4
    labels, sources = mirrored_labels(torch.from_numpy(array), _all_around(7, 7))
    assert sources.tolist() == [4] * 6  # with its copy above; that below is another one; and those to both sides
    assert labels[6, 10] == labels[7, 10]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("border", ["repeat", "mirror"])
def test_sources_say_which_object_each_label_was(border: str, seed: int) -> None:
    torch.manual_seed(seed)
    section = AugmentSection.model_validate(
        {"zoom": (1.2, 2.0), "rotation": 40, "flip": True, "transpose": True, "size": (80, 72), "border": border}
    )
    found = JointAugment(section)(_coded(_blocks()), _blocks(), _blocks() == 1)
    labels = found.instance_map.numpy()
    assert labels.max() <= len(found.sources)
    assert len(found.sources) > 3 if border == "mirror" else found.sources.tolist() == [1, 2, 3]
    before = torch.cat([torch.zeros(1, dtype=torch.int64), found.sources])[found.instance_map.long()]
    interior = _interior(labels)
    assert interior.mean() > 0.3
    assert torch.equal(found.image[0, interior], (before * 10).to(torch.uint8)[interior])
    assert torch.equal(found.ignore_mask, before == 1)
