"""Tests of the reader of VOC and sbdataset: the images of a split, their content, and the errors for faulty files."""

import pickle
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import support.voc_folder as tree
from support.reference_data import voc_sample

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.open import open_split
from rsis.data.readers.voc import VOC_CLASSES, VocReader
from rsis.errors import UserError
from rsis.eval.truths.voc import VocTruth

SAMPLE = voc_sample()


def _reader(root: Path, **values: Any) -> VocReader:
    return VocReader(root, tree.configuration(), tree.voc_split(**values))


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Two images: v of VOC and s of sbdataset; VOC's set `all` has both, sbdataset's list `train` has only s."""
    tree.write_voc(tmp_path, "v")
    tree.write_sbdataset(tmp_path, "s")
    tree.write_set(tmp_path, "all", ["v"])
    tree.write_list(tmp_path / tree.SBDATASET / "train.txt", ["s"])
    return tmp_path


BOTH = {"image_sets": ("all",), "sbdataset": ("train",)}


def test_voc_masks_are_read_as_indices_and_void_is_ignored(pair: Path) -> None:
    reader = _reader(pair, **BOTH)
    assert reader.class_names[7] == "cat"
    assert reader.class_names[14] == "person"
    assert reader.image_ids == ("s", "v")
    sample = reader.read("v")
    np.testing.assert_array_equal(sample.instance_map, [[0, 1, 1, 0, 2, 2]] * 2 + [[0] * 6] * 2)
    np.testing.assert_array_equal(sample.class_ids, [8, 15])
    np.testing.assert_array_equal(sample.ignore_mask, tree.OBJECTS == 255)
    assert (sample.instance_map.dtype, sample.class_ids.dtype, sample.ignore_mask.dtype) == (
        np.dtype(np.int32),
        np.dtype(np.int64),
        np.dtype(bool),
    )
    assert sample.image.dtype == np.uint8
    np.testing.assert_allclose(sample.image, np.full((4, 6, 3), 90), atol=2)
    assert sample.image_id == "v"


def test_void_of_either_file_counts(tmp_path: Path) -> None:
    objects, classes = np.array([[1, 1, 255, 2, 0]]), np.array([[5, 255, 5, 9, 255]])
    tree.write_voc(tmp_path, "v", objects, classes)
    tree.write_set(tmp_path, "all", ["v"])
    sample = _reader(tmp_path, image_sets=("all",)).read("v")
    np.testing.assert_array_equal(sample.instance_map, [[1, 0, 0, 2, 0]])
    np.testing.assert_array_equal(sample.ignore_mask, [[False, True, True, False, True]])
    np.testing.assert_array_equal(sample.class_ids, [5, 9])


def test_sbdataset_objects_are_renumbered_and_nothing_is_void(pair: Path) -> None:
    sample = _reader(pair, **BOTH).read("s")
    np.testing.assert_array_equal(sample.instance_map, np.where(tree.SEGMENTATION == 3, 2, tree.SEGMENTATION))
    np.testing.assert_array_equal(sample.class_ids, [3, 3])
    assert sample.instance_map.dtype == np.int32
    assert sample.class_ids.dtype == np.int64
    assert not sample.ignore_mask.any()
    np.testing.assert_allclose(sample.image, np.full((4, 6, 3), 30), atol=2)


def test_images_without_objects_are_kept(tmp_path: Path) -> None:
    tree.write_voc(tmp_path, "v", np.zeros((3, 5)), np.zeros((3, 5)))
    tree.write_sbdataset(tmp_path, "s", np.zeros((3, 5), np.uint8), ())
    tree.write_set(tmp_path, "all", ["v"])
    tree.write_list(tmp_path / tree.SBDATASET / "train.txt", ["s"])
    reader = _reader(tmp_path, **BOTH)
    for image_id in ("s", "v"):
        sample = reader.read(image_id)
        assert sample.instance_map.shape == sample.ignore_mask.shape == (3, 5)
        assert not sample.instance_map.any()
        assert sample.class_ids.shape == (0,)


def test_union_excludes_the_test_images_whoever_annotates_them(tmp_path: Path) -> None:
    dataset = tree.write_tree(tmp_path)
    train, val, test = (open_split(dataset, tmp_path, name).image_ids for name in ("train", "val", "test"))
    assert sorted(train + val) == ["img_a", "img_b", "img_s", "img_t", "img_u"]
    assert len(val) == 1
    assert test == ("img_v", "img_w")


def test_voc_counts_where_both_annotate(tmp_path: Path) -> None:
    tree.write_tree(tmp_path)
    listed_by_sbdataset_alone = _reader(tmp_path, sbdataset=("train",))
    for image_id, classes, grey in (("img_a", [8, 15], 90), ("img_s", [3, 3], 30)):
        sample = listed_by_sbdataset_alone.read(image_id)
        np.testing.assert_array_equal(sample.class_ids, classes)
        np.testing.assert_allclose(sample.image, np.full((4, 6, 3), grey), atol=2)


def test_reader_survives_pickling(pair: Path) -> None:
    reader = pickle.loads(pickle.dumps(_reader(pair, **BOTH)))
    assert reader.image_ids == ("s", "v")
    np.testing.assert_array_equal(reader.read("v").class_ids, [8, 15])


def _drop(name: str) -> Callable[[Path], object]:
    return lambda root: (root / name).unlink()


def _empty_folder(name: str) -> Callable[[Path], object]:
    def empty(root: Path) -> None:
        for path in (root / name).iterdir():
            path.unlink()
        (root / name).rmdir()

    return empty


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_empty_folder("VOC2012/JPEGImages"), "JPEGImages: cannot list the folder"),
        (_empty_folder("VOC2012/SegmentationObject"), "SegmentationObject: cannot list the folder"),
        (_empty_folder("VOC2012/SegmentationClass"), "SegmentationClass: cannot list the folder"),
        (_empty_folder("sbd/inst"), "inst: cannot list the folder"),
        (_empty_folder("sbd/img"), "img: cannot list the folder"),
        (_drop("VOC2012/JPEGImages/v.jpg"), "JPEGImages/v.jpg: no such file"),
        (_drop("VOC2012/SegmentationObject/v.png"), "SegmentationObject/v.png: no such file"),
        (_drop("VOC2012/SegmentationClass/v.png"), "SegmentationClass/v.png: no such file"),
        (_drop("sbd/inst/s.mat"), "inst/s.mat: no such file"),
        (_drop("sbd/img/s.jpg"), "img/s.jpg: no such file"),
    ],
)
def test_structural_faults_stop_at_once(pair: Path, damage: Callable[[Path], object], found: str) -> None:
    _reader(pair, **BOTH)
    damage(pair)
    with pytest.raises(UserError, match=found) as caught:
        _reader(pair, **BOTH)
    assert not isinstance(caught.value, BadSampleError)
    assert "\n" not in str(caught.value)


def test_image_of_a_voc_set_needs_the_masks_of_voc(tmp_path: Path) -> None:
    """The annotation of sbdataset must not replace a missing annotation of VOC."""
    tree.write_tree(tmp_path)
    for folder in ("SegmentationObject", "SegmentationClass"):
        (tmp_path / tree.VOC / folder / "img_v.png").unlink()
    with pytest.raises(UserError, match=r"SegmentationObject/img_v.png: no such file"):
        _reader(tmp_path, image_sets=("val",), sbdataset=("val",))


def _put_indices(folder: str, indices: np.ndarray) -> Callable[[Path], object]:
    return lambda root: tree.write_indices(root / f"VOC2012/{folder}/v.png", indices)


def _set_class(number: int, class_id: int) -> Callable[[Path], object]:
    return _put_indices("SegmentationClass", np.where(number == tree.OBJECTS, class_id, tree.CLASSES))


def test_a_stray_pixel_of_another_class_is_let_pass(pair: Path) -> None:
    classes = tree.CLASSES.copy()
    classes[0, 1] = 9
    _put_indices("SegmentationClass", classes)(pair)
    truth = VocTruth(pair, tree.configuration(), tree.voc_split(**BOTH))
    assert [item.class_id for item in truth.annotations("v")] == [8, 15]
    assert _reader(pair, **BOTH).read("v").class_ids.tolist() == [8, 15]


FAULTS = [
    ("v", tree.cut("VOC2012/JPEGImages/v.jpg", 0.6), "JPEGImages/v.jpg: not a readable image"),
    ("v", tree.cut("VOC2012/SegmentationObject/v.png", 0.7), "SegmentationObject/v.png: not a readable image"),
    ("v", tree.cut("VOC2012/SegmentationClass/v.png", 0.5), "SegmentationClass/v.png: not a readable image"),
    ("s", tree.cut("sbd/img/s.jpg", 0.6), "img/s.jpg: not a readable image"),
    ("s", tree.cut("sbd/inst/s.mat", 0.7), "inst/s.mat: not a readable MATLAB file"),
    ("v", tree.convert("VOC2012/SegmentationObject/v.png", "RGB"), "SegmentationObject/v.png: colour "),
    ("v", tree.convert("VOC2012/SegmentationClass/v.png", "RGB"), "SegmentationClass/v.png: colour "),
    ("v", tree.convert("VOC2012/SegmentationClass/v.png", "L"), "SegmentationClass/v.png: pixels of mode L"),
    ("v", lambda root: tree.write_picture(root / "VOC2012/JPEGImages/v.jpg", (5, 6)), "4 x 6 pixels, .* has 5 x 6"),
    ("s", lambda root: tree.write_picture(root / "sbd/img/s.jpg", (4, 7)), "4 x 6 pixels, .* has 4 x 7"),
    ("v", _put_indices("SegmentationClass", tree.CLASSES.T), "SegmentationClass/v.png: 6 x 4 pixels"),
    ("v", _put_indices("SegmentationObject", tree.OBJECTS[1:]), "SegmentationObject/v.png: 3 x 6 pixels"),
    ("v", _set_class(3, 21), "class 21 in it, expected 0 to 20 or 255"),
    ("v", _set_class(0, 200), "class 200 in it"),
    ("v", _set_class(3, 0), "object 3 has class 0, expected most of it to be one of 1 to 20"),
    ("v", _set_class(1, 255), "object 1 has class void alone"),
    (
        "v",
        _put_indices("SegmentationObject", np.where(tree.OBJECTS == 3, 1, tree.OBJECTS)),
        "object 1 has class 8 and 15",
    ),
    ("s", lambda root: tree.write_mat(root / "sbd/inst/s.mat", tree.instances(), "GTcls"), "s.mat: no struct GTinst"),
]


@pytest.mark.parametrize(("image_id", "damage", "found"), FAULTS)
def test_broken_sample_is_named_and_may_be_skipped(
    pair: Path, image_id: str, damage: Callable[[Path], object], found: str
) -> None:
    reader = _reader(pair, **BOTH)
    damage(pair)
    with pytest.raises(BadSampleError, match=found) as caught:
        reader.read(image_id)
    assert str(pair) in str(caught.value)
    assert "\n" not in str(caught.value)
    other = {"s": "v", "v": "s"}[image_id]
    assert reader.read(other).image_id == other


@pytest.fixture(scope="module")
def sample() -> VocReader:
    assert SAMPLE is not None
    return VocReader(SAMPLE, tree.configuration(voc=".", sbdataset=None), tree.voc_split(image_sets=("trainval",)))


def _boxes(image_id: str) -> list[tuple[str, list[int]]]:
    """Return the class and [xmin, ymin, xmax, ymax], counted from 1, of each box in VOC's XML file of an image."""
    assert SAMPLE is not None
    entries = ET.parse(SAMPLE / "Annotations" / f"{image_id}.xml").findall("object")
    sides = ("xmin", "ymin", "xmax", "ymax")
    return [(entry.findtext("name", ""), [int(entry.findtext(f"bndbox/{s}", "")) for s in sides]) for entry in entries]


@pytest.mark.needs("voc_sample")
def test_real_objects_are_those_of_the_boxes(sample: VocReader) -> None:
    """In all 44 images, the segmented objects are those with a box, in the order of the XML file."""
    assert len(sample.image_ids) == 44
    for image_id in sample.image_ids:
        read, boxes = sample.read(image_id), _boxes(image_id)
        assert [VOC_CLASSES[i - 1] for i in read.class_ids] == [name for name, _ in boxes]
        assert read.instance_map.max() == len(boxes)
        for number, (_, (left, top, right, bottom)) in enumerate(boxes, start=1):
            mask = read.instance_map == number
            assert mask[top - 1 : bottom, left - 1 : right].sum() > 0.8 * mask.sum() > 0, (image_id, number)


@pytest.mark.needs("voc_sample")
def test_real_void_is_the_border_of_the_objects(sample: VocReader) -> None:
    for image_id in sample.image_ids:
        read = sample.read(image_id)
        assert read.image.shape[:2] == read.instance_map.shape == read.ignore_mask.shape
        assert not (read.ignore_mask & (read.instance_map > 0)).any()
        assert 0.002 < read.ignore_mask.mean() < 0.11


@pytest.mark.needs("voc_sample")
def test_real_sets_divide(sample: VocReader) -> None:
    assert SAMPLE is not None
    dataset = tree.configuration(voc=".", sbdataset=None)
    train, val = (VocReader(SAMPLE, dataset, tree.voc_split(image_sets=(name,))).image_ids for name in ("train", "val"))
    assert (len(train), len(val)) == (20, 24)
    assert sorted(train + val) == list(sample.image_ids)
