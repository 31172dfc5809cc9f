"""Tests of the ground truth of Cityscapes, on cases solved by hand and against the reader of the training data."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.cityscapes_folder import (
    picture_path,
    random_ids,
    truth_path,
    write_disparity,
    write_ids,
    write_image,
)

from rsis.config.datasets import CityscapesDataset, CityscapesSplit
from rsis.data.readers.cityscapes import CityscapesReader
from rsis.errors import UserError
from rsis.eval.truths.cityscapes import CityscapesTruth
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import decode_rle

VAL = CityscapesSplit(folder="val")
FIRST, SECOND = "aachen_000000_000019", "bonn_000012_000019"
IDS = np.array([[7, 23, 26001, 26001], [26, 0, 24000, 33999], [29001, 29, 26, 1]])


def test_maps_by_hand_and_without_pictures(tmp_path: Path) -> None:
    for image_id in (SECOND, FIRST):
        write_ids(tmp_path, "val", image_id, IDS)
    truth = CityscapesTruth(tmp_path, VAL)
    assert truth.image_ids == (FIRST, SECOND)
    assert truth.class_names == CityscapesReader.class_names
    assert truth.image_path(FIRST) == picture_path(tmp_path, "val", FIRST)
    assert truth.size(FIRST) == (3, 4)
    np.testing.assert_array_equal(truth.instance_ids(FIRST), IDS)
    np.testing.assert_array_equal(truth.instance_map(FIRST), [[0, 0, 26001, 26001], [0, 0, 24000, 33999], [0] * 4])
    np.testing.assert_array_equal(truth.ignore_mask(FIRST), [[0] * 4, [1, 1, 0, 0], [1, 1, 1, 1]])
    assert (truth.instance_ids(FIRST).dtype, truth.instance_map(FIRST).dtype) == (np.int32, np.int32)
    assert not truth.has_distances


def test_groups_are_crowds_and_what_is_left_out_is_in_no_object(tmp_path: Path) -> None:
    write_ids(tmp_path, "val", FIRST, IDS)
    found = CityscapesTruth(tmp_path, VAL).annotations(FIRST)
    assert [(item.class_id, item.area, item.iscrowd) for item in found] == [
        (3, 2.0, True),
        (1, 1.0, False),
        (3, 2.0, False),
        (8, 1.0, False),
    ]
    for item, number in zip(found, (26, 24000, 26001, 33999), strict=True):
        np.testing.assert_array_equal(decode_rle(item.rle), number == IDS)


@settings(deadline=None, derandomize=True, max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_agrees_with_the_reader(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root = tmp_path_factory.mktemp("any")
    write_image(root, "val", FIRST, random_ids(np.random.default_rng(seed), (12, 17)))
    truth, sample = CityscapesTruth(root, VAL), CityscapesReader(root, VAL).read(FIRST)
    np.testing.assert_array_equal(truth.ignore_mask(FIRST), sample.ignore_mask)
    objects = [item for item in truth.annotations(FIRST) if not item.iscrowd]
    assert [item.class_id for item in objects] == sample.class_ids.tolist()
    for number, item in enumerate(objects, start=1):
        np.testing.assert_array_equal(decode_rle(item.rle), sample.instance_map == number)


def test_distance_is_focal_length_times_baseline_by_disparity(tmp_path: Path) -> None:
    write_ids(tmp_path, "val", FIRST, np.full((2, 2), 7))
    write_disparity(tmp_path, "val", FIRST, np.array([[0, 1], [257, 2561]]), fx=2000.0, baseline=0.2)
    truth = CityscapesTruth(tmp_path, VAL)
    assert truth.has_distances
    np.testing.assert_allclose(truth.distances(FIRST), [[np.nan, np.inf], [400.0, 40.0]])


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda root, text: text("{}"), "_camera.json: lacks 'intrinsic'"),
        (lambda root, text: text('{"intrinsic": {"fx": "far"}}'), "_camera.json: intrinsic.fx is 'far'"),
        (lambda root, text: next(root.rglob("*_disparity.png")).unlink(), "_disparity.png: cannot read"),
        (
            lambda root, text: Image.new("L", (2, 2)).save(next(root.rglob("*_disparity.png"))),
            "_disparity.png: has 2 x 2 pixels of mode L; expected 16-bit grey, 2 x 2",
        ),
        (
            lambda root, text: Image.new("I;16", (3, 2)).save(next(root.rglob("*_disparity.png"))),
            "has 2 x 3 pixels of mode I;16; expected 16-bit grey, 2 x 2",
        ),
    ],
)
def test_faults_of_the_distances_are_named(
    tmp_path: Path, damage: Callable[[Path, Callable[[str], object]], object], found: str
) -> None:
    write_ids(tmp_path, "val", FIRST, np.full((2, 2), 7))
    write_disparity(tmp_path, "val", FIRST, np.ones((2, 2)), fx=2000.0, baseline=0.2)
    damage(tmp_path, next(tmp_path.rglob("*_camera.json")).write_text)
    with pytest.raises(UserError, match=found) as caught:
        CityscapesTruth(tmp_path, VAL).distances(FIRST)
    assert "\n" not in str(caught.value)


def _replace(image: Image.Image) -> Callable[[Path], object]:
    return lambda path: image.save(path, "png")


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _number(number: int) -> Callable[[Path], object]:
    return lambda path: Image.fromarray(np.full((3, 4), number, np.uint16)).save(path)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_truncate, "cannot read"),
        (lambda path: path.write_bytes(b"no picture"), "cannot read"),
        (lambda path: path.unlink(), "cannot read"),
        (_replace(Image.new("L", (4, 3))), "of mode L; expected 16-bit grey: a conversion lost the objects' numbers"),
        (_replace(Image.new("RGB", (4, 3))), "of mode RGB; expected 16-bit grey; restore"),
        (_number(34), "has the number 34;"),
        (_number(11002), "has the number 11002;"),
        (_number(34000), "has the number 34000;"),
    ],
)
def test_broken_annotation_is_named(tmp_path: Path, damage: Callable[[Path], object], found: str) -> None:
    write_ids(tmp_path, "val", FIRST, IDS)
    truth = CityscapesTruth(tmp_path, VAL)
    damage(truth_path(tmp_path, "val", FIRST))
    for ask in (truth.instance_map, truth.ignore_mask, truth.annotations):
        with pytest.raises(UserError, match=found) as caught:
            ask(FIRST)
        assert str(truth_path(tmp_path, "val", FIRST)) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_size_comes_from_the_header_alone(tmp_path: Path) -> None:
    write_ids(tmp_path, "val", FIRST, IDS)
    truth = CityscapesTruth(tmp_path, VAL)
    path = truth_path(tmp_path, "val", FIRST)
    _truncate(path)
    assert truth.size(FIRST) == (3, 4)
    path.write_bytes(b"no picture")
    with pytest.raises(UserError, match="cannot read"):
        truth.size(FIRST)


def test_split_without_annotations_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gtFine/val: has 0 files"):
        CityscapesTruth(tmp_path, VAL)
    write_ids(tmp_path, "val", FIRST, IDS)
    (tmp_path / "gtFine" / "val" / "bonn").mkdir()
    write_ids(tmp_path, "other", FIRST, IDS)
    truth_path(tmp_path, "other", FIRST).rename(
        tmp_path / "gtFine" / "val" / "bonn" / truth_path(tmp_path, "val", FIRST).name
    )
    with pytest.raises(UserError, match=r"has 2 files .* of 1 images"):
        CityscapesTruth(tmp_path, VAL)


def test_load_ground_truth_gives_this_truth(tmp_path: Path) -> None:
    write_ids(tmp_path, "val", FIRST, IDS)
    dataset = CityscapesDataset.model_validate_json(
        json.dumps(
            {
                "format": "cityscapes",
                "source": {"kind": "folder", "path": "pictures"},
                "size": [8, 16],
                "splits": {"val": {"folder": "val"}},
            }
        )
    )
    assert isinstance(load_ground_truth(dataset, tmp_path, "val"), CityscapesTruth)
