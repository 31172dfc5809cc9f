"""Tests of the ground truth of VOC and sbdataset: by hand, against the reader, and on real masks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import support.voc_folder as tree
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.reference_data import voc_sample

from rsis.data.readers.base import SampleReader
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.open import load_ground_truth
from rsis.eval.truths.voc import VocTruth
from rsis.files.manifest import write_manifest
from rsis.masks import decode_rle


@pytest.fixture
def truth(tmp_path: Path) -> VocTruth:
    """A split of six images; VOC and sbdataset both annotate img_a and img_v."""
    tree.write_tree(tmp_path)
    return VocTruth(tmp_path, tree.configuration(), tree.voc_split(image_sets=("train",), sbdataset=("train", "val")))


def test_images_and_classes(tmp_path: Path, truth: VocTruth) -> None:
    assert truth.image_ids == ("img_a", "img_b", "img_s", "img_t", "img_u", "img_v")
    assert len(truth.class_names) == 20
    assert (truth.class_names[0], truth.class_names[14], truth.class_names[19]) == ("aeroplane", "person", "tvmonitor")
    assert truth.image_path("img_a") == tmp_path / "VOC2012/JPEGImages/img_a.jpg"
    assert truth.image_path("img_s") == tmp_path / "sbd/img/img_s.jpg"
    assert truth.size("img_a") == truth.size("img_s") == (4, 6)


def test_void_is_ignored_and_belongs_to_no_object(truth: VocTruth) -> None:
    for image_id in ("img_a", "img_v"):  # VOC's annotation is used, whichever list the image is in
        labels = truth.instance_map(image_id)
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, np.where(tree.OBJECTS == 255, 0, tree.OBJECTS))
        np.testing.assert_array_equal(truth.ignore_mask(image_id), tree.OBJECTS == 255)
        cat, person = truth.annotations(image_id)
        assert (cat.class_id, cat.area, cat.iscrowd) == (8, 4.0, False)
        assert (person.class_id, person.area, person.iscrowd) == (15, 4.0, False)
        np.testing.assert_array_equal(decode_rle(person.rle), tree.OBJECTS == 3)


def test_sbdataset_has_no_void(truth: VocTruth) -> None:
    np.testing.assert_array_equal(truth.instance_map("img_s"), tree.SEGMENTATION)
    assert truth.ignore_mask("img_s").shape == (4, 6)
    assert not truth.ignore_mask("img_s").any()
    assert [(item.class_id, item.area) for item in truth.annotations("img_s")] == [(3, 4.0), (3, 6.0)]


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    """Flip a bit in the length of the first element, which makes scipy read far beyond the end of the file."""
    content = bytearray(path.read_bytes())
    content[132] ^= 0x40
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "found"),
    [(_flip, "its bytes differ"), (_shorten, "bytes, recorded as"), (Path.unlink, "missing, changed since download")],
)
def test_a_matlab_file_is_parsed_only_when_its_bytes_are_the_recorded_ones(
    tmp_path: Path, damage: Callable[[Path], object], found: str
) -> None:
    tree.write_tree(tmp_path)
    manifest = write_manifest(tmp_path, "pascal", tmp_path)
    split = tree.voc_split(sbdataset=("train",))
    truth = VocTruth(tmp_path, tree.configuration(), split, manifest)
    np.testing.assert_array_equal(truth.instance_map("img_s"), tree.SEGMENTATION)
    damage(tmp_path / "sbd/inst/img_s.mat")
    truth = VocTruth(tmp_path, tree.configuration(), split, manifest)
    with pytest.raises(UserError, match=found) as caught:
        truth.annotations("img_s")
    assert "img_s.mat" in str(caught.value)
    assert "run `rsis download pascal` again" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(truth.annotations("img_t")) == 2  # other images can still be read


def test_class_without_void_in_the_other_file(tmp_path: Path) -> None:
    tree.write_voc(tmp_path, "v", np.array([[1, 1, 255, 2, 0]]), np.array([[5, 255, 5, 9, 255]]))
    tree.write_set(tmp_path, "all", ["v"])
    found = VocTruth(tmp_path, tree.configuration(), tree.voc_split(image_sets=("all",)))
    assert found.instance_map("v").tolist() == [[1, 0, 0, 2, 0]]
    assert found.ignore_mask("v").tolist() == [[False, True, True, False, True]]
    assert [item.area for item in found.annotations("v")] == [1.0, 1.0]


def _agree(truth: GroundTruth, reader: SampleReader) -> None:
    assert truth.image_ids == tuple(reader.image_ids)
    assert truth.class_names == reader.class_names
    for image_id in truth.image_ids:
        sample, objects = reader.read(image_id), truth.annotations(image_id)
        assert truth.size(image_id) == sample.instance_map.shape
        np.testing.assert_array_equal(truth.ignore_mask(image_id), sample.ignore_mask)
        assert [item.class_id for item in objects] == list(sample.class_ids)
        for number, item in enumerate(objects, start=1):
            np.testing.assert_array_equal(decode_rle(item.rle), sample.instance_map == number)
            assert item.area == (sample.instance_map == number).sum()
        labels = truth.instance_map(image_id)
        assert len(np.unique(labels[labels > 0])) == len(objects)
        np.testing.assert_array_equal(labels > 0, sample.instance_map > 0)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(
    objects=hnp.arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 1, 2, 7, 254, 255])),
    segmentation=hnp.arrays(np.uint8, (4, 3), elements=st.integers(0, 3)),
    classes=st.lists(st.integers(1, 20), min_size=255, max_size=255),
)
def test_reader_and_truth_agree(
    tmp_path_factory: pytest.TempPathFactory, objects: np.ndarray, segmentation: np.ndarray, classes: list[int]
) -> None:
    root = tmp_path_factory.mktemp("agree")
    tree.write_tree(root)
    of_number = np.array([0, *classes[:254], 255])
    tree.write_voc(root, "img_w", objects, of_number[objects])
    tree.write_sbdataset(root, "img_u", segmentation, classes[:3])
    split = {"image_sets": ("train", "val"), "sbdataset": ("val", "train")}
    dataset = tree.configuration(train=split)
    _agree(load_ground_truth(dataset, root, "train"), open_split(dataset, root, "train"))


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_splits_agree(tmp_path: Path, split: Any) -> None:
    dataset = tree.write_tree(tmp_path)
    _agree(load_ground_truth(dataset, tmp_path, split), open_split(dataset, tmp_path, split))


@pytest.mark.needs("voc_sample")
def test_real_masks_agree() -> None:
    sample = voc_sample()
    assert sample is not None
    dataset = tree.configuration(voc=".", sbdataset=None, test={"image_sets": ("trainval",)})
    truth = load_ground_truth(dataset, sample, "test")
    assert len(truth.image_ids) == 44
    assert sum(len(truth.annotations(image_id)) for image_id in truth.image_ids) == 115
    _agree(truth, open_split(dataset, sample, "test"))


VOC_OBJECTS, VOC_CLASSES = "VOC2012/SegmentationObject/img_a.png", "VOC2012/SegmentationClass/img_a.png"
MAT = "sbd/inst/img_s.mat"


def _mat(**changes: Any) -> Callable[[Path], object]:
    return lambda root: tree.write_mat(root / MAT, {**tree.instances(), **changes})


def _put(name: str, indices: np.ndarray) -> Callable[[Path], object]:
    return lambda root: tree.write_indices(root / name, indices)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda root: (root / VOC_OBJECTS).unlink(), r"SegmentationObject/img_a\.png: cannot read"),
        (tree.cut(VOC_OBJECTS, 0.7), r"SegmentationObject/img_a\.png: cannot read"),
        (tree.cut(VOC_CLASSES, 0.7), r"SegmentationClass/img_a\.png: cannot read"),
        (tree.convert(VOC_OBJECTS, "RGB"), r"SegmentationObject/img_a\.png: has the colour "),
        (tree.convert(VOC_CLASSES, "L"), r"SegmentationClass/img_a\.png: has pixels of mode L"),
        (_put(VOC_CLASSES, tree.CLASSES.T), r"is \(6, 4\), but \(4, 6\) in SegmentationObject"),
        (_put(VOC_CLASSES, np.where(tree.CLASSES == 8, 21, tree.CLASSES)), r"has classes \[21\] in object 1"),
        (_put(VOC_CLASSES, np.where(tree.CLASSES == 8, 255, tree.CLASSES)), r"has classes \[\] in object 1"),
        (_put(VOC_CLASSES, np.where(tree.CLASSES == 15, 0, tree.CLASSES)), r"has classes \[0\] in object 3"),
        (_put(VOC_OBJECTS, np.where(tree.OBJECTS == 3, 1, tree.OBJECTS)), r"has classes \[8, 15\] in object 1"),
        (lambda root: (root / MAT).unlink(), r"img_s\.mat: cannot read .*No such file"),
        (tree.cut(MAT, 0.7), r"img_s\.mat: not a MATLAB file"),
        (tree.cut(MAT, 0.2), r"img_s\.mat: not a MATLAB file"),
        (lambda root: tree.write_mat(root / MAT, tree.instances(), "GTcls"), r"img_s\.mat: lacks something \('GTinst'"),
        (lambda root: tree.write_mat(root / MAT, {"Segmentation": tree.SEGMENTATION}), "lacks something .*Categories"),
        (lambda root: tree.write_mat(root / MAT, np.eye(3)), r"img_s\.mat: lacks something"),
        (_mat(Categories=np.array([[3], [12]])), r"img_s\.mat: lacks something"),
        (_mat(Categories="cat"), r"img_s\.mat: lacks something"),
        (_mat(Segmentation=tree.SEGMENTATION * 0.5), "lacks something .*whole numbers from 0"),
        (_mat(Categories=np.array([[3], [12], [21]])), r"img_s\.mat: has classes \[3, 21\]; expected 1 to 20"),
        (_mat(Segmentation=-tree.SEGMENTATION.astype(int)), "lacks something .*whole numbers from 0"),
        (_mat(Segmentation=np.zeros((4, 6, 3))), "lacks something .*no image"),
    ],
)
def test_faults_are_named(tmp_path: Path, truth: VocTruth, damage: Callable[[Path], object], found: str) -> None:
    damage(tmp_path)
    image_id = "img_s" if "mat" in found or "lacks" in found else "img_a"
    with pytest.raises(UserError, match=found) as caught:
        truth.annotations(image_id)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)
    assert truth.size("img_t") == (4, 6)


def test_masks_of_voc_that_are_lost_are_not_replaced(tmp_path: Path, truth: VocTruth) -> None:
    """For an image of VOC's sets, the coarser annotation of sbdataset must not replace a missing one of VOC."""
    (tmp_path / VOC_OBJECTS).unlink()
    (tmp_path / VOC_CLASSES).unlink()
    with pytest.raises(UserError, match=r"SegmentationObject/img_a\.png: cannot read"):
        truth.annotations("img_a")


def test_missing_lists_stop_at_once(tmp_path: Path) -> None:
    dataset = tree.configuration(test={"image_sets": ("val",)})
    with pytest.raises(UserError, match="VOC2012: no such folder; run `rsis download"):
        load_ground_truth(dataset, tmp_path, "test")
