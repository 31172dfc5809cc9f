"""Tests of masks and instance maps: round trips, the original implementation's resizing, run lengths."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco_mask
from support.golden_cases import relative
from support.reference_data import golden_files

from rsis.masks import (
    RLE,
    decode_rle,
    encode_labels,
    encode_rle,
    map_to_masks,
    masks_to_map,
    pixels_of,
    relabel,
    resize_indices,
    resize_map,
    rle_runs,
)
from rsis.model.convlstm.decoder import upsample

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
maps = shapes.flatmap(lambda shape: arrays(np.int32, shape, elements=st.integers(0, 5)))
masks = shapes.flatmap(lambda shape: arrays(np.bool_, shape))
EXTRAS = golden_files("extra_resize.npz")


@given(maps)
@settings(deadline=None, derandomize=True)
def test_map_to_masks_and_back(labels: np.ndarray) -> None:
    consecutive = relabel(labels)
    assert np.array_equal(masks_to_map(map_to_masks(consecutive)), consecutive)


@given(maps)
@settings(deadline=None, derandomize=True)
def test_relabel_keeps_objects_and_their_order(labels: np.ndarray) -> None:
    found = relabel(labels)
    ids = np.unique(labels[labels > 0])
    assert np.array_equal(np.unique(found[found > 0]), np.arange(1, len(ids) + 1))
    for number, label in enumerate(ids, 1):
        assert np.array_equal(found == number, labels == label)


_kinds = st.sampled_from([np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64])
_far = st.sampled_from([-(2**31), -1, 0, 1, 2, 7, 255, 65535, 65536, 2**31 - 1])
_any = _kinds.flatmap(lambda kind: shapes.flatmap(lambda shape: arrays(kind, shape)))


@given(_any | arrays(np.int64, (5, 6), elements=_far))
@settings(deadline=None, derandomize=True)
def test_relabel_agrees_with_its_slow_twin(labels: np.ndarray) -> None:
    above = sorted({label for label in labels.ravel().tolist() if label > 0})
    numbers = {label: n for n, label in enumerate(above, 1)}
    found = relabel(labels)
    assert found.dtype == np.int32
    assert found.tolist() == [[numbers.get(label, 0) for label in row] for row in labels.tolist()]


@given(masks)
@settings(deadline=None, derandomize=True)
def test_run_lengths_there_and_back(mask: np.ndarray) -> None:
    rle = encode_rle(mask)
    assert np.array_equal(decode_rle(rle), mask)
    runs = rle_runs(rle)
    assert sum(runs[1::2]) == mask.sum()
    assert sum(runs) == mask.size
    assert np.array_equal(pixels_of(rle), np.flatnonzero(mask.ravel(order="F")))


@given(st.lists(st.integers(0, 1 << 20), min_size=1, max_size=9))
@settings(deadline=None, derandomize=True)
def test_runs_of_any_length_are_read_as_they_were_written(runs: list[int]) -> None:
    size = [max(1, sum(runs)), 1]
    runs = runs if sum(runs) else [1]
    encoded = coco_mask.frPyObjects({"size": size, "counts": runs}, *size)
    assert rle_runs(RLE(size=size, counts=encoded["counts"].decode())).tolist() == runs


@given(maps)
@settings(deadline=None, derandomize=True)
def test_labels_are_encoded_as_one_by_one(labels: np.ndarray) -> None:
    expected = {label: encode_rle(labels == label) for label in np.unique(labels).tolist() if label > 0}
    found = encode_labels(labels)
    assert found == expected
    assert list(found) == list(expected)


def test_worked_example_of_the_docstring() -> None:
    mask = np.array([[False, False, True], [False, False, True]])
    assert encode_rle(mask) == RLE(size=[2, 3], counts="42")


@pytest.mark.parametrize(
    "counts", ["4", "42222222", "4\x7f", "", "4ü", "P", "4" + "P" * 20 + "0", "4" + "P" * 11 + "?"]
)
def test_broken_run_lengths_are_refused(counts: str) -> None:
    with pytest.raises(ValueError, match="has "):
        rle_runs(RLE(size=[2, 3], counts=counts))


def test_the_earlier_mask_keeps_a_contested_pixel() -> None:
    first, second = np.array([[True, True, False]]), np.array([[False, True, True]])
    hidden = np.array([[True, False, False]])
    assert masks_to_map(np.stack([first, hidden, second])).tolist() == [[1, 1, 2]]
    assert masks_to_map(np.zeros((0, 2, 2), bool)).tolist() == [[0, 0], [0, 0]]


@given(st.integers(1, 300), st.integers(1, 300))
@settings(deadline=None, derandomize=True)
def test_resizing_keeps_the_ends_and_the_order(source: int, target: int) -> None:
    indices = resize_indices(source, target)
    assert len(indices) == target
    assert indices[0] == 0
    assert target == 1 or indices[-1] == source - 1
    assert (np.diff(indices) >= 0).all()


def test_resizing_a_map_invents_no_label() -> None:
    labels = np.arange(12, dtype=np.int32).reshape(3, 4)
    assert set(resize_map(labels, (7, 5)).ravel().tolist()) <= set(range(12))
    assert np.array_equal(resize_map(labels, (3, 4)), labels)


@pytest.mark.golden
@pytest.mark.parametrize("path", EXTRAS, ids=lambda path: path.parent.name)
def test_resizing_is_the_originals(path: Path) -> None:
    extra = np.load(path)
    for source, target in extra["pairs"].tolist():
        assert np.array_equal(resize_indices(source, target), extra[f"idx_{source}_{target}"]), (source, target)
    mask = extra["mask_in"]
    for key in extra.files:
        if "zoom" in key or "imresize" in key:
            height, width = map(int, key.split("_")[-1].split("x"))
            compare_upsampling(key, mask, (height, width), extra[key])


def compare_upsampling(key: str, mask: np.ndarray, size: tuple[int, int], expected: np.ndarray) -> None:
    """The three ways in which the original implementation resizes masks to the image's size."""
    if key.startswith("coco_zoom"):  # the only one that rsis uses
        found = upsample(torch.from_numpy(mask)[None, None].double(), size)[0, 0].numpy()
        assert relative(found, expected) <= 3e-6  # expected is float32
        return
    # the exports of leaves and streets resized 8-bit pictures with Pillow, after stretching or thresholding them
    if key.startswith("leaves"):
        stretched = (mask - mask.min()) * (255 / (mask.max() - mask.min())) + 0.5
        picture = stretched.clip(0, 255).astype(np.uint8)
    else:
        picture = (mask > 0.5).astype(np.uint8) * 255
    resized = Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR)
    assert np.array_equal(np.asarray(resized), expected), key
