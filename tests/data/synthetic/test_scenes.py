"""Tests of the generated scenes: reproducible pixels, numbers of objects, and the layouts of VOC and sbdataset."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import io as scipy_io
from support.folder_contents import contents

from rsis.config.datasets import VocDataset, VocSplit
from rsis.config.sources import SceneSource
from rsis.data.readers.voc import VOC_CLASSES, VocReader
from rsis.data.synthetic.scenes.dataset import (
    CLASS_IDS,
    FEWEST_PIXELS,
    GOOD_AREA,
    add_void,
    make_scene,
    void_border,
    write_scenes,
)
from rsis.data.synthetic.scenes.files import colour_map
from rsis.errors import UserError
from rsis.structures import RawSample

SOURCE = SceneSource(
    kind="scenes", seed=3, image_size=(60, 80), train=20, val=10, sbdataset=6, objects=(1, 4)
)  # with 16 images or fewer, one process would write all
DATASET = VocDataset(
    format="voc",
    source=SOURCE,
    size=(60, 80),
    voc="VOCdevkit/VOC2012",
    sbdataset="benchmark_RELEASE/dataset",
    splits={},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenes")
    write_scenes(path, SOURCE, processes=1)
    return path


def _voc(folder: Path) -> Path:
    return folder / "VOCdevkit" / "VOC2012"


def _sbdataset(folder: Path) -> Path:
    return folder / "benchmark_RELEASE" / "dataset"


def _ids(path: Path) -> list[str]:
    return path.read_text().split()


def _index(image_id: str) -> int:
    return int(image_id.split("_")[1])


def _drawn(index: int) -> RawSample:
    return make_scene(SOURCE.seed, index, SOURCE.image_size, SOURCE.objects)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(
    seed=st.integers(0, 2**40),
    index=st.integers(1, 5000),
    size=st.tuples(st.integers(64, 96), st.integers(64, 96)),
    least=st.integers(1, 3),
    more=st.integers(0, 3),
)
def test_every_object_counts_and_shows(seed: int, index: int, size: tuple[int, int], least: int, more: int) -> None:
    scene = make_scene(seed, index, size, (least, least + more))
    count = len(scene.class_ids)
    assert least <= count <= least + more
    assert scene.image.shape == (*size, 3)
    assert scene.image.dtype == np.uint8
    assert scene.instance_map.dtype == np.int32
    assert set(scene.class_ids.tolist()) <= set(CLASS_IDS.values())
    assert not scene.ignore_mask.any()
    annotated = add_void(scene)
    for sample in (scene, annotated):
        areas = np.bincount(sample.instance_map.ravel(), minlength=count + 1)
        assert len(areas) == count + 1
        assert areas[1:].min() >= FEWEST_PIXELS


def test_same_arguments_same_scene_other_arguments_another() -> None:
    first, again = make_scene(1, 7, (64, 64), (1, 5)), make_scene(1, 7, (64, 64), (1, 5))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.instance_map, again.instance_map)
    for other in (make_scene(2, 7, (64, 64), (1, 5)), make_scene(1, 8, (64, 64), (1, 5))):
        assert (first.image != other.image).mean() > 0.5


@pytest.mark.slow
def test_statistics_of_scenes() -> None:
    """All six classes and all numbers of objects occur, and objects are large enough to learn."""
    scenes = [make_scene(1, index, (96, 96), (1, 6)) for index in range(1, 61)]
    counts = np.bincount([len(scene.class_ids) for scene in scenes], minlength=7)
    assert (counts[1:] >= 3).all()
    classes = np.bincount(np.concatenate([scene.class_ids for scene in scenes]), minlength=21)
    assert all(classes[number] >= 10 for number in CLASS_IDS.values())
    shares = np.concatenate([np.bincount(scene.instance_map.ravel())[1:] / 96**2 for scene in scenes])
    assert (shares >= GOOD_AREA).mean() > 0.97
    assert 0.03 < np.median(shares) < 0.15


def test_an_object_can_be_told_from_its_surroundings() -> None:
    """At the edge of nearly every object, the colour changes more than inside the object."""
    better = []
    for index in range(1, 13):
        scene = make_scene(3, index, (96, 96), (1, 5))
        image = scene.image.astype(float)
        step = np.abs(image[:, 1:] - image[:, :-1]).mean(axis=2)
        left, right = scene.instance_map[:, :-1], scene.instance_map[:, 1:]
        for number in range(1, len(scene.class_ids) + 1):
            edge, inside = (left == number) != (right == number), (left == number) & (right == number)
            better.append(np.mean(step[edge]) > 1.5 * np.mean(step[inside]))
    assert np.mean(better) > 0.9


def test_void_lies_on_borders_alone() -> None:
    """A pixel is void if and only if a slow search around it finds another label."""
    for size, radius in (((48, 64), 0), ((40, 250), 1)):
        scene = make_scene(2, 4, size, (2, 4))
        labels, expected = scene.instance_map, np.zeros(size, bool)
        edge = np.zeros(size, bool)
        for y, x in np.ndindex(size):
            for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                if 0 <= y + down < size[0] and 0 <= x + right < size[1]:
                    edge[y, x] |= labels[y, x] > labels[y + down, x + right]
        for y, x in zip(*np.nonzero(edge), strict=True):
            expected[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1] = True
        np.testing.assert_array_equal(void_border(labels), expected)
        annotated = add_void(scene)
        np.testing.assert_array_equal(annotated.ignore_mask, expected)
        np.testing.assert_array_equal(annotated.instance_map, np.where(expected, 0, labels))


def test_void_is_five_pixels_wide_at_full_size() -> None:
    labels = np.zeros((375, 500), np.int32)
    labels[:, 200:] = 1
    assert np.flatnonzero(void_border(labels)[100]).tolist() == [198, 199, 200, 201, 202]


def test_image_sets_and_the_exclusion_that_they_ask_for(folder: Path) -> None:
    sets = {name: _ids(_voc(folder) / f"ImageSets/Segmentation/{name}.txt") for name in ("train", "val", "trainval")}
    assert {name: len(ids) for name, ids in sets.items()} == {"train": 20, "val": 10, "trainval": 30}
    assert sets["trainval"] == sorted(sets["train"] + sets["val"])
    lists = {name: _ids(_sbdataset(folder) / f"{name}.txt") for name in ("train", "val")}
    both = set(lists["train"]) | set(lists["val"])
    assert len(both) == len(lists["train"]) + len(lists["val"]) == 20 + 5 + 6
    assert both >= set(sets["train"])
    assert len(both & set(sets["val"])) == 5
    assert set(lists["train"]) & set(sets["val"])
    names = set(sets["trainval"])
    suffixes = {"JPEGImages": "jpg", "Annotations": "xml", "SegmentationClass": "png", "SegmentationObject": "png"}
    for kind, suffix in suffixes.items():
        assert {path.name for path in (_voc(folder) / kind).iterdir()} == {f"{name}.{suffix}" for name in names}
    for kind, suffix in {"img": "jpg", "inst": "mat", "cls": "mat"}.items():
        assert {path.name for path in (_sbdataset(folder) / kind).iterdir()} == {f"{name}.{suffix}" for name in both}


def test_masks_are_palette_images_in_the_colours_of_voc(folder: Path) -> None:
    assert colour_map()[[0, 1, 2, 3, 15, 20, 255]].tolist() == [
        *([0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]),
        *([192, 128, 128], [0, 64, 128], [224, 224, 192]),
    ]
    for image_id in _ids(_voc(folder) / "ImageSets/Segmentation/val.txt"):
        drawn = add_void(_drawn(_index(image_id)))
        images = [Image.open(_voc(folder) / kind / f"{image_id}.png") for kind in _MASKS]
        for image in images:
            assert image.mode == "P"
            assert image.getpalette() == colour_map().ravel().tolist()
        objects, classes = (np.asarray(image) for image in images)
        np.testing.assert_array_equal(objects == 255, drawn.ignore_mask)
        np.testing.assert_array_equal(classes == 255, drawn.ignore_mask)
        np.testing.assert_array_equal(np.where(objects == 255, 0, objects), drawn.instance_map)
        for number, class_id in enumerate(drawn.class_ids, start=1):
            assert set(classes[objects == number].tolist()) == {class_id}


_MASKS = ("SegmentationObject", "SegmentationClass")


def test_boxes_enclose_their_objects(folder: Path) -> None:
    for image_id in _ids(_voc(folder) / "ImageSets/Segmentation/train.txt"):
        drawn = _drawn(_index(image_id))
        root = ElementTree.parse(_voc(folder) / f"Annotations/{image_id}.xml").getroot()
        assert root.findtext("filename") == f"{image_id}.jpg"
        assert root.findtext("segmented") == "1"
        assert [root.findtext(f"size/{key}") for key in ("width", "height", "depth")] == ["80", "60", "3"]
        entries = root.findall("object")
        assert [VOC_CLASSES.index(entry.findtext("name")) + 1 for entry in entries] == drawn.class_ids.tolist()
        for number, entry in enumerate(entries, start=1):
            left, top, right, bottom = (
                int(entry.findtext(f"bndbox/{e}", "")) for e in ("xmin", "ymin", "xmax", "ymax")
            )
            mask = drawn.instance_map == number
            assert mask[top - 1 : bottom, left - 1 : right].sum() == mask.sum()
            for line in (mask[top - 1], mask[bottom - 1], mask[:, left - 1], mask[:, right - 1]):
                assert line.any()
            assert entry.findtext("truncated") == str(int(left == 1 or top == 1 or right == 80 or bottom == 60))
            assert entry.findtext("difficult") == "0"


def test_sbdataset_agrees_with_voc_where_voc_is_not_void(folder: Path) -> None:
    for image_id in _ids(_sbdataset(folder) / "val.txt"):
        drawn = _drawn(_index(image_id))
        instances = scipy_io.loadmat(_sbdataset(folder) / f"inst/{image_id}.mat")["GTinst"][0, 0]
        classes = scipy_io.loadmat(_sbdataset(folder) / f"cls/{image_id}.mat")["GTcls"][0, 0]
        assert instances["Segmentation"].dtype == classes["Segmentation"].dtype == np.uint8
        np.testing.assert_array_equal(instances["Segmentation"], drawn.instance_map)
        np.testing.assert_array_equal(instances["Categories"], drawn.class_ids[:, None])
        expected = np.concatenate(([0], drawn.class_ids))[drawn.instance_map]
        np.testing.assert_array_equal(classes["Segmentation"], expected)
        np.testing.assert_array_equal(classes["CategoriesPresent"][:, 0], np.unique(drawn.class_ids))
        assert instances["Boundaries"].shape == (len(drawn.class_ids), 1)
        assert classes["Boundaries"].shape == (20, 1)
        for number, edge in enumerate(instances["Boundaries"][:, 0], start=1):
            pixels = edge.toarray() > 0
            assert pixels.any()
            assert not pixels[drawn.instance_map != number].any()
        jpeg = _voc(folder) / f"JPEGImages/{image_id}.jpg"
        if jpeg.is_file():
            assert jpeg.read_bytes() == (_sbdataset(folder) / f"img/{image_id}.jpg").read_bytes()
            objects = np.asarray(Image.open(_voc(folder) / f"SegmentationObject/{image_id}.png"))
            np.testing.assert_array_equal(objects[objects < 255], instances["Segmentation"][objects < 255])


def test_reader_gives_back_what_was_drawn(folder: Path) -> None:
    training = VocSplit(image_sets=("train",), sbdataset=("train", "val"), exclude=("val",))
    reader = VocReader(folder, DATASET, training)
    assert len(reader.image_ids) == 20 + 6
    for image_id in reader.image_ids:
        index = _index(image_id)
        drawn, read = _drawn(index), reader.read(image_id)
        if index <= SOURCE.train:
            drawn = add_void(drawn)
        assert read.image_id == drawn.image_id
        np.testing.assert_array_equal(read.instance_map, drawn.instance_map)
        np.testing.assert_array_equal(read.class_ids, drawn.class_ids)
        np.testing.assert_array_equal(read.ignore_mask, drawn.ignore_mask)
        assert np.abs(read.image.astype(int) - drawn.image).mean() < 5  # JPEG is lossy


def test_processes_change_no_byte(folder: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path, SOURCE, processes=2)
    assert contents(tmp_path) == contents(folder)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UserError, match="must not exceed"):
        make_scene(1, 1, (64, 64), (5, 4))
    with pytest.raises(UserError, match="scenes need 32 x 32"):
        make_scene(1, 1, (31, 64), (1, 2))
    with pytest.raises(UserError, match="60 objects cannot all be visible in 32 x 32 pixels"):
        make_scene(1, 1, (32, 32), (60, 60))
