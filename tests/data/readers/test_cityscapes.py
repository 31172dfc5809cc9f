"""Tests of the Cityscapes reader: objects, ignored pixels, and the errors for faulty files."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.helpers.labels import id2label
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.cityscapes_folder import picture_path, random_ids, truth_path, write_ids, write_image

from rsis.config.datasets import CityscapesDataset, CityscapesSplit
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.cityscapes import CityscapesReader
from rsis.data.readers.open import open_split
from rsis.errors import UserError

TRAIN = CityscapesSplit(folder="train")
FIRST, SECOND = "aachen_000000_000019", "bonn_000012_000019"
IDS = np.array([[7, 23, 26001, 26001], [26, 0, 24000, 33999], [29001, 29, 9, 1]])


def test_classes_are_the_eight_in_official_order() -> None:
    names = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
    assert CityscapesReader.class_names == names


def test_objects_groups_and_what_is_left_out(tmp_path: Path) -> None:
    picture = write_image(tmp_path, "train", FIRST, IDS)
    sample = CityscapesReader(tmp_path, TRAIN).read(FIRST)
    np.testing.assert_array_equal(sample.image, picture)
    np.testing.assert_array_equal(sample.instance_map, [[0, 0, 2, 2], [0, 0, 1, 3], [0, 0, 0, 0]])
    np.testing.assert_array_equal(sample.class_ids, [1, 3, 8])
    np.testing.assert_array_equal(sample.ignore_mask, [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]])
    assert (sample.image.dtype, sample.instance_map.dtype, sample.class_ids.dtype) == (np.uint8, np.int32, np.int64)
    assert sample.ignore_mask.dtype == bool
    assert sample.image_id == FIRST


@settings(deadline=None, derandomize=True, max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_every_pixel_is_an_object_ignored_or_background(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root = tmp_path_factory.mktemp("any")
    ids = random_ids(np.random.default_rng(seed), (9, 14))
    write_image(root, "train", FIRST, ids)
    reader = CityscapesReader(root, TRAIN)
    sample = reader.read(FIRST)
    numbers = set()
    for annotated, number, ignored in zip(
        ids.ravel(), sample.instance_map.ravel(), sample.ignore_mask.ravel(), strict=True
    ):
        label = id2label[int(annotated) // 1000 if annotated >= 1000 else int(annotated)]
        counted = label.hasInstances and not label.ignoreInEval
        assert (number > 0) == (counted and annotated >= 1000)
        assert ignored == (label.ignoreInEval or (counted and annotated < 1000))
        if number:
            assert reader.class_names[sample.class_ids[number - 1] - 1] == label.name
            numbers.add((int(number), int(annotated)))
    assert sorted(number for number, _ in numbers) == list(range(1, len(sample.class_ids) + 1))
    assert len({annotated for _, annotated in numbers}) == len(numbers)


@pytest.mark.parametrize("number", [0, 3, 4])
def test_an_image_of_the_test_split_has_no_objects(tmp_path: Path, number: int) -> None:
    write_image(tmp_path, "test", FIRST, np.full((3, 4), number))
    sample = CityscapesReader(tmp_path, CityscapesSplit(folder="test")).read(FIRST)
    assert len(sample.class_ids) == 0
    assert not sample.instance_map.any()
    assert sample.ignore_mask.all()


def test_annotations_of_32_bits_read_the_same(tmp_path: Path) -> None:
    write_image(tmp_path, "train", FIRST, IDS)
    expected = CityscapesReader(tmp_path, TRAIN).read(FIRST)
    path = truth_path(tmp_path, "train", FIRST)
    Image.fromarray(IDS.astype(np.int32)).save(path, "tiff")
    assert Image.open(path).mode == "I"
    np.testing.assert_array_equal(CityscapesReader(tmp_path, TRAIN).read(FIRST).instance_map, expected.instance_map)


def test_images_of_all_cities_of_the_split_are_sorted(tmp_path: Path) -> None:
    for image_id in (SECOND, "aachen_000010_000019", FIRST):
        write_image(tmp_path, "train", image_id, IDS)
    write_image(tmp_path, "val", "ulm_000000_000019", IDS)
    for path in (truth_path(tmp_path, "train", FIRST), picture_path(tmp_path, "train", FIRST)):
        (path.parent / f"._{path.name}").write_bytes(b"left by a file manager")
        (path.parent / "license.txt").write_bytes(b"")
    reader = CityscapesReader(tmp_path, TRAIN)
    assert reader.image_ids == (FIRST, "aachen_000010_000019", SECOND)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reader)).read(SECOND).class_ids, [1, 3, 8])


def _remove(path_of: Callable[[Path, str, str], Path], image_id: str = SECOND) -> Callable[[Path], object]:
    return lambda root: path_of(root, "train", image_id).unlink()


def _rename(old: str, new: str) -> Callable[[Path], object]:
    return lambda root: (root / old).rename(root / new)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (
            _remove(truth_path),
            f"{SECOND}_gtFine_instanceIds.png: no such file, but .*{SECOND}_leftImg8bit.png is there",
        ),
        (_remove(picture_path), f"{SECOND}_leftImg8bit.png: no such file, but .*{SECOND}_gtFine_instanceIds.png is"),
        (_rename("gtFine", "gtCoarse"), "gtFine/train: no such folder"),
        (_rename("leftImg8bit/train", "leftImg8bit/val"), "leftImg8bit/train: no such folder"),
        (
            lambda root: [path.unlink() for path in root.rglob("*.png")],
            "leftImg8bit/train: no <city>/\\*_leftImg8bit.png in it",
        ),
        (
            lambda root: shutil.copy(
                truth_path(root, "train", SECOND),
                truth_path(root, "train", FIRST).with_name(truth_path(root, "train", SECOND).name),
            ),
            "is in .*gtFine/train/aachen too",
        ),
    ],
)
def test_structural_faults_stop_at_once(tmp_path: Path, damage: Callable[[Path], object], found: str) -> None:
    for image_id in (FIRST, SECOND):
        write_image(tmp_path, "train", image_id, IDS)
    damage(tmp_path)
    with pytest.raises(UserError, match=found) as caught:
        CityscapesReader(tmp_path, TRAIN)
    assert not isinstance(caught.value, BadSampleError)
    assert "\n" not in str(caught.value)


def _truncate(path_of: Callable[[Path, str, str], Path]) -> Callable[[Path], object]:
    def damage(root: Path) -> None:
        path = path_of(root, "train", FIRST)
        path.write_bytes(path.read_bytes()[:-40])

    return damage


def _replace(image: Image.Image) -> Callable[[Path], object]:
    return lambda root: image.save(truth_path(root, "train", FIRST), "png")


def _number(number: int) -> Callable[[Path], object]:
    return lambda root: write_ids(root, "train", FIRST, np.where(IDS == 7, number, IDS))


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_truncate(picture_path), "leftImg8bit.png: not a readable image"),
        (_truncate(truth_path), "instanceIds.png: not a readable image"),
        (lambda root: truth_path(root, "train", FIRST).write_bytes(b""), "instanceIds.png: not a readable image"),
        (_remove(truth_path, FIRST), "instanceIds.png: not a readable image"),
        (_replace(Image.new("L", (4, 3))), r"8 bits a pixel \(mode L\), expected 16: a conversion has cut off"),
        (_replace(Image.new("P", (4, 3))), r"8 bits a pixel \(mode P\), expected 16"),
        (_replace(Image.new("RGB", (4, 3))), "pixels of mode RGB, expected 16-bit grey"),
        (_replace(Image.new("RGBA", (4, 3))), "pixels of mode RGBA, expected 16-bit grey"),
        (_replace(Image.new("I;16", (3, 4))), "4 x 3 pixels, its picture has 3 x 4"),
        (_number(34), "has the number 34, which no Cityscapes label allows"),
        (_number(255), "has the number 255,"),
        (_number(7001), "has the number 7001,"),
        (_number(34000), "has the number 34000,"),
        (_number(65535), "has the number 65535,"),
    ],
)
def test_broken_sample_is_named_and_may_be_skipped(
    tmp_path: Path, damage: Callable[[Path], object], found: str
) -> None:
    write_image(tmp_path, "train", FIRST, IDS)
    reader = CityscapesReader(tmp_path, TRAIN)
    damage(tmp_path)
    with pytest.raises(BadSampleError, match=found) as caught:
        reader.read(FIRST)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_open_split_gives_this_reader(tmp_path: Path) -> None:
    write_image(tmp_path, "val", FIRST, IDS)
    dataset = CityscapesDataset.model_validate(
        {
            "format": "cityscapes",
            "source": {"kind": "folder", "path": "pictures"},
            "size": (8, 16),
            "splits": {"val": {"folder": "val"}},
        }
    )
    reader = open_split(dataset, tmp_path, "val")
    assert isinstance(reader, CityscapesReader)
    assert reader.image_ids == (FIRST,)
