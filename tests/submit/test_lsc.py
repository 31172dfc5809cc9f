"""Tests of the submission file of the challenge, read as arrays and with the reader of the organisers' files."""

from pathlib import Path

import h5py
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rsis.data.download.lsc_hdf5 import extract_lsc
from rsis.data.readers.cvppp import CvpppReader
from rsis.errors import UserError
from rsis.masks import relabel
from rsis.submit.lsc import to_labels, write_lsc_submission

TWO_LEAVES = np.array([[0, 0, 1, 1, 0], [2, 2, 1, 0, 0], [2, 0, 0, 0, 0]], np.int32)
NO_LEAF = np.zeros((4, 2), np.int32)
MAPS = [("plant003", TWO_LEAVES), ("plant010", NO_LEAF)]


def write(folder: Path, maps: list[tuple[str, np.ndarray]] = MAPS, set_name: str = "A1") -> Path:
    folder.mkdir()
    write_lsc_submission(folder, set_name, iter(maps))
    return folder


def test_file_and_pngs_hold_the_maps(tmp_path: Path) -> None:
    folder = write(tmp_path / "sent")
    with h5py.File(folder / "submission.h5") as file:
        assert list(file) == ["A1"]
        assert list(file["A1"]) == ["plant003", "plant010"]
        for plant, expected in MAPS:
            group = file["A1"][plant]
            assert set(group) == {"label", "label_filename"}
            assert group["label"].dtype == np.uint8
            np.testing.assert_array_equal(group["label"][()], expected)
            assert group["label_filename"].asstr()[()] == f"{plant}_label.png"
            with Image.open(folder / "A1" / f"{plant}_label.png") as image:
                assert image.mode == "P"
                np.testing.assert_array_equal(np.asarray(image), expected)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"submission.h5", "A1/plant003_label.png", "A1/plant010_label.png"}


def test_labels_have_colours_of_their_own(tmp_path: Path) -> None:
    folder = write(tmp_path / "sent")
    with Image.open(folder / "A1/plant003_label.png") as image:
        shown = np.asarray(image.convert("RGB")).reshape(-1, 3)
    colours = {tuple(map(int, colour)) for colour in shown}
    assert len(colours) == 3
    assert (0, 0, 0) in colours


def test_the_reader_of_the_organisers_files_reads_it(tmp_path: Path) -> None:
    submission = write(tmp_path / "sent") / "submission.h5"
    with h5py.File(tmp_path / "training_images.h5", "w") as file:
        for plant, instance_map in MAPS:
            file[f"A1/{plant}/rgb"] = np.full((*instance_map.shape, 3), 90, np.uint8)
    target = tmp_path / "out"
    target.mkdir()
    extract_lsc([tmp_path / "training_images.h5", submission], ["training/A1"], target)
    reader = CvpppReader(target / "training/A1")
    assert reader.image_ids == ("plant003", "plant010")
    for plant, expected in MAPS:
        np.testing.assert_array_equal(reader.read(plant).instance_map, expected)


def test_equal_maps_give_equal_bytes(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first"), write(tmp_path / "second")
    for name in ("submission.h5", "A1/plant003_label.png"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    with h5py.File(first / "submission.h5") as file:
        for name in ("A1", "A1/plant003", "A1/plant003/label", "A1/plant003/label_filename"):
            assert h5py.h5g.get_objinfo(file.id, name.encode()).mtime == 0  # a time stamp would make the bytes differ


def test_more_than_255_leaves_take_16_bits(tmp_path: Path) -> None:
    many = np.arange(300, dtype=np.int32).reshape(15, 20)
    folder = write(tmp_path / "sent", [("plant001", many), *MAPS])
    with h5py.File(folder / "submission.h5") as file:
        assert file["A1/plant001/label"].dtype == np.uint16
        assert file["A1/plant003/label"].dtype == np.uint8
        np.testing.assert_array_equal(file["A1/plant001/label"][()], many)
    with Image.open(folder / "A1/plant001_label.png") as image:
        assert image.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(image), many)


def test_leaves_without_background_lose_one_pixel_of_the_largest() -> None:
    labels = to_labels(np.array([[1, 1, 2], [3, 2, 2]], np.int32))
    assert labels.tolist() == [[1, 1, 0], [3, 2, 2]]
    assert to_labels(np.array([[1]], np.int32)).tolist() == [[0]]


@settings(deadline=None, derandomize=True, max_examples=100)
@given(hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 4)))
def test_labels_are_consecutive_and_leave_background(instance_map: np.ndarray) -> None:
    before = instance_map.copy()
    labels = to_labels(instance_map)
    np.testing.assert_array_equal(instance_map, before)
    assert labels.dtype == np.uint8
    assert np.unique(labels).tolist() == list(range(int(labels.max()) + 1))
    if (instance_map == 0).any():
        np.testing.assert_array_equal(labels, relabel(instance_map))
    elif np.bincount(instance_map.ravel()).max() > 1:
        assert (labels != relabel(instance_map)).sum() == 1


@pytest.mark.parametrize("name", ["../plant003", "a/b", "", "plant 3", ".", "pl\u00e4nt"])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="takes names of letters, digits"):
        write(tmp_path / "plant", [(name, TWO_LEAVES)])
    with pytest.raises(UserError, match="takes names of letters, digits"):
        write(tmp_path / "set", set_name=name)
    assert list((tmp_path / "set").iterdir()) == []
