"""Tests of sbdataset's MATLAB files: the accepted forms, and the errors for faulty files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import support.voc_folder as tree
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.sbdataset import read_sbdataset


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.mat"


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float64])
@pytest.mark.parametrize("compress", [False, True])
def test_any_type_of_number_is_read(path: Path, kind: type, compress: bool) -> None:
    content = tree.instances(tree.SEGMENTATION.astype(kind))
    content["Categories"] = content["Categories"].astype(kind).T  # a row, not the usual column
    tree.write_mat(path, content, compress=compress)
    numbers, class_ids = read_sbdataset(path, 20)
    np.testing.assert_array_equal(numbers, tree.SEGMENTATION)
    np.testing.assert_array_equal(class_ids, [3, 3])
    assert (numbers.dtype, class_ids.dtype) == (np.int32, np.int64)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(
    segmentation=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(0, 5)),
    categories=st.lists(st.integers(1, 20), min_size=5, max_size=5),
)
def test_objects_keep_their_pixels_and_classes(
    tmp_path_factory: pytest.TempPathFactory, segmentation: np.ndarray, categories: list[int]
) -> None:
    path = tmp_path_factory.mktemp("any") / "s.mat"
    tree.write_mat(path, tree.instances(segmentation, categories))
    numbers, class_ids = read_sbdataset(path, 20)
    np.testing.assert_array_equal(numbers, segmentation)
    assert list(class_ids) == [categories[number - 1] for number in np.unique(segmentation) if number]


def test_class_of_an_object_without_pixels_does_not_matter(path: Path) -> None:
    tree.write_mat(path, tree.instances(categories=(3, 99, 3)))
    assert list(read_sbdataset(path, 20)[1]) == [3, 3]


def _mat(**changes: Any) -> Callable[[Path], object]:
    content = {key: value for key, value in {**tree.instances(), **changes}.items() if value is not None}
    return lambda path: tree.write_mat(path, content)


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (lambda path: path.write_bytes(b"\x89PNG\r\n" + bytes(300)), "not a readable MATLAB file"),
        (lambda path: path.write_bytes(b"MATLAB 7.3 MAT-file" + b" " * 105 + b"\0\2IM"), "not a readable MATLAB file"),
        (lambda path: None, r"not a readable MATLAB file \(.*No such file"),
        (lambda path: tree.write_mat(path, tree.instances(), "GTcls"), "no struct GTinst"),
        (lambda path: tree.write_mat(path, np.eye(3)), "no struct GTinst"),
        (_mat(Categories=None), "no struct GTinst with Segmentation and Categories"),
        (_mat(Segmentation=None), "no struct GTinst with Segmentation and Categories"),
        (_mat(Categories=np.array([[3], [12]])), "has object 3, but Categories only 2 entries"),
        (_mat(Categories=np.zeros((0, 0))), "has object 3, but Categories only 0 entries"),
        (_mat(Categories=np.array([[3], [12], [21]])), "object 3 has class 21, expected 1 to 20"),
        (_mat(Categories=np.array([[0], [12], [3]])), "object 1 has class 0, expected 1 to 20"),
        (_mat(Categories="cat"), "Categories of GTinst is not made of whole numbers"),
        (_mat(Segmentation=tree.SEGMENTATION * 0.5), "Segmentation of GTinst is not made of whole numbers"),
        (_mat(Segmentation=tree.SEGMENTATION * np.nan), "Segmentation of GTinst is not made of whole numbers"),
        (_mat(Segmentation=-tree.SEGMENTATION.astype(int)), "no image of object numbers"),
        (_mat(Segmentation=np.zeros((4, 6, 3))), "no image of object numbers"),
        (_mat(Segmentation=np.zeros((0, 0))), "no image of object numbers"),
    ],
)
def test_fault_is_named(path: Path, write: Callable[[Path], object], found: str) -> None:
    write(path)
    with pytest.raises(BadSampleError, match=found) as caught:
        read_sbdataset(path, 20)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compress", [False, True])
def test_file_cut_anywhere_is_refused(path: Path, compress: bool) -> None:
    tree.write_mat(path, tree.instances(), compress=compress)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(BadSampleError, match=r"s\.mat: "):
            read_sbdataset(path, 20)
