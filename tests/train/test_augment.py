"""Augmentation moves image and maps together and adds no new values to the maps."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import ndimage

from rsis.config.runs import AugmentSection
from rsis.train.augment import JointAugment, affine_matrix, warp

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


@pytest.mark.parametrize("seed", range(8))
def test_image_and_maps_stay_aligned_under_affine(seed: int) -> None:
    section = {"rotation": 30.0, "shift": 0.2, "shear": 10.0, "zoom": (0.7, 1.4)}
    image, moved, ignore = _augment(_blocks(), seed, **section)
    assert (moved != _blocks()).float().mean() > 0.05
    labels = moved.numpy()
    outside = {"mode": "constant", "cval": -1}  # pixels at the image's edge do not count as interior
    interior = ndimage.maximum_filter(labels, 5, **outside) == ndimage.minimum_filter(labels, 5, **outside)
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
