"""Runs of a label map against the map itself, pixel by pixel."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsis.eval.truths.label_runs import LabelRuns
from rsis.masks import RLE, encode_rle

maps = hnp.arrays(
    st.sampled_from([np.uint16, np.int32]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.integers(0, 3),
)


@given(maps)
def test_runs_cover_the_map_column_by_column(label_map: np.ndarray) -> None:
    runs = LabelRuns.of(label_map)
    columns = label_map.ravel(order="F")
    assert np.repeat(runs.labels, runs.ends - runs.starts).tolist() == columns.tolist()
    assert (runs.labels[1:] != runs.labels[:-1]).all()
    labels, areas = runs.areas()
    assert dict(zip(labels.tolist(), areas.tolist(), strict=True)) == {
        label: int((label_map == label).sum()) for label in set(columns.tolist())
    }
    wanted = np.array([False, True, False, True])
    assert list(runs.masks(wanted)) == [(k, encode_rle(label_map == k)) for k in (1, 3) if (label_map == k).any()]


@given(st.data(), maps)
def test_pixels_under_a_mask_are_counted_by_label(data: st.DataObject, label_map: np.ndarray) -> None:
    mask = data.draw(hnp.arrays(bool, label_map.shape))
    runs = LabelRuns.of(label_map)
    found = runs.pixels_under(encode_rle(mask), runs.labels, 4)
    assert found.tolist() == [int((mask & (label_map == label)).sum()) for label in range(4)]


def test_a_malformed_mask_is_refused() -> None:
    runs = LabelRuns.of(np.zeros((2, 3), np.int32))
    with pytest.raises(ValueError, match="has runs of 3 pixels for a mask of 6"):
        runs.pixels_under(RLE(size=[2, 3], counts="12"), runs.labels, 1)
