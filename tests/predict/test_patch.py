"""A mask kept as its box: what is taken out of it is what was in the mask."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn import functional as F

from rsis.masks import encode_rle
from rsis.predict.binary import enlarged_above
from rsis.predict.patch import Patch

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans())


@given(mask=MASKS, corners=st.tuples(*[st.integers(-3, 12)] * 4))
def test_a_patch_is_its_mask(mask: np.ndarray, corners: tuple[int, int, int, int]) -> None:
    patch = Patch.of(mask)
    assert np.array_equal(patch.full(), mask)
    assert patch.area == mask.sum()
    assert patch.rle() == encode_rle(mask)
    assert np.array_equal(mask[patch.slices], patch.pixels)
    rows, columns = np.nonzero(mask)
    if len(rows):
        assert patch.box == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    top, left = corners[:2]
    bottom, right = max(top, corners[2]), max(left, corners[3])
    padded = np.pad(mask, 15)  # a box may reach beyond the mask
    assert np.array_equal(
        patch.within((top, left, bottom, right)), padded[15 + top : 15 + bottom, 15 + left : 15 + right]
    )


def test_a_patch_does_not_hold_the_whole_mask() -> None:
    mask = np.zeros((1000, 1000), bool)
    mask[10, 20] = True
    patch = Patch.of(mask)
    assert patch.pixels.base is None
    assert patch.pixels.size == 1
    assert Patch.of(np.zeros((1000, 1000), bool)).pixels.size == 0


@given(
    probs=arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(0, 1, width=32)),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    threshold=st.sampled_from([0.0, 0.3, 0.5, 0.9]),
)
def test_a_window_holds_all_that_exceeds_the_threshold(
    probs: np.ndarray, size: tuple[int, int], threshold: float
) -> None:
    """And has torch's own bilinear values."""
    values = torch.from_numpy(probs)
    full = F.interpolate(values[None, None], size, mode="bilinear", align_corners=False)[0, 0].numpy()
    window = enlarged_above(values, size, threshold)
    np.testing.assert_allclose(window.probs, full[window.slices], atol=1e-6)
    outside = full.copy()
    outside[window.slices] = 0
    assert not (outside > threshold + 1e-6).any()
