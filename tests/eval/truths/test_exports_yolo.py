"""Tests of the truth of YOLO's segmentation text."""

from pathlib import Path

import numpy as np
import pytest
from support.export_truth import block, draw_pictures, expected, load, objects_of

from rsis.errors import UserError
from rsis.machine.pool import map_in_processes

RECTANGLE = "0.25 0 0.75 0 0.75 0.5 0.25 0.5"  # columns 2 to 5, rows 0 to 2 of 6 x 8 pixels
CLASSES = ("cat", "dog")


def label(root: Path, name: str, *lines: str, encoding: str = "utf-8") -> None:
    path = root / "annotations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding=encoding)


def test_a_line_is_an_object_and_a_picture_without_label_file_has_none(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "day1/a.png", "day1/b.jpg", "c.png")
    label(tmp_path, "day1/a.txt", f"1 {RECTANGLE}", "", "0.0 0 0 0.25 0 0.25 1 0 1", encoding="utf-16")
    label(tmp_path, "c.txt", "")
    label(tmp_path, "classes.txt", "cat", "dog")
    truth = load(tmp_path, "yolo", classes=CLASSES)
    assert truth.image_ids == ("c.png", "day1/a.png", "day1/b.jpg")
    assert truth.class_names == CLASSES
    assert truth.image_path("day1/a.png") == tmp_path / "images/day1/a.png"
    assert truth.size("day1/a.png") == (6, 8)
    one, two = block((0, 3), (2, 6)), block((0, 6), (0, 2))
    assert objects_of(truth, "day1/a.png") == expected(("dog", one), ("cat", two))
    assert np.array_equal(truth.instance_map("day1/a.png"), np.where(two, 2, np.where(one, 1, 0)))
    assert not truth.ignore_mask("day1/a.png").any()
    assert truth.annotations("day1/b.jpg") == truth.annotations("c.png") == ()


def test_of_overlapping_objects_the_smaller_keeps_the_pixels(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png")
    label(tmp_path, "a.txt", "0 0.25 0 1 0 1 0.5 0.25 0.5", "0 0 0 0.5 0 0.5 0.5 0 0.5", "0 0 0 0.5 0 0.5 0.5 0 0.5")
    numbers = load(tmp_path, "yolo").instance_map("a.png")
    assert numbers.dtype == np.int32
    assert numbers.tolist() == [[2, 2, 2, 2, 1, 1, 1, 1]] * 3 + [[0] * 8] * 3  # of two of one size, the earlier


@pytest.mark.parametrize(
    "line",
    [
        "0 0.5 0.5 0.2 0.2",  # a box
        "0 0.1 0.1 0.2 0.2 0.9",  # five numbers
        "0 0.1 0.1",
        "0",
        "0 0.1 0.1 0.2 0.2 0.9 nan",
        "0 0.1 0.1 0.2 0.2 0.9 1e300",
        "0 0.1 0.1 0.2 0.2 0.9 -9",
        "0 1.2 1.2 1.4 1.2 1.4 1.4",  # outside of the picture
    ],
)
def test_what_cannot_be_drawn_costs_only_its_object(tmp_path: Path, line: str) -> None:
    draw_pictures(tmp_path, "a.png")
    label(tmp_path, "a.txt", line, f"0 {RECTANGLE}")
    assert objects_of(load(tmp_path, "yolo"), "a.png") == expected(("object", block((0, 3), (2, 6))))


@pytest.mark.parametrize("annotated", ["upright", "stored"])
def test_fractions_are_of_the_frame_of_annotated(tmp_path: Path, annotated: str) -> None:
    draw_pictures(tmp_path, "a.jpg", size=(6, 8), orientation=6)  # shown turned to the right, as 8 x 6 pixels
    label(tmp_path, "a.txt", "0 0 0 0.5 0 0.5 0.5 0 0.5")  # the top left quarter
    truth = load(tmp_path, "yolo", annotated=annotated)
    assert truth.size("a.jpg") == (8, 6)
    quarter = block((0, 4), (0, 3) if annotated == "upright" else (3, 6), size=(8, 6))
    assert objects_of(truth, "a.jpg") == expected(("object", quarter))


def test_boxes_alone_are_refused_with_their_number(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", "b.png")
    label(tmp_path, "a.txt", "0 0.5 0.5 0.2 0.2", "0 0.4 0.5 0.2 0.2")
    label(tmp_path, "b.txt", "0 0.5 0.5 0.2 0.2")
    with pytest.raises(UserError, match=r"annotations: 3 of 3 annotations are boxes without outlines; export"):
        load(tmp_path, "yolo")
    label(tmp_path, "b.txt", f"0 {RECTANGLE}")
    truth = load(tmp_path, "yolo")
    assert [len(truth.annotations(image_id)) for image_id in truth.image_ids] == [0, 1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.1 x 0.2 0.2 0.9 0.9", r"a\.txt: line 2 has 'x'; expected numbers"),
        ("cat 0.1 0.2", r"a\.txt: line 2 has 'cat'; expected numbers"),
        ("2 0.1 0.1 0.2 0.2 0.9 0.9", r"a\.txt: line 2 is of class '2'; expected 0 to 1"),
        ("-1 0.1 0.1 0.2 0.2 0.9 0.9", r"line 2 is of class '-1'"),
        ("0.5 0.1 0.1 0.2 0.2 0.9 0.9", r"line 2 is of class '0\.5'"),
        ("nan 0.1 0.1 0.2 0.2 0.9 0.9", r"line 2 is of class 'nan'"),
    ],
)
def test_faults_name_the_line_when_the_picture_is_read(tmp_path: Path, line: str, message: str) -> None:
    draw_pictures(tmp_path, "a.png", "b.png")
    label(tmp_path, "a.txt", f"0 {RECTANGLE}", line)
    truth = load(tmp_path, "yolo", classes=CLASSES)
    assert truth.annotations("b.png") == ()
    with pytest.raises(UserError, match=message) as caught:
        truth.annotations("a.png")
    assert str(caught.value).startswith(str(tmp_path / "annotations"))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png")
    label(tmp_path, "a.txt", "")
    (tmp_path / "annotations/a.txt").write_bytes(b"\x000 0.1\xff")
    with pytest.raises(UserError, match=r"a\.txt: byte 6 is not utf-8"):
        load(tmp_path, "yolo").annotations("a.png")


def test_files_and_folders_that_are_missing(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png")
    with pytest.raises(UserError, match=r"annotations: no such folder; correct annotations of the split"):
        load(tmp_path, "yolo")
    label(tmp_path, "z.txt", f"0 {RECTANGLE}")
    with pytest.raises(UserError, match=r"z\.txt: has no picture of its name in .*images; add it, or remove"):
        load(tmp_path, "yolo")
    assert load(tmp_path, "yolo", skip_bad=True).image_ids == ("a.png",)
    (tmp_path / "images/a.png").rename(tmp_path / "images/z.md")
    with pytest.raises(UserError, match=r"found no annotated picture in .*images; expected one at least"):
        load(tmp_path, "yolo", skip_bad=True)


def test_shares_divide_the_pictures_and_workers_read_them(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(5)]
    draw_pictures(tmp_path, *names)
    for number, _ in enumerate(names):
        label(tmp_path, f"{number}.txt", f"0 {RECTANGLE}")
    parts = [load(tmp_path, "yolo", split={"share": share, "seed": 3}) for share in ((0.0, 0.4), (0.4, 1.0))]
    assert [len(part.image_ids) for part in parts] == [2, 3]
    assert sorted(parts[0].image_ids + parts[1].image_ids) == names
    elsewhere = list(map_in_processes(parts[0].annotations, parts[0].image_ids, 2))
    assert elsewhere == [parts[0].annotations(image_id) for image_id in parts[0].image_ids]
