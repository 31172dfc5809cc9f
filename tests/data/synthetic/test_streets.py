"""Tests of the generated streets: reproducible pixels, numbers of objects, and the layout of Cityscapes."""

import json
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.helpers.annotation import Annotation
from cityscapesscripts.helpers.labels import id2label, name2label
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from support.folder_contents import contents

from rsis.config.datasets import CityscapesSplit
from rsis.config.sources import StreetSource
from rsis.data.readers.cityscapes import CityscapesReader
from rsis.data.synthetic.streets.dataset import CITIES, make_street, write_streets
from rsis.data.synthetic.streets.scene import FEWEST_PIXELS, GOOD_AREA, draw_street
from rsis.errors import UserError
from rsis.structures import RawSample

SOURCE = StreetSource(
    kind="streets", seed=3, image_size=(64, 128), train=13, val=4, test=3, objects=(4, 12)
)  # with 16 images or fewer, one process would write all


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streets")
    write_streets(path, SOURCE, processes=1)
    return path


def _truths(folder: Path, split: str, kind: str) -> list[Path]:
    return sorted((folder / "gtFine" / split).glob(f"*/*_gtFine_{kind}"))


def _drawn(index: int) -> RawSample:
    return make_street(SOURCE.seed, index, SOURCE.image_size, SOURCE.objects)


@settings(deadline=None, derandomize=True, max_examples=15)
@given(
    seed=st.integers(0, 2**40),
    index=st.integers(1, 5000),
    height=st.integers(56, 72),
    least=st.integers(1, 5),
    more=st.integers(0, 6),
)
def test_every_object_counts_and_shows(seed: int, index: int, height: int, least: int, more: int) -> None:
    street = make_street(seed, index, (height, 2 * height), (least, least + more))
    count = len(street.class_ids)
    assert least <= count <= least + more
    assert street.image.shape == (height, 2 * height, 3)
    assert street.image.dtype == np.uint8
    assert street.instance_map.dtype == np.int32
    areas = np.bincount(street.instance_map.ravel(), minlength=count + 1)
    assert len(areas) == count + 1
    assert areas[1:].min() >= FEWEST_PIXELS
    assert street.class_ids.min() >= 1
    assert street.class_ids.max() <= 8
    assert not (street.ignore_mask & (street.instance_map > 0)).any()


def test_same_arguments_same_street_other_arguments_another() -> None:
    first, again = _drawn(7), _drawn(7)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.instance_map, again.instance_map)
    for other in (make_street(2, 7, (64, 128), (4, 12)), _drawn(8)):
        assert (first.image != other.image).mean() > 0.5


@pytest.mark.slow
def test_statistics_of_streets() -> None:
    """All eight classes occur, common ones often; objects are large enough to learn; groups and void labels occur."""
    classes, labels = np.zeros(9, int), set()
    shares: list[float] = []
    for index in range(1, 61):
        street = make_street(1, index, (64, 128), (4, 16))
        classes += np.bincount(street.class_ids, minlength=9)
        shares.extend(np.bincount(street.instance_map.ravel())[1:] / street.instance_map.size)
        labels |= {layer.label for layer in draw_street(1, index, (64, 128), (4, 16))[1]}
    assert (classes[1:] >= 2).all()
    person, car = classes[1], classes[3]
    assert min(person, car) > max(classes[[4, 5, 6, 7]])
    assert np.mean(np.array(shares) >= GOOD_AREA * 0.99) > 0.97
    assert labels >= {"persongroup", "cargroup", "caravan", "static", "pole", "traffic sign", "vegetation", "building"}


def test_a_large_street_is_a_small_one_with_more_pixels() -> None:
    street = make_street(1, 5, (256, 512), (4, 8))
    assert np.bincount(street.instance_map.ravel())[1:].min() >= 0.9 * GOOD_AREA * 256 * 512
    border = np.zeros((256, 512), bool)
    border[0], border[-1], border[:, 0], border[:, -1] = True, True, True, True
    assert street.ignore_mask[border].all()
    assert street.ignore_mask[-8:].all()  # the ego vehicle


def test_layout_and_cities(folder: Path) -> None:
    for split, count in (("train", 13), ("val", 4), ("test", 3)):
        pictures = sorted((folder / "leftImg8bit" / split).glob("*/*"))
        assert len(pictures) == count
        assert {path.parent.name for path in pictures} == set(CITIES[split])
        for picture in pictures:
            city = picture.parent.name
            sequence = picture.name.removeprefix(f"{city}_").removesuffix("_000019_leftImg8bit.png")
            assert len(sequence) == 6
            assert sequence.isdigit()
            image = Image.open(picture)
            assert (image.mode, image.size) == ("RGB", (128, 64))
            stem = folder / "gtFine" / split / city / picture.name.removesuffix("_leftImg8bit.png")
            for kind in ("instanceIds.png", "labelIds.png", "polygons.json"):
                assert Path(f"{stem}_gtFine_{kind}").is_file()
        assert len(list((folder / "gtFine" / split).glob("*/*"))) == 3 * count
    assert not set(CITIES["train"]) & set(CITIES["val"]) | set(CITIES["train"]) & set(CITIES["test"])


def test_instance_ids_follow_from_label_ids(folder: Path) -> None:
    for path in (*_truths(folder, "train", "instanceIds.png"), *_truths(folder, "val", "instanceIds.png")):
        image = Image.open(path)
        assert image.mode.startswith("I;16")
        ids = np.asarray(image).astype(int)
        regions = Image.open(str(path).replace("instanceIds", "labelIds"))
        assert regions.mode == "L"
        np.testing.assert_array_equal(np.where(ids >= 1000, ids // 1000, ids), np.asarray(regions))
        for number in np.unique(ids):
            assert id2label[number // 1000].hasInstances if number >= 1000 else number in id2label
        for class_id in np.unique(ids[ids >= 1000] // 1000):
            of_class = np.unique(ids[ids // 1000 == class_id]) - 1000 * class_id
            if not id2label[class_id].ignoreInEval:
                np.testing.assert_array_equal(of_class, np.arange(len(of_class)))


def test_instance_ids_are_the_polygons_drawn_in_order(folder: Path) -> None:
    """The ids equal those of the official preparation, which counts the objects of each label, without groups."""
    for path in (*_truths(folder, "train", "polygons.json"), *_truths(folder, "test", "polygons.json")):
        annotation = Annotation()
        annotation.fromJsonFile(str(path))
        assert (annotation.imgWidth, annotation.imgHeight) == (128, 64)
        drawn, met = Image.new("I;16", (128, 64)), dict.fromkeys(name2label, 0)
        for entry in annotation.objects:
            label = name2label[entry.label.removesuffix("group")]
            value = label.id
            if label.hasInstances and entry.label == label.name:
                value = label.id * 1000 + met[label.name]
                met[label.name] += 1
            ImageDraw.Draw(drawn).polygon([(point.x, point.y) for point in entry.polygon], fill=value)
        expected = np.asarray(Image.open(str(path).replace("polygons.json", "instanceIds.png")))
        np.testing.assert_array_equal(np.asarray(drawn), expected)


def test_groups_bear_the_plain_class(folder: Path) -> None:
    found = 0
    for path in _truths(folder, "train", "polygons.json"):
        groups = [
            entry["label"] for entry in json.loads(path.read_text())["objects"] if entry["label"].endswith("group")
        ]
        ids = np.asarray(Image.open(str(path).replace("polygons.json", "instanceIds.png")))
        plain = {name2label[name.removesuffix("group")].id for name in groups}
        assert set(np.unique(ids[(ids >= 24) & (ids < 1000)]).tolist()) <= plain
        found += bool(np.isin(ids, list(plain)).any())
    assert found >= 2


def test_test_split_keeps_its_truth_to_itself(folder: Path) -> None:
    for path in _truths(folder, "test", "instanceIds.png"):
        assert np.unique(np.asarray(Image.open(path))).tolist() == [0, 1, 3]
        labels = json.loads(Path(str(path).replace("instanceIds.png", "polygons.json")).read_text())["objects"]
        assert [entry["label"] for entry in labels] == ["ego vehicle", "out of roi"]


def test_reader_gives_back_what_was_drawn(folder: Path) -> None:
    reader = CityscapesReader(folder, CityscapesSplit(folder="train"))
    assert len(reader.image_ids) == 13
    for i in range(13):
        city = CITIES["train"][i % 3]
        drawn, read = _drawn(i + 1), reader.read(f"{city}_{i // 3:06d}_000019")
        np.testing.assert_array_equal(read.image, drawn.image)
        np.testing.assert_array_equal(read.instance_map, drawn.instance_map)
        np.testing.assert_array_equal(read.class_ids, drawn.class_ids)
        np.testing.assert_array_equal(read.ignore_mask, drawn.ignore_mask)
    hidden = CityscapesReader(folder, CityscapesSplit(folder="test"))
    for image_id in hidden.image_ids:
        sample = hidden.read(image_id)
        assert len(sample.class_ids) == 0
        assert sample.ignore_mask.all()


def test_processes_change_no_byte(folder: Path, tmp_path: Path) -> None:
    write_streets(tmp_path, SOURCE, processes=2)
    assert contents(tmp_path) == contents(folder)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UserError, match="must not exceed"):
        make_street(1, 1, (64, 128), (5, 4))
    with pytest.raises(UserError, match="streets need 32 x 64"):
        make_street(1, 1, (64, 63), (1, 2))
    with pytest.raises(UserError, match="80 objects cannot all be visible in 32 x 64 pixels"):
        make_street(1, 1, (32, 64), (80, 80))


@pytest.mark.parametrize("index", [44, 257])
def test_an_object_that_falls_short_by_a_hair_in_the_full_picture_is_no_fault(index: int) -> None:
    street = make_street(1, index, (1024, 2048), (4, 20))
    assert 4 <= len(street.class_ids) <= 20
    assert np.bincount(street.instance_map.ravel())[1:].min() >= 4
