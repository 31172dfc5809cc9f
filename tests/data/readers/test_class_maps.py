"""Tests of instance maps with a map of classes beside each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.export_folder import SIZE, Lost, box, check_objects, write_picture

from rsis.config.datasets import MapsDataset
from rsis.data.readers.base import BadSampleError, SampleReader, refuse
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.splits.own import MapsSplit, each_page, leave_out, map_images

CLASSES = {"dog": 7, "cat": 2}


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _open(root: Path, on_missing: Any = refuse, classes: Any = CLASSES, **split: Any) -> SampleReader:
    places = {"images": "images", "maps": "maps", "class_maps": "classes", **split}
    content = {"format": "maps", "source": {"kind": "folder", "path": "unused"}, "size": (32, 32), "classes": classes}
    return open_split(MapsDataset.model_validate({**content, "splits": {"train": places}}), root, "train", on_missing)


def _write(root: Path, name: str = "a") -> tuple[np.ndarray, np.ndarray]:
    """Write a picture of three objects, numbered with gaps; return the two maps, whose class numbers are not set."""
    write_picture(root / f"images/{name}.png")
    objects = np.zeros(SIZE, np.uint8)
    for number, mask in ((9, box(0, 0, 4, 2)), (3, box(6, 0, 10, 4)), (20, box(0, 6, 4, 10))):
        objects[mask] = number
    _save(root / f"maps/{name}.png", objects)
    return objects, np.zeros(SIZE, np.uint8)


def test_class_of_most_pixels_counts(tmp_path: Path) -> None:
    _, classes = _write(tmp_path)
    classes[0:2, 0:16] = 7  # all of object 9, and half of object 3
    classes[2:4, 6:10] = 2  # the other half: of equal numbers the smaller
    classes[6:10, 0:4] = 5  # no class
    classes[9, 2] = 7
    _save(tmp_path / "classes/a.png", classes)
    reader = _open(tmp_path)
    assert reader.class_names == ("dog", "cat")
    check_objects(reader.read("a"), (box(6, 0, 10, 4), 2), (box(0, 0, 4, 2), 1), (box(0, 6, 4, 10), 1))


def test_object_without_class_is_named(tmp_path: Path) -> None:
    _, classes = _write(tmp_path)
    classes[:] = 2
    classes[6:10, 0:4] = [[5], [5], [0], [6]]
    _save(tmp_path / "classes/a.png", classes)
    with pytest.raises(BadSampleError) as caught:
        _open(tmp_path).read("a")
    assert str(caught.value) == (
        f"{tmp_path / 'classes/a.png'}: has on object 20 the numbers 0, 5, 6; expected one of classes (dog 7, cat 2); "
        "correct the map, or add the class to the data set"
    )


@pytest.mark.parametrize(
    ("pixels", "found"),
    [
        (np.full((6, 16), 2, np.uint8), "6 x 16 pixels, its picture has 12 x 16"),
        (np.full(SIZE, 2.5, np.float32), "has the number 2.5"),
    ],
)
def test_map_of_classes_that_does_not_fit(tmp_path: Path, pixels: np.ndarray, found: str) -> None:
    _write(tmp_path)
    (tmp_path / "classes").mkdir()
    tifffile.imwrite(tmp_path / "classes/a.tif", pixels)
    with pytest.raises(BadSampleError, match=rf"classes/a.tif: {found}"):
        _open(tmp_path).read("a")


def test_map_of_classes_may_be_in_colours(tmp_path: Path) -> None:
    _write(tmp_path)
    colours = np.zeros((*SIZE, 3), np.uint8)
    colours[...] = (0, 1, 2)
    _save(tmp_path / "classes/a.png", colours)
    assert _open(tmp_path, classes={"cat": 1, "dog": 258}).read("a").class_ids.tolist() == [2, 2, 2]


@pytest.mark.parametrize(("classes", "folder"), [(CLASSES, None), (None, "classes"), ({"a": 1, "b": 1}, "classes")])
def test_both_keys_belong_together(tmp_path: Path, classes: Any, folder: str | None) -> None:
    _, pixels = _write(tmp_path)
    _save(tmp_path / "classes/a.png", pixels)
    with pytest.raises(UserError, match=r"give both, or neither|have the number 1; give each class its own"):
        _open(tmp_path, classes=classes, class_maps=folder)


def test_maps_alone_are_lost(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        _, classes = _write(tmp_path, name)
        _save(tmp_path / f"classes/{name}.png", classes + np.uint8(2))
    (tmp_path / "classes/b.png").unlink()
    (tmp_path / "maps/c.png").unlink()
    lost = Lost()
    assert _open(tmp_path, lost).image_ids == ("a",)
    assert [message.split(": ")[1].partition(";")[0] for message in lost.messages] == [
        "has no instance map of that name",
        "has no map of classes of that name",
        "has no instance map of that name",
    ]
    with pytest.raises(UserError, match=r"c.png: has no instance map of that name"):
        _open(tmp_path)


def test_maps_of_classes_are_named_as_instance_maps_are(tmp_path: Path) -> None:
    for name, pixels in (
        ("images/a.png", 9),
        ("images/a_label.png", 0),
        ("classes/a_label.tif", 2),
        ("classes/a.png", 3),
    ):
        _save(tmp_path / name, np.full(SIZE, pixels, np.uint8))
    split = MapsSplit(images="images", maps="images", class_maps="classes", suffix="_label")
    found = map_images(tmp_path, split, leave_out)
    assert {name: files.class_map for name, files in found.items()} == {"a": tmp_path / "classes/a_label.tif"}


@pytest.mark.parametrize("pages", [3, 1])
def test_pages_of_stacks_have_pages_of_classes(tmp_path: Path, pages: int) -> None:
    for name, count in (("images", 3), ("maps", 3), ("classes", pages)):
        (tmp_path / name).mkdir()
        stack = np.stack([np.full(SIZE, 2 if page % 2 else 7, np.uint8) for page in range(count)])
        tifffile.imwrite(tmp_path / name / "a.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    split = MapsSplit(images="images", maps="maps", class_maps="classes")
    found = each_page(map_images(tmp_path, split))
    assert list(found) == (["a#1", "a#2", "a#3"] if pages == 3 else ["a"])
    reader = _open(tmp_path)
    if pages == 3:
        assert [int(reader.read(name).class_ids[0]) for name in reader.image_ids] == [1, 2, 1]
    else:
        with pytest.raises(BadSampleError):
            reader.read("a")
