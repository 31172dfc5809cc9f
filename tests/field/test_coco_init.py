"""`rsis init` on COCO JSON: what it says of annotations that are no objects, and what it refuses with a way out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.coco_case import document, square, write
from support.in_process import exit_code as rsis
from support.own_folders import write_maps

from rsis.config.datasets import CocoDataset
from rsis.config.params import load_params

Change = Callable[[dict[str, Any]], object]
COUNTS = {"size": [12, 16], "counts": [14, 3, 9, 3, 163]}


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run `rsis init mine ...` in the folder and return what it prints; it must end with the code given."""
    monkeypatch.chdir(tmp_path)

    def run(*options: str, code: int = 0) -> str:
        (tmp_path / "params.yaml").unlink(missing_ok=True)
        assert rsis(monkeypatch, "init", "mine", *options) == code
        output = capsys.readouterr()
        return output.out + output.err

    return run


def _mine(folder: Path, change: Change, images: int = 4) -> None:
    content = document(images)
    change(content)
    write(folder / "mine", content)


def _crowds(number: int) -> Change:
    return lambda content: [entry.update(iscrowd=1, segmentation=COUNTS) for entry in content["annotations"][:number]]


@pytest.mark.parametrize("number", [8, 3])
def test_many_crowds_are_objects(init: Callable[..., str], tmp_path: Path, number: int) -> None:
    _mine(tmp_path, _crowds(number))
    said = init()
    assert f"note: {number} of 8 annotations are iscrowd, too many for groups of objects: taken as objects" in said
    section = load_params(tmp_path / "params.yaml").dataset("mine")
    assert isinstance(section, CocoDataset)
    assert section.crowd == "object"
    said = init("--crowd", "ignore", code=2 if number == 8 else 0)
    if number == 8:
        assert "no image has an object: 8 of 8 annotations are iscrowd, and these are ignored; take them as" in said
    else:
        assert f"{number} of 8 annotations are iscrowd: taken as regions to ignore" in said


def test_few_crowds_are_groups(init: Callable[..., str], tmp_path: Path) -> None:
    _mine(tmp_path, _crowds(1), images=10)
    assert "1 of 20 annotations are iscrowd: taken as groups, whose pixels are ignored; if each is one object" in init()
    assert "crowd: ignore  # 1 of 20" in (tmp_path / "params.yaml").read_text()
    init("--crowd", "object")
    assert "crowd: object  # 1 of 20" in (tmp_path / "params.yaml").read_text()


def test_boxes_alone_are_refused_and_a_few_of_them_counted(init: Callable[..., str], tmp_path: Path) -> None:
    _mine(tmp_path, lambda content: [entry.pop("segmentation") for entry in content["annotations"]])
    assert "train.json: 8 of 8 annotations are boxes without outlines; rsis needs the outline" in init(code=2)
    assert not (tmp_path / "params.yaml").exists()
    _mine(tmp_path, lambda content: content["annotations"][0].pop("segmentation"))
    said = init()
    assert (
        "note: 1 annotations are no objects (box without outline); the first: mine/train.json: annotations[0]" in said
    )
    assert "cell 7" in said


def test_what_cannot_be_drawn_is_named(init: Callable[..., str], tmp_path: Path) -> None:
    _mine(tmp_path, lambda content: content["annotations"][3].update(segmentation=[[5, 5, 9, 9]]))
    said = init()
    assert "annotations[3] (id 21) of p2.png: a polygon of fewer than three points" in said
    _mine(tmp_path, lambda content: [entry.update(segmentation=[square(50, 50)]) for entry in content["annotations"]])
    assert "no image has an object: 8 of 8 annotations have no pixel in their image (" in init(code=2)


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("train.json", b'{"images": [', "mine/train.json: not valid JSON ("),
        ("all.json", b"[" * 100_000, "mine/all.json: nested too deeply"),
        ("all.json", b'{"images": [' + b"7" * 5000, "mine/all.json: not valid JSON ("),
        ("all.json", "ä".encode("latin-1"), "mine/all.json: byte 0 is not utf-8; save the file as UTF-8"),
        ("all.json", b'{"images": [], "annotations": []}', "mine/all.json: 'categories' is missing; add it"),
        ("all.json", b'{"images": [], "annotations": [], "categories": []}', "mine/all.json: images is empty"),
    ],
)
def test_a_broken_file_is_said_to_be_broken(
    init: Callable[..., str], tmp_path: Path, name: str, data: bytes, found: str
) -> None:
    _mine(tmp_path, lambda _: None)
    (tmp_path / "mine/train.json").unlink()
    (tmp_path / "mine" / name).write_bytes(data)
    assert found in init(code=2)


def test_a_broken_file_of_another_split_is_not_passed_over(init: Callable[..., str], tmp_path: Path) -> None:
    _mine(tmp_path, lambda _: None)
    (tmp_path / "mine/val.json").write_bytes(b"{")
    assert "mine/val.json: not valid JSON" in init(code=2)
    (tmp_path / "mine/val.json").rename(tmp_path / "mine/package.json")
    assert "note: mine/package.json: not valid JSON (" in init()


def test_a_broken_file_beside_maps_is_noted(init: Callable[..., str], tmp_path: Path) -> None:
    write_maps(tmp_path / "mine", ["a", "b", "c"])
    (tmp_path / "mine/settings.json").write_bytes(b"{")
    assert "note: mine/settings.json: not valid JSON (" in init()


def test_pictures_that_are_there_twice_are_named(init: Callable[..., str], tmp_path: Path) -> None:
    _mine(tmp_path, lambda _: None)
    for split in ("val", "test"):
        write(tmp_path / "mine", document(2), split)
    (tmp_path / "mine/test/p1.png").write_bytes((tmp_path / "mine/train/p3.png").read_bytes())
    (tmp_path / "mine/train/p2.png").write_bytes((tmp_path / "mine/train/p4.png").read_bytes())
    said = init()
    assert "1 pictures are in two splits, so that scores flatter the network (the first: mine/train/p3.png (t" in said
    assert "mine/test/p1.png (test))" in said
    assert "1 pictures are twice in one split (the first: mine/train/p" in said


def test_check_says_it_again(
    init: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _mine(tmp_path, lambda content: content["images"].append(content["images"][0] | {"id": 99}))
    for split in ("val", "test"):
        write(tmp_path / "mine", document(2), split)
    (tmp_path / "mine/test/p1.png").write_bytes((tmp_path / "mine/train/p3.png").read_bytes())
    init()
    assert rsis(monkeypatch, "check", "mine", "--workers", 1) == 0
    said = capsys.readouterr().out
    assert "note: mine/train.json: pictures that are listed twice" in said.replace(f"{tmp_path}/", "")
    assert "note: 1 pictures are in two splits" in said


def test_classes_that_train_lacks_are_refused(init: Callable[..., str], tmp_path: Path) -> None:
    _mine(tmp_path, lambda _: None)
    content = document(2)
    content["categories"][0]["name"] = "nut"
    write(tmp_path / "mine", content, "val")
    assert "mine/val.json: has objects of classes that mine/train.json does not list (4 of 'nut'; " in init(code=2)


def test_notes_of_the_file_are_printed(init: Callable[..., str], tmp_path: Path) -> None:
    root = {"id": 0, "name": "cells", "supercategory": "none"}

    def change(content: dict[str, Any]) -> None:
        content["categories"] = [root, {"id": 1, "name": "cell", "supercategory": "cells"}]
        content["images"].append(content["images"][0] | {"id": 99})

    _mine(tmp_path, change)
    said = init()
    assert (
        "note: mine/train.json: category 0, 'cells', is the root of the others and has no annotation: left out" in said
    )
    assert "pictures that are listed twice, and count once: 1 (the first: p1.png, also image 99)" in said
    assert json.loads((tmp_path / "mine/train.json").read_bytes())["categories"][0] == root  # the file stays as it was
