"""Tests of the CVPPP reader: the accepted files, and the errors for faulty ones."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rsis.config.datasets import CvpppDataset
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.cvppp import CvpppReader
from rsis.data.readers.open import open_split
from rsis.errors import UserError

RNG = np.random.default_rng(0)


def _write(folder: Path, name: str, label: np.ndarray, mode: str = "P", channels: int = 4) -> np.ndarray:
    """Write the two files of a plant; return its picture, uint8 [H, W, 3]."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = RNG.integers(0, 256, (*label.shape, channels), np.uint8)
    Image.fromarray(picture).save(folder / f"{name}_rgb.png")
    image = Image.fromarray(label.astype(np.uint16 if mode == "I;16" else np.uint8))
    if mode == "P":
        image.putpalette([255 - i // 3 for i in range(768)])  # colours that differ from the indices
    image.save(folder / f"{name}_label.png")
    assert Image.open(folder / f"{name}_label.png").mode == mode
    return picture[..., :3]


LABEL = np.array([[0, 0, 7], [2, 2, 7]])


@pytest.mark.parametrize("mode", ["P", "L", "I;16"])
@pytest.mark.parametrize("channels", [3, 4])
def test_reads_indices_and_renumbers_them(tmp_path: Path, mode: str, channels: int) -> None:
    picture = _write(tmp_path, "plant001", LABEL, mode, channels)
    reader = CvpppReader(tmp_path)
    assert reader.class_names == ("leaf",)
    sample = reader.read("plant001")
    np.testing.assert_array_equal(sample.image, picture)
    np.testing.assert_array_equal(sample.instance_map, [[0, 0, 2], [1, 1, 2]])
    np.testing.assert_array_equal(sample.class_ids, [1, 1])
    assert (sample.image.dtype, sample.instance_map.dtype, sample.class_ids.dtype) == (np.uint8, np.int32, np.int64)
    assert sample.ignore_mask.shape == (2, 3)
    assert not sample.ignore_mask.any()
    assert sample.image_id == "plant001"


@settings(deadline=None, derandomize=True, max_examples=20)
@given(label=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 12)))
def test_any_label_survives_as_a_partition(tmp_path_factory: pytest.TempPathFactory, label: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("any")
    _write(folder, "plant001", label)
    sample = CvpppReader(folder).read("plant001")
    values = [value for value in np.unique(label) if value > 0]
    assert len(sample.class_ids) == len(values)
    for number, value in enumerate(values, start=1):
        np.testing.assert_array_equal(sample.instance_map == number, label == value)


def test_order_is_numeric_and_take_slices_it(tmp_path: Path) -> None:
    for name in ("plant10", "plant9", "plant100", "plant2"):
        _write(tmp_path, name, LABEL)
    (tmp_path / "._plant3_rgb.png").write_bytes(b"left by a file manager")
    assert CvpppReader(tmp_path).image_ids == ("plant2", "plant9", "plant10", "plant100")
    assert CvpppReader(tmp_path, (1, 3)).image_ids == ("plant9", "plant10")
    assert pickle.loads(pickle.dumps(CvpppReader(tmp_path, (1, 3)))).image_ids == ("plant9", "plant10")


def _drop(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("damage", "take", "found"),
    [
        (_drop("plant002_label.png"), None, "plant002_rgb.png: plant002_label.png is missing"),
        (_drop("plant001_rgb.png"), None, "plant001_label.png: plant001_rgb.png is missing"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], None, "no plantNNN_rgb.png"),
        (lambda folder: None, (0, 3), r"has 2 plants, cannot take \[0, 3\]"),
        (lambda folder: None, (1, 1), r"cannot take \[1, 1\]"),
    ],
)
def test_structural_faults_stop_at_once(
    tmp_path: Path, damage: Callable[[Path], object], take: tuple[int, int] | None, found: str
) -> None:
    for name in ("plant001", "plant002"):
        _write(tmp_path, name, LABEL)
    damage(tmp_path)
    with pytest.raises(UserError, match=found) as caught:
        CvpppReader(tmp_path, take)
    assert not isinstance(caught.value, BadSampleError)
    assert "\n" not in str(caught.value)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="A9: no such folder"):
        CvpppReader(tmp_path / "A9")


def _truncate(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-30])


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_truncate("plant001_rgb.png"), "plant001_rgb.png: not a readable image"),
        (_truncate("plant001_label.png"), "plant001_label.png: not a readable image"),
        (lambda folder: (folder / "plant001_rgb.png").write_bytes(b""), "plant001_rgb.png: not a readable image"),
        (_drop("plant001_rgb.png"), "plant001_rgb.png: not a readable image"),
        (lambda folder: Image.new("RGB", (3, 2)).save(folder / "plant001_label.png"), "label of mode RGB,"),
        (lambda folder: Image.new("RGBA", (3, 2)).save(folder / "plant001_label.png"), "label of mode RGBA,"),
        (lambda folder: Image.new("P", (2, 3)).save(folder / "plant001_label.png"), "3 x 2 pixels, .* has 2 x 3"),
    ],
)
def test_broken_sample_is_named_and_may_be_skipped(
    tmp_path: Path, damage: Callable[[Path], object], found: str
) -> None:
    _write(tmp_path, "plant001", LABEL)
    reader = CvpppReader(tmp_path)
    damage(tmp_path)
    with pytest.raises(BadSampleError, match=found) as caught:
        reader.read("plant001")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_open_split_knows_its_splits(tmp_path: Path) -> None:
    _write(tmp_path / "A1", "plant001", LABEL)
    dataset = CvpppDataset.model_validate(
        {
            "format": "cvppp",
            "source": {"kind": "folder", "path": "pictures"},
            "size": (8, 8),
            "splits": {"train": {"folder": "A1", "take": (0, 1)}},
        }
    )
    assert open_split(dataset, tmp_path, "train").image_ids == ("plant001",)
    with pytest.raises(UserError, match="no split 'val'; the data set has train"):
        open_split(dataset, tmp_path, "val")
