"""Tests of the reader of YOLO's text files."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.export_folder import SIZE, Lost, box, check_objects, corners, flat, open_export, write_picture

from rsis.data.readers.base import BadSampleError, notes_of
from rsis.data.readers.outline_reader import OutlineReader
from rsis.errors import UserError


def _line(number: int | str, left: int, top: int, right: int, bottom: int, size: tuple[int, int] = SIZE) -> str:
    points = [[x / size[1], y / size[0]] for x, y in corners(left, top, right, bottom)]
    return " ".join(map(str, [number, *flat(points)]))


def _open(root: Path, lines: str | bytes = "", lost: Lost | None = None) -> OutlineReader:
    write_picture(root / "images/day1/a.png")
    (root / "labels/day1").mkdir(parents=True, exist_ok=True)
    content = lines if isinstance(lines, bytes) else lines.encode()
    (root / "labels/day1/a.txt").write_bytes(content)
    return open_export(root, "yolo", "labels", on_missing=lost) if lost else open_export(root, "yolo", "labels")


def test_lines_are_objects_and_a_picture_without_file_has_none(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/b.jpg")
    (tmp_path / "images/readme.txt").write_text("no picture")
    reader = _open(tmp_path, f"{_line(1, 2, 3, 6, 5)}\n\n  {_line('0.0', 8, 1, 16, 12)}\r\n")
    assert reader.class_names == ("cat", "dog")
    assert reader.image_ids == ("b.jpg", "day1/a.png")
    check_objects(reader.read("day1/a.png"), (box(2, 3, 6, 5), 2), (box(8, 1, 16, 12), 1))
    check_objects(pickle.loads(pickle.dumps(reader)).read("b.jpg"))
    assert reader.picture_of("day1/a.png") == (tmp_path / "images/day1/a.png", None)


def test_smaller_object_owns_the_pixels_and_reasons_are_counted(tmp_path: Path) -> None:
    lines = [
        _line(0, 0, 0, 8, 8),
        _line(1, 2, 2, 4, 4),
        _line(0, 2, 2, 4, 4),  # under the one before
        "0 0.5 0.5 0.1 0.1",
        "0 0.5 0.5",
        "0",
        "1 0.1 0.1 0.2 0.2 0.3 0.1 0.4",
        "1 nan 0.1 0.2 0.2 0.3 0.1",
        "1 0.1 0.1 9 0.2 0.3 0.1",
        _line(0, 20, 2, 24, 4),
    ]
    sample = _open(tmp_path, "\n".join(lines)).read("day1/a.png")
    check_objects(sample, (box(0, 0, 8, 8), 1), (box(2, 2, 4, 4), 2))
    bad = ["cannot be drawn"]
    assert list(sample.dropped) == ["hidden by others", "box without outline", *(bad * 5), "empty mask"]
    assert f"{tmp_path / 'labels/day1/a.txt'}: line 4 of day1/a.png: a box without outline" in sample.drop_details


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_all_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    sample = _open(tmp_path, _line(1, 2, 3, 6, 5).encode(encoding)).read("day1/a.png")
    check_objects(sample, (box(2, 3, 6, 5), 2))


@pytest.mark.parametrize("number", ["2", "-1", "cat", "0.5", "1e9", "nan", "9" * 400])
def test_unknown_class_is_named(tmp_path: Path, number: str) -> None:
    with pytest.raises(UserError, match=r"a.txt: line 2: has the class '.*; expected a number from 0 to 1") as caught:
        _open(tmp_path, f"{_line(0, 0, 0, 2, 2)}\n{_line(number, 2, 3, 6, 5)}")
    assert type(caught.value) is UserError


@pytest.mark.parametrize(("lines", "found"), [("0 0.1 x 0.2 0.3 0.4 0.5", "line 1: 'x'"), (b"0 \xff", "byte 2")])
def test_broken_file_is_a_fault_of_its_picture(tmp_path: Path, lines: str | bytes, found: str) -> None:
    write_picture(tmp_path / "images/b.png")
    reader = _open(tmp_path, lines)
    check_objects(reader.read("b.png"))
    with pytest.raises(BadSampleError, match=rf"^[^\n]*a.txt: {found}[^\n]*$"):
        reader.read("day1/a.png")


def test_boxes_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="labels: 2 of 2 annotations are boxes without outlines"):
        _open(tmp_path, "0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.1")


def test_label_without_picture_is_lost_but_for_lists(tmp_path: Path) -> None:
    lost = Lost()
    (tmp_path / "labels").mkdir()
    for name in ("classes.txt", "notes.txt", "c.txt"):
        (tmp_path / "labels" / name).write_text("cat\ndog\n")
    reader = _open(tmp_path, "", lost)
    assert [message.partition(":")[0] for message in lost.messages] == [str(tmp_path / "labels/c.txt")]
    assert (reader.image_ids, notes_of(reader)) == (("day1/a.png",), ())
    with pytest.raises(UserError, match=r"c.txt: has no picture of that name"):
        _open(tmp_path)


@pytest.mark.parametrize(("annotations", "images"), [("nowhere", "images"), ("labels", "nowhere"), ("empty", "images")])
def test_folders_without_labels_are_refused(tmp_path: Path, annotations: str, images: str) -> None:
    _open(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"^[^\n]*(no such folder|no label file)[^\n]*$"):
        open_export(tmp_path, "yolo", annotations, images)


@pytest.mark.parametrize("annotated", ["upright", "stored"])
def test_fractions_are_of_the_frame_of_the_annotations(tmp_path: Path, annotated: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by a quarter
    stored = np.zeros((*SIZE, 3), np.uint8)
    (tmp_path / "images").mkdir()
    Image.fromarray(stored).save(tmp_path / "images/a.jpg", exif=exif)
    (tmp_path / "labels").mkdir()
    shown = SIZE if annotated == "stored" else SIZE[::-1]
    (tmp_path / "labels/a.txt").write_text(_line(0, 1, 2, 4, 7, shown))
    sample = open_export(tmp_path, "yolo", "labels", annotated=annotated).read("a.jpg")
    drawn = box(1, 2, 4, 7, shown)
    check_objects(sample, (np.rot90(drawn, -1) if annotated == "stored" else drawn, 1))
    assert sample.frame_is_assumed


def test_shares_divide_the_pictures(tmp_path: Path) -> None:
    for number in range(10):
        write_picture(tmp_path / f"images/{number}.png")
    _open(tmp_path)
    parts = [
        set(
            open_export(
                tmp_path,
                "yolo",
                "labels",
                splits={"train": {"annotations": "labels", "images": "images", "share": share}},
            ).image_ids
        )
        for share in ((0.0, 0.5), (0.5, 1.0))
    ]
    assert [len(part) for part in parts] == [5, 6]
    assert not parts[0] & parts[1]
