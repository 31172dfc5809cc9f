"""Tests of the generated plants: reproducible pixels, numbers of leaves, and the layout that the reader expects."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.folder_contents import contents

from rsis.config.sources import PlantSource
from rsis.data.readers.cvppp import CvpppReader
from rsis.data.synthetic.plants.dataset import FEWEST_PIXELS, GOOD_AREA, make_plant, write_plants
from rsis.data.synthetic.plants.rosette import grow, label_map
from rsis.errors import UserError

SOURCE = PlantSource(kind="plants", seed=5, image_size=(40, 56), training=33, testing=3, leaves=(3, 7))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plants")
    write_plants(path, SOURCE, processes=1)
    return path


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    seed=st.integers(0, 2**40),
    index=st.integers(1, 5000),
    size=st.tuples(st.integers(32, 64), st.integers(32, 64)),
    least=st.integers(1, 5),
    more=st.integers(0, 4),
)
def test_every_leaf_counts_and_shows(seed: int, index: int, size: tuple[int, int], least: int, more: int) -> None:
    plant = make_plant(seed, index, size, (least, least + more))
    count = len(plant.class_ids)
    assert least <= count <= least + more
    assert plant.image.shape == (*size, 3)
    assert plant.image.dtype == np.uint8
    assert plant.instance_map.shape == size
    assert plant.instance_map.dtype == np.int32
    areas = np.bincount(plant.instance_map.ravel(), minlength=count + 1)
    assert len(areas) == count + 1
    assert areas[1:].min() >= FEWEST_PIXELS
    assert (plant.class_ids == 1).all()
    assert not plant.ignore_mask.any()


def test_same_arguments_same_plant_other_arguments_another() -> None:
    first, again = make_plant(1, 7, (48, 48), (4, 9)), make_plant(1, 7, (48, 48), (4, 9))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.instance_map, again.instance_map)
    for other in (make_plant(2, 7, (48, 48), (4, 9)), make_plant(1, 8, (48, 48), (4, 9))):
        assert (first.image != other.image).mean() > 0.5


@pytest.mark.slow
def test_statistics_of_the_demo_plants() -> None:
    """Numbers of leaves are uniform in their range, plants fill the picture, and leaves are large enough to learn."""
    plants = [make_plant(1, index, (96, 96), (4, 12)) for index in range(1, 61)]
    counts = np.bincount([len(plant.class_ids) for plant in plants], minlength=13)
    assert counts[:4].sum() == 0
    assert (counts[4:] >= 2).all()
    shares = np.concatenate([np.bincount(plant.instance_map.ravel())[1:] / 96**2 for plant in plants])
    assert shares.min() >= GOOD_AREA
    covered = np.array([(plant.instance_map > 0).mean() for plant in plants])
    assert np.median(covered) > 0.15
    assert covered.max() < 0.6


def test_leaves_are_greener_than_the_ground() -> None:
    for index in range(1, 9):
        plant = make_plant(3, index, (96, 96), (4, 12))
        excess = 2.0 * plant.image[..., 1] - plant.image[..., 0] - plant.image[..., 2]
        leaf = plant.instance_map > 0
        assert excess[leaf].mean() > excess[~leaf].mean() + 40


def test_young_leaves_lie_on_top() -> None:
    """A leaf shows exactly the pixels of its own outline that no younger leaf covers."""
    leaves = grow(np.random.default_rng(4), 8)
    alone = [label_map([leaf], (80, 80)) > 0 for leaf in leaves]
    expected = np.zeros((80, 80), np.int32)
    for row in range(80):
        for column in range(80):
            over = [number for number, outline in enumerate(alone, start=1) if outline[row, column]]
            expected[row, column] = max(over, default=0)
    np.testing.assert_array_equal(label_map(leaves, (80, 80)), expected)
    assert any((a & b).any() for i, a in enumerate(alone) for b in alone[i + 1 :])


def test_layout_is_that_of_the_challenge(folder: Path) -> None:
    names = {f"plant{n:03d}_{kind}.png" for n in range(1, 34) for kind in ("rgb", "label", "fg", "centers")}
    assert {path.name for path in (folder / "training" / "A1").iterdir()} == {"A1.csv", *names}
    assert (folder / "testing" / "A1" / "plant036_rgb.png").is_file()
    for name in ("training/A1", "testing/A1"):
        with (folder / name / "A1.csv").open() as file:
            rows = [(picture, int(count)) for picture, count in csv.reader(file)]
        assert [picture for picture, _ in rows] == sorted(path.name for path in (folder / name).glob("*_rgb.png"))
        for picture, count in rows:
            stem = str(folder / name / picture.removesuffix("_rgb.png"))
            assert Image.open(f"{stem}_rgb.png").mode == "RGBA"
            images = [Image.open(f"{stem}_{kind}.png") for kind in ("label", "fg", "centers")]
            assert [image.mode for image in images] == ["P", "P", "P"]
            label, foreground, centers = (np.asarray(image) for image in images)
            np.testing.assert_array_equal(np.unique(label), np.arange(count + 1))
            np.testing.assert_array_equal(foreground, label > 0)
            np.testing.assert_array_equal(np.sort(centers[centers > 0]), np.arange(1, count + 1))
            np.testing.assert_array_equal(centers[centers > 0], label[centers > 0])


def test_reader_gives_back_what_was_drawn(folder: Path) -> None:
    reader = CvpppReader(folder / "training" / "A1")
    assert len(reader.image_ids) == 33
    for index in (1, 33):
        drawn, read = make_plant(5, index, (40, 56), (3, 7)), reader.read(f"plant{index:03d}")
        np.testing.assert_array_equal(read.image, drawn.image)
        np.testing.assert_array_equal(read.instance_map, drawn.instance_map)
        np.testing.assert_array_equal(read.class_ids, drawn.class_ids)


def test_processes_change_no_byte(folder: Path, tmp_path: Path) -> None:
    write_plants(tmp_path, SOURCE, processes=2)
    assert contents(tmp_path) == contents(folder)


def test_leaves_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="20 leaves cannot all be visible in 8 x 8 pixels"):
        make_plant(1, 1, (8, 8), (20, 20))
    with pytest.raises(UserError, match="must not exceed"):
        make_plant(1, 1, (64, 64), (5, 4))
