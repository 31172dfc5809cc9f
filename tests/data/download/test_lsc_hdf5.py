"""Tests of the conversion of the challenge's HDF5 files; the result is read with the reader of the folder layout."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from rsis.data.download.lsc_hdf5 import extract_lsc, find_lsc_files
from rsis.data.readers.cvppp import CvpppReader
from rsis.errors import UserError

SIZE = (7, 5)
IMAGES, TRUTH, TESTING = (f"CVPPP2017_{name}.h5" for name in ("training_images", "training_truth", "testing_images"))


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (*SIZE, 4), np.uint8)


def label(number: int) -> np.ndarray:
    return np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE) % (number + 1)


def write(folder: Path) -> Path:
    """Write the three files: two sets, training plants 1 and 2, testing plant 3."""
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / IMAGES, "w") as images, h5py.File(folder / TRUTH, "w") as truth:
        for set_name in ("A1", "A2"):
            for number in (1, 2):
                plant = images.create_group(f"{set_name}/plant{number:03d}")
                plant["rgb"], plant["rgb_filename"] = picture(number), f"plant{number:03d}_rgb.png"
                plant["fg"], plant["fg_filename"] = (label(number) > 0).astype(np.uint8), "plant_fg.png"
                plant["centers"] = np.zeros(SIZE, np.uint8)
                plant = truth.create_group(f"{set_name}/plant{number:03d}")
                plant["label"], plant["label_filename"] = label(number), f"plant{number:03d}_label.png"
                plant["count"] = number
    with h5py.File(folder / TESTING, "w") as images:
        images["A1/plant003/rgb"] = picture(3)
    return folder


def change(path: Path, name: str, value: Any) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value


def test_every_pixel_arrives(tmp_path: Path) -> None:
    files = find_lsc_files(write(tmp_path / "lsc"))
    assert [path.name for path in files] == [TESTING, IMAGES, TRUTH]
    target = tmp_path / "out"
    target.mkdir()
    extract_lsc(files, ["training/A1", "testing/A1"], target)
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*.*")) == [
        "testing/A1/plant003_rgb.png",
        "training/A1/A1.csv",
        *(f"training/A1/plant00{number}_{kind}.png" for number in (1, 2) for kind in ("label", "rgb")),
    ]
    reader = CvpppReader(target / "training" / "A1")
    assert reader.image_ids == ("plant001", "plant002")
    reader.check(2)
    for number in (1, 2):
        sample = reader.read(f"plant{number:03d}")
        np.testing.assert_array_equal(sample.image, picture(number)[..., :3])
        np.testing.assert_array_equal(sample.instance_map, label(number))
        image = Image.open(target / "training" / "A1" / f"plant{number:03d}_label.png")
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), label(number))
    assert (target / "training/A1/A1.csv").read_text() == "plant001_rgb.png,1\nplant002_rgb.png,2\n"
    testing = CvpppReader(target / "testing" / "A1", labels=False)
    testing.check(1)
    sample = testing.read("plant003")
    np.testing.assert_array_equal(sample.image, picture(3)[..., :3])
    assert sample.instance_map.shape == SIZE
    assert sample.instance_map.max() == 0
    assert len(sample.class_ids) == 0


def test_count_that_contradicts_the_label_is_found(tmp_path: Path) -> None:
    change(write(tmp_path) / TRUTH, "A1/plant002/count", 5)
    (tmp_path / "out").mkdir()
    extract_lsc(find_lsc_files(tmp_path), ["training/A1"], tmp_path / "out")
    with pytest.raises(UserError, match=r"plant002_label\.png: has 2 leaves, A1\.csv says 5"):
        CvpppReader(tmp_path / "out" / "training" / "A1").check(2)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda folder: (folder / TRUTH).unlink(), "hold no label of training/A1/plant001; add the file"),
        (lambda folder: (folder / IMAGES).unlink(), "hold no pictures for training/A1; add the file"),
        (lambda folder: change(folder / TRUTH, "A1/plant002", None), "hold no label of training/A1/plant002"),
        (lambda folder: change(folder / IMAGES, "A1/plant002", None), "hold no picture of training/A1/plant002"),
        (lambda folder: change(folder / IMAGES, "A1", None), "hold no pictures for training/A1"),
        (lambda folder: (folder / IMAGES).write_bytes(b"no HDF5"), f"{IMAGES}: not a readable file"),
        (
            lambda folder: (folder / IMAGES).write_bytes((folder / IMAGES).read_bytes()[:3000]),
            f"{IMAGES}: not a readable file",
        ),
        (lambda folder: change(folder / TRUTH, "A1/plant001/count", np.zeros(0)), f"{TRUTH}: not a readable file"),
        (lambda folder: change(folder / TRUTH, "A1", 3), f"{TRUTH}: not a readable file"),
        (lambda folder: change(folder / TRUTH, "A1/plant001", 3), f"{TRUTH}: not a readable file"),
        (lambda folder: change(folder / TRUTH, "A1/plant001/label", h5py.Empty("f")), "not a readable|/label: "),
        (
            lambda folder: change(folder / TRUTH, "A1/plant001/label", np.full(SIZE, 300)),
            r"/A1/plant001/label: int64 \[7, 5\], expected \[H, W\] of 0..255",
        ),
        (lambda folder: change(folder / IMAGES, "A1/plant001/rgb", label(1)), r"plant001/rgb: uint8 \[7, 5\], expect"),
        (
            lambda folder: change(folder / IMAGES, "A1/plant001/rgb", np.zeros((*SIZE, 3))),
            r"plant001/rgb: float64 \[7, 5, 3\], expected uint8",
        ),
        (
            lambda folder: h5py.File(folder / IMAGES, "r+").copy("A1/plant001", "A1/.. "),
            r"/A1/\.\. : expected a name of letters",
        ),
    ],
)
def test_faulty_files_are_named(tmp_path: Path, damage: Callable[[Path], object], found: str) -> None:
    damage(write(tmp_path))
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=found) as caught:
        extract_lsc(find_lsc_files(tmp_path), ["training/A1"], tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
