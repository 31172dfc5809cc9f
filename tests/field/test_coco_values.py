"""Single values of COCO JSON as tools write them: what each means, and what has no meaning; reader and truth alike."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.coco_case import SIZE, by_reader, dataset, document, read_alike, square, write

from rsis.eval.truths.open import load_ground_truth

Change = Callable[[dict[str, Any]], object]


def _each(part: str, **values: Callable[[dict[str, Any]], Any]) -> Change:
    return lambda content: [entry.update({key: make(entry) for key, make in values.items()}) for entry in content[part]]


def _read(folder: Path, change: Change, categories: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    content = document()
    content["categories"] = categories or content["categories"]
    change(content)
    write(folder, content)
    return read_alike(dataset(), folder)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_any_unicode_encoding(tmp_path: Path, encoding: str) -> None:
    content = document()
    content["categories"][0]["name"] = "Zelle ä"
    write(tmp_path, json.dumps(content, ensure_ascii=False).encode(encoding), pictures=("p1.png", "p2.png"))
    assert read_alike(dataset(), tmp_path)["classes"] == ("Zelle ä",)


@pytest.mark.parametrize(
    "change",
    [
        _each("images", width=lambda e: str(e["width"]), height=lambda e: float(e["height"])),
        _each("images", width=lambda _: -1, height=lambda _: -1),
        _each("images", width=lambda _: None, height=lambda _: 0),
        _each("images", id=lambda e: float(e["id"])),
        _each("annotations", image_id=lambda e: f"{e['image_id']}.0", category_id=lambda _: "1"),
        _each("annotations", id=lambda e: float(e["id"])),
        _each("annotations", id=lambda _: None),
        _each("annotations", area=lambda _: "9"),
        _each("annotations", area=lambda _: math.nan),
        _each("annotations", iscrowd=lambda _: "0"),
        _each("annotations", iscrowd=lambda _: 0.0),
        _each("annotations", iscrowd=lambda _: None),
        _each("annotations", iscrowd=lambda _: False),
        _each("annotations", segmentation=lambda e: e["segmentation"][0]),
        _each("annotations", segmentation=lambda e: [[str(number) for number in e["segmentation"][0]]]),
        _each("annotations", segmentation=lambda e: [e["segmentation"][0], [3, 3], []]),
        _each("annotations", segmentation=lambda e: np.reshape(e["segmentation"][0], (-1, 2)).tolist()),
        _each("annotations", segmentation=lambda e: [np.reshape(e["segmentation"][0], (-1, 2)).tolist()]),
        lambda content: [entry.pop("id") for entry in content["annotations"]],
        lambda content: [entry.pop("width") for entry in content["images"]],
        lambda content: content["categories"].append(content["categories"][0] | {"id": "1"}),
    ],
)
def test_other_spellings_mean_the_same(tmp_path: Path, change: Change) -> None:
    write(tmp_path / "plain", document())
    assert _read(tmp_path / "odd", change) == by_reader(dataset(), tmp_path / "plain")


@pytest.mark.parametrize(
    ("written", "meant"), [("9", 9), (7.5, 7.5), (-1, 9), (0, 9), (math.nan, 9), (math.inf, 9), (None, 9), ([1], 9)]
)
def test_an_area_that_is_none_is_counted(tmp_path: Path, written: Any, meant: float) -> None:
    content = document(images=1, objects=1)
    content["annotations"][0]["area"] = written
    write(tmp_path, content)
    (item,) = load_ground_truth(dataset(), tmp_path, "train").annotations("p1.png")
    assert item.area == meant


@pytest.mark.parametrize(("written", "shown"), [(7, "7"), (7.0, "7"), (" cell ", "cell"), ("Blu\u0308te", "Blüte")])
def test_names_of_classes(tmp_path: Path, written: Any, shown: str) -> None:
    assert _read(tmp_path, _each("categories", name=lambda _: written))["classes"] == (shown,)


@pytest.mark.parametrize("crowd", [1, True, 1.0, "1", "true"])
def test_crowds_are_ignored_or_objects(tmp_path: Path, crowd: Any) -> None:
    content = document(images=1)
    content["annotations"][0]["iscrowd"] = crowd
    write(tmp_path, content)
    ignored, objects = (read_alike(dataset(crowd=key), tmp_path)["p1.png"] for key in ("ignore", "object"))
    assert (ignored[0], objects[0]) == ([1], [1, 1])
    assert np.argwhere(ignored[2]).tolist() == [[row, column] for row in (2, 3, 4) for column in (1, 2, 3)]
    assert not np.any(objects[2])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_each("annotations", iscrowd=lambda _: 2), r"annotations[0] (id 10): iscrowd is 2"),
        (_each("annotations", iscrowd=lambda _: []), r"annotations[0] (id 10): iscrowd is a list"),
        (_each("annotations", image_id=lambda _: None), r"annotations[0] (id 10): image_id is None"),
        (_each("annotations", category_id=lambda _: 1.5), r"annotations[0] (id 10): category_id is 1.5"),
        (_each("images", width=lambda _: "12 px"), "images[0]: width is '12 px'"),
        (_each("images", height=lambda _: 12.5), "images[0]: height is 12.5"),
        (_each("images", width=lambda _: 10**6, height=lambda _: 10**6), "at most 2^31 pixels"),
        (_each("images", file_name=lambda _: "a\0b"), "images[0]: file_name is 'a\\x00b'"),
        (_each("images", file_name=lambda _: "\ud800.png"), "images[0]: file_name is '\\ud800.png'"),
        (_each("categories", name=lambda _: None), "categories[0]: name is None"),
        (lambda content: content.update(annotations={}), "annotations is dict, expected a list"),
        (
            lambda content: content["annotations"][1].pop("category_id"),
            "annotations[1] (id 11): 'category_id' is missing",
        ),
        (
            lambda content: content["categories"].append({"id": 2, "name": "cell"}),
            "categories[1]: name 'cell' is that of categories[0] too; rename one",
        ),
        (_each("annotations", segmentation=lambda _: []), "4 of 4 annotations are boxes without outlines; rsis needs"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_place(tmp_path: Path, change: Change, found: str) -> None:
    content = document()
    change(content)
    write(tmp_path, content, pictures=("p1.png", "p2.png"))
    error = read_alike(dataset(), tmp_path)["error"]
    assert error.startswith(f"{tmp_path / 'train.json'}: ")
    assert found in error


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"images": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (json.dumps(document(), ensure_ascii=False).replace("cell", "ä").encode("latin-1"), "is not utf-8; save"),
        (b'{"images": [', "not valid JSON"),
    ],
)
def test_bytes_that_are_no_document(tmp_path: Path, data: bytes, found: str) -> None:
    write(tmp_path, data, pictures=("p1.png",))
    assert found in read_alike(dataset(), tmp_path)["error"]


@pytest.mark.parametrize("depth", [50, 150, 400])
def test_a_segmentation_that_is_nested_deeply_is_not_drawn(tmp_path: Path, depth: int) -> None:
    content = json.dumps(document(images=1)).replace("[[1, 2, 4, 2, 4, 5, 1, 5]]", "[" * depth + "1" + "]" * depth)
    write(tmp_path, content.encode(), pictures=("p1.png",))
    assert read_alike(dataset(), tmp_path)["p1.png"][0] == [1]


def test_the_root_that_roboflow_adds_is_no_class(tmp_path: Path) -> None:
    cell = {"id": 1, "name": "cell", "supercategory": "cells"}
    for number, name in enumerate(("cell", "cells")):
        root = {"id": 0, "name": name, "supercategory": "none"}
        found = _read(tmp_path / str(number), _each("categories"), [root, cell])
        assert found["classes"] == ("cell",)
        assert found["p1.png"][0] == [1, 1]
    other = {"id": 0, "name": "other", "supercategory": "none"}
    assert _read(tmp_path / "2", _each("categories"), [other, cell])["classes"] == ("other", "cell")


def test_a_picture_that_is_listed_twice_counts_once_or_is_refused(tmp_path: Path) -> None:
    def repeat(content: dict[str, Any]) -> None:
        content["images"].append(content["images"][0] | {"id": 99})
        own = [item for item in content["annotations"] if item["image_id"] == 1]
        content["annotations"] += [item | {"id": 500 + item["id"], "image_id": 99} for item in own]

    assert _read(tmp_path / "same", repeat)["p1.png"][0] == [1, 1]
    content = document()
    repeat(content)
    content["annotations"][-1]["segmentation"] = [square(7, 7)]
    write(tmp_path / "other", content)
    error = read_alike(dataset(), tmp_path / "other")["error"]
    assert "'p1.png' occurs twice, and image 99 has other annotations; remove one of the two images" in error


def test_what_cannot_be_drawn_costs_no_other_object(tmp_path: Path) -> None:
    bad = ([[5, 5, 9, 9]], {"size": [16, 12], "counts": [192]}, {"size": list(SIZE), "counts": "~"}, None, [[1e6] * 6])
    content = document(images=1, objects=len(bad) + 1)
    for entry, segmentation in zip(content["annotations"], bad, strict=False):
        entry["segmentation"] = segmentation
    content["annotations"][-1]["segmentation"] = [square(2, 1)]
    write(tmp_path, content)
    assert read_alike(dataset(), tmp_path)["p1.png"][0] == [1]


@pytest.mark.parametrize("annotated", ["upright", "stored"])
@pytest.mark.parametrize("known", [True, False])
def test_a_turned_picture_of_unknown_size(tmp_path: Path, annotated: str, known: bool) -> None:
    """The picture lies in its file as 12 x 16, and is shown as 16 x 12."""
    content = document(images=1, objects=1)
    if not known:
        content["images"][0].update(width=-1, height=None)
    write(tmp_path, content)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "train/p1.png", exif=exif)
    _, numbers, _ = read_alike(dataset(annotated=annotated), tmp_path)["p1.png"]
    stored = known or annotated == "stored"  # a size that is known says it, whatever the key
    rows, columns = np.nonzero(numbers)
    assert np.shape(numbers) == (16, 12)
    assert (rows.min(), columns.min()) == ((1, 12 - 5) if stored else (2, 1))
