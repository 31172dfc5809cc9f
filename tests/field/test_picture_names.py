"""Pictures are found by the names that annotation tools write, and doubt ends in one line."""

import os
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from PIL import Image
from support.coco_case import SIZE, by_reader, dataset, document, read_alike, write
from support.own_folders import write_maps

from rsis.data.readers.base import notes_of
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.truths.open import load_ground_truth
from rsis.files.manifest import write_manifest
from rsis.own_data.recognize import recognize
from rsis.splits.pictures import PictureFiles


def _named(*names: str) -> dict[str, Any]:
    content = document(images=len(names))
    for image, name in zip(content["images"], names, strict=True):
        image["file_name"] = name
    return content


@pytest.mark.parametrize(
    ("written", "file"),
    [
        ("images\\a 1.png", "images/a 1.png"),
        ("images/a%201.png", "images/a 1.png"),
        ("images%2Fa%201.png", "images/a 1.png"),
        ("a%20b.png", "a%20b.png"),
        ("..\\..\\label-studio\\media\\upload\\4\\a.png", "images/a.png"),
        ("/data/upload/4/1a2b3c4d-a.png", "a.png"),
        ("images/1a2b3c4d-a.png", "images/a.png"),
        ("1a2b3c4d-a.png", "1a2b3c4d-a.png"),
        ("/data/local-files/?d=pictures/a.png", "a.png"),
        ("/home/mia/project/day1/a.png", "day1/a.png"),
        ("C:\\Users\\mia\\day1\\a.png", "day1/a.png"),
        ("s3://bucket/a.png", "a.png"),
        ("IMG_1.PNG", "img_1.png"),
        ("Blüte.png", "Blu\u0308te.png"),
        ("Blu\u0308te/1.png", "Blüte/1.png"),
        ("./a.png", "a.png"),
    ],
)
def test_a_name_finds_its_file(tmp_path: Path, written: str, file: str) -> None:
    content = _named(written, "other.png")
    write(tmp_path, content, pictures=(file, "other.png", "day2/b.png"))
    found = read_alike(dataset(), tmp_path)
    assert found[written][0] == [1, 1]  # the id of the image stays as written
    truth = load_ground_truth(dataset(), tmp_path, "train")
    assert truth.image_path(written) == tmp_path / "train" / file
    notes = notes_of(open_split(dataset(), tmp_path, "train"))
    assert bool(notes) == (normalize("NFC", written.removeprefix("./")) != normalize("NFC", file))


def test_of_several_files_the_one_with_the_same_folders_counts(tmp_path: Path) -> None:
    names = ("/far/day1/a.png", "/far/day2/a.png")
    write(tmp_path, _named(*names), pictures=("day1/a.png", "day2/a.png"))
    truth = load_ground_truth(dataset(), tmp_path, "train")
    found = [truth.image_path(name).relative_to(tmp_path / "train").as_posix() for name in names]
    assert found == ["day1/a.png", "day2/a.png"]
    assert set(by_reader(dataset(), tmp_path)) == {"classes", *names}


def test_doubt_about_a_picture_is_said(tmp_path: Path) -> None:
    write(tmp_path / "two", _named("x/a.png"), pictures=("day1/a.png", "day2/a.png"))
    error = by_reader(dataset(), tmp_path / "two")["error"]
    assert "images[0]: file_name 'x/a.png' could be day1/a.png or day2/a.png in " in error
    write(tmp_path / "one", _named("day1/a.png", "day2/a.png"), pictures=("day1/a.png",))
    error = by_reader(dataset(), tmp_path / "one")["error"]
    assert "file_name 'day2/a.png' is found as" in error
    assert "which is 'day1/a.png' too; add its own picture" in error
    write(tmp_path / "gone", _named("day2/b.png", "day2/a.png"), pictures=("day1/a.png", "day2/b.png"))
    assert "day2/a.png: no such file" in by_reader(dataset(), tmp_path / "gone")["error"]  # day1/a.png is another
    reader = open_split(dataset(), tmp_path / "one", "train", lambda *_: None)
    assert reader.image_ids == ("day1/a.png",)
    write(tmp_path / "none", _named("..", "/", "a" * 3000), pictures=("b.png",))
    assert "no such file" in by_reader(dataset(), tmp_path / "none")["error"]


def test_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    store = tmp_path / "store"
    write(store, document(images=4))
    mine = tmp_path / "mine"
    (mine / "annotations").mkdir(parents=True)
    (store / "train.json").rename(mine / "annotations/all.json")
    (mine / "pictures").symlink_to("../store/train")
    (mine / "again").symlink_to(".")
    (store / "train/back").symlink_to("../../mine")
    os.mkfifo(mine / "pipe.json")
    found = recognize(mine)
    assert dict(found.splits["train"])["images"] == "pictures"
    assert list(write_manifest(tmp_path / "raw", "mine", mine).files) == [
        "annotations/all.json",
        *(f"pictures/p{number}.png" for number in (1, 2, 3, 4)),
    ]


def test_pictures_in_folders_that_the_file_does_not_know(tmp_path: Path) -> None:
    names = [f"..\\..\\media\\upload\\4\\1a2b3c4{number}-p.png" for number in range(4)]
    write(tmp_path, _named(*names), pictures=())
    (tmp_path / "train.json").rename(tmp_path / "result.json")
    for number in range(4):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("RGB", SIZE[::-1]).save(tmp_path / f"images/1a2b3c4{number}-p.png")
    section = recognize(tmp_path).splits["train"]
    assert PictureFiles(tmp_path / section["images"]).find(names[1]) == (
        tmp_path / section["images"] / "images/1a2b3c41-p.png",
    )


def test_a_name_that_is_not_utf8_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    write_maps(tmp_path / "cells", ["a", "b", "c"])
    for part in ("images", "labels"):
        folder = os.fsencode(tmp_path / "cells" / part)
        os.rename(folder + b"/b.png", folder + b"/z\xe4hl.png")  # noqa: PTH104 - paths of bytes
    for read in (recognize, lambda folder: write_manifest(tmp_path / "raw", "cells", folder)):
        with pytest.raises(
            UserError, match=r"cells/\w+: the name z\\xe4hl\.png in it is not UTF-8; rename it"
        ) as caught:
            read(tmp_path / "cells")
        assert str(caught.value).isprintable()
    assert not (tmp_path / "raw").exists()
