"""The classes of a COCO data set are those of train, in all splits, by their names."""

from pathlib import Path
from typing import Any

import pytest
from support.coco_case import dataset, document, read_alike, write


def _with(names: dict[Any, str], used: Any) -> dict[str, Any]:
    content = document()
    content["categories"] = [{"id": category, "name": name} for category, name in names.items()]
    for entry in content["annotations"]:
        entry["category_id"] = used
    return content


@pytest.mark.parametrize(
    ("names", "used", "found"),
    [
        ({1: "cell", 2: "nut"}, 1, 1),
        ({1: "nut", 2: "cell"}, 1, 2),
        ({7: "nut", 3: "cell"}, "7", 2),
        ({5: "nut"}, 5, 2),
        ({0: "leaf", 1: "nut", 2: "cell"}, 2, 1),
    ],
)
def test_classes_are_mapped_by_name(tmp_path: Path, names: dict[Any, str], used: Any, found: int) -> None:
    write(tmp_path, _with({1: "cell", 2: "nut"}, 2))
    write(tmp_path, _with(names, used), "val")
    section = dataset("train", "val")
    assert read_alike(section, tmp_path)["p1.png"][0] == [2, 2]
    val = read_alike(section, tmp_path, "val")
    assert val["classes"] == ("cell", "nut")
    assert val["p1.png"][0] == [found, found]


def test_a_class_with_objects_that_train_lacks_is_refused(tmp_path: Path) -> None:
    write(tmp_path, _with({1: "cell"}, 1))
    write(tmp_path, _with({1: "cell", 2: "nut"}, 2), "val")
    error = read_alike(dataset("train", "val"), tmp_path, "val")["error"]
    assert "val.json: has objects of classes that" in error
    assert "(4 of 'nut'; listed: 'cell'); give them the names listed there" in error
    content = _with({1: "cell", 2: "nut"}, 1)  # the remedy: the class is listed, although it has no object
    write(tmp_path, content)
    assert read_alike(dataset("train", "val"), tmp_path, "val")["p1.png"][0] == [2, 2]


def test_without_a_split_train_a_file_has_its_own_classes(tmp_path: Path) -> None:
    write(tmp_path, _with({4: "nut", 2: "cell"}, 4), "test")
    assert read_alike(dataset("test"), tmp_path, "test")["classes"] == ("cell", "nut")
