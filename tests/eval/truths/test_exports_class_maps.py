"""Tests of the truth of instance maps with a map of classes beside each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.export_truth import block, draw_pictures, expected, objects_of

from rsis.config.datasets import MapsDataset
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import decode_rle

CLASSES = {"dog": 7, "cat": 2, "cow": 300}
NUMBERS = np.zeros((6, 8), np.uint16)
NUMBERS[0:2, 0:4], NUMBERS[3:5, 0:2], NUMBERS[3:5, 4:8], NUMBERS[5, 7] = 4, 900, 9, 60000
KINDS = np.zeros((6, 8), np.uint16)
KINDS[0:2, 0:3] = 7  # object 4: six of eight pixels
KINDS[3, 0:2], KINDS[4, 0:2] = 7, 2  # object 900: two each
KINDS[3:5, 4], KINDS[3:5, 5:8] = 300, 99  # object 9: only these are of a class
KINDS[5, 7] = 2


def load(root: Path, split: dict[str, Any] | None = None, **keys: Any) -> GroundTruth:
    folders = {"images": "images", "maps": "maps", "class_maps": "kinds", "suffix": "_m"}
    section = {"format": "maps", "source": {"kind": "folder", "path": "unused"}, "size": (8, 8), "classes": CLASSES}
    section |= {"splits": {"test": {**folders, **(split or {})}}, **keys}
    return load_ground_truth(MapsDataset.model_validate(section), root, "test")


def save(root: Path, name: str, array: np.ndarray) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw_pictures(tmp_path, "a.png")
    save(tmp_path, "maps/a_m.png", NUMBERS)
    save(tmp_path, "kinds/a_m.png", KINDS)
    return tmp_path


def test_the_class_is_that_of_most_pixels(folder: Path) -> None:
    truth = load(folder)
    assert truth.class_names == ("dog", "cat", "cow")
    assert np.array_equal(truth.instance_map("a"), NUMBERS)
    assert objects_of(truth, "a") == expected(
        ("dog", block((0, 2), (0, 4))),
        ("cow", block((3, 5), (4, 8))),
        ("cat", block((3, 5), (0, 2))),  # of equally many, the class of the smaller number
        ("cat", block((5, 6), (7, 8))),
    )


def test_what_is_not_annotated_is_ignored_in_each_class(folder: Path) -> None:
    truth = load(folder, ignore_value=60000)
    assert np.array_equal(truth.ignore_mask("a"), NUMBERS == 60000)
    regions = [item for item in truth.annotations("a") if item.iscrowd]
    assert [item.class_id for item in regions] == [1, 2, 3]
    for item in regions:
        assert np.argwhere(decode_rle(item.rle)).tolist() == [[5, 7]]


def test_an_object_without_a_class(folder: Path) -> None:
    kinds = KINDS.copy()
    kinds[3:5, 0:2] = [[99, 0], [100, 99]]
    save(folder, "kinds/a_m.png", kinds)
    message = (
        r"kinds/a_m\.png: object 900 of .*maps/a_m\.png has the numbers 0, 99, 100 here; expected one of 2, 7, 300"
    )
    with pytest.raises(UserError, match=message) as caught:
        load(folder).annotations("a")
    assert "\n" not in str(caught.value)


def test_a_map_of_classes_of_another_size(folder: Path) -> None:
    save(folder, "kinds/a_m.png", KINDS[:, :7])
    with pytest.raises(UserError, match=r"kinds/a_m\.png: has \(6, 7\) pixels, its picture \(6, 8\)"):
        load(folder).annotations("a")


def test_both_maps_lie_in_the_frame_of_the_picture(folder: Path) -> None:
    draw_pictures(folder, "a.png", size=(8, 6), orientation=6)  # shown turned to the right, as 6 x 8 pixels
    save(folder, "kinds/a_m.png", np.rot90(KINDS))  # as stored, the instance map as shown
    assert [name for name, _ in objects_of(load(folder), "a")] == ["dog", "cow", "cat", "cat"]


def test_pages_of_stacks_have_a_page_of_classes_each(tmp_path: Path) -> None:
    stacks = {"images/a": np.zeros((2, 6, 8), np.uint8), "maps/a_m": np.stack([NUMBERS, np.where(NUMBERS == 4, 4, 0)])}
    stacks["kinds/a_m"] = np.stack([KINDS, np.where(KINDS == 7, 300, 0)])
    for name, stack in stacks.items():
        (tmp_path / name).parent.mkdir()
        tifffile.imwrite(tmp_path / f"{name}.tif", stack.astype(np.uint16), metadata={"axes": "ZYX"})
    truth = load(tmp_path)
    assert truth.image_ids == ("a#1", "a#2")
    assert [name for name, _ in objects_of(truth, "a#1")] == ["dog", "cow", "cat", "cat"]
    assert objects_of(truth, "a#2") == expected(("cow", block((0, 2), (0, 4))))


def test_numbers_and_maps_of_classes_need_each_other(folder: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml: test has classes of the data set, but not class_maps of the s"):
        load(folder, {"class_maps": None})
    with pytest.raises(UserError, match=r"params\.yaml: test has class_maps of the split, but not classes of the dat"):
        load(folder, classes=None)
