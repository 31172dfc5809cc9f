"""Tests of the reader of LabelMe's JSON files."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.export_folder import SIZE, Lost, box, check_objects, corners, open_export, round_mask, write_picture

from rsis.data.readers.base import BadSampleError, notes_of
from rsis.errors import UserError


def _shape(label: Any, points: Any, kind: str | None = "polygon", group: Any = None, **keys: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, "group_id": group, "flags": {}, **keys}


def _write(path: Path, *shapes: Any, **keys: Any) -> None:
    content = {
        "version": "5.4.1",
        "imagePath": f"{path.stem}.png",
        "imageHeight": SIZE[0],
        "imageWidth": SIZE[1],
        "imageData": None,
        "shapes": shapes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**content, **keys}))


def _png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()


def test_all_shapes(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    pixels = np.array([[0, 255, 1], [255, 0, 255]], np.uint8)
    mask = np.zeros(SIZE, bool)
    mask[9:11, 12:15] = pixels > 0
    _write(
        tmp_path / "a.json",
        _shape("cat", corners(0, 0, 3, 2)),
        _shape("dog", [[6, 5], [4, 1]], "rectangle"),
        _shape(" cat ", [[10.5, 3], [10.5, 5.5]], "circle"),
        _shape("dog", [[12, 9], [14, 10]], "mask", mask=_png(pixels)),
        _shape("dog", [[1, 1], [2, 2]], "line"),
        _shape("dog", [[1, 1]], "point"),
        _shape("dog", [[1, 1], [2, 2]]),
        _shape("dog", [[12, 9], [13, 10]], "mask", mask=_png(pixels)),
        _shape("dog", [[12, 9], [14, 10]], "mask", mask="%%"),
        _shape("dog", [[1, 1], [1]]),
        _shape("dog", 5),
    )
    sample = open_export(tmp_path, "labelme", ".", ".").read("a.png")
    circle = round_mask(10.5, 3, 2.5, 2.5)
    check_objects(sample, (box(0, 0, 3, 2), 1), (box(4, 1, 6, 5), 2), (circle, 1), (mask, 2))
    assert sample.dropped == ("cannot be drawn",) * 7
    assert f"{tmp_path / 'a.json'}: shapes[7] of a.png: a mask of [2, 3] in a box of [2, 2]" in sample.drop_details


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_alpha_of_a_mask_does_not_count(tmp_path: Path, channels: int) -> None:
    write_picture(tmp_path / "a.png")
    pixels = np.zeros((2, 3, channels), np.uint8)
    pixels[1, :, 0] = 9
    if channels != 3:
        pixels[..., -1] = 255
    _write(tmp_path / "a.json", _shape("dog", [[12, 9], [14, 10]], "mask", mask=_png(pixels)))
    check_objects(open_export(tmp_path, "labelme", ".", ".").read("a.png"), (box(12, 10, 15, 11), 2))


def test_groups_are_one_object_at_the_first(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    _write(
        tmp_path / "a.json",
        _shape("cat", corners(0, 0, 2, 2), group=1),
        _shape("dog", corners(4, 0, 6, 2), group=1),
        _shape("cat", corners(8, 0, 10, 2)),
        _shape("cat", corners(0, 6, 2, 8), group=1),
        _shape("cat", corners(8, 8, 10, 10)),
        _shape("dog", corners(12, 0, 14, 2), group=2),
        _shape("dog", [[1, 1]], "point", group=2),
    )
    sample = open_export(tmp_path, "labelme", ".", ".").read("a.png")
    first = box(0, 0, 2, 2) | box(0, 6, 2, 8)
    check_objects(sample, (first, 1), (box(4, 0, 6, 2), 2), (box(8, 0, 10, 2), 1), (box(8, 8, 10, 10), 1))
    assert sample.dropped == ("cannot be drawn",)


def test_early_versions_and_other_files(tmp_path: Path) -> None:
    for name in "abcdefg":
        write_picture(tmp_path / f"{name}.png")
    content = {"shapes": [{"label": 7, "points": corners(0, 0, 3, 2)}], "imagePath": "a.png", "lineColor": [0, 255, 0]}
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8-sig")
    (tmp_path / "package.json").write_text('{"name": "other"}')
    reader = open_export(tmp_path, "labelme", ".", ".", classes=("7",))
    assert reader.image_ids == ("a.png",)
    check_objects(reader.read("a.png"), (box(0, 0, 3, 2), 1))
    assert notes_of(reader) == (
        f"{tmp_path}: JSON files without shapes, which are passed by: 1 (the first: package.json)",
        f"{tmp_path}: pictures without annotations yet, which are left out: 6 (the first: b.png, c.png, d.png, e.png, "
        "f.png, ...)",
    )


@pytest.mark.parametrize(
    ("written", "picture"),
    [
        ("../images/day2/x.png", "images/day2/x.png"),
        ("..\\images\\day2\\x.png", "images/day2/x.png"),
        ("C:\\Users\\mia\\x.png", "images/x.png"),
        ("/home/mia/day2/x.png", "images/day2/x.png"),
        ("y" * 300 + "/x.png", "images/day2/x.png"),
        ("x.png", "images/day1/x.png"),  # of two, that of the same folder
    ],
)
def test_finds_the_picture_that_image_path_means(tmp_path: Path, written: str, picture: str) -> None:
    write_picture(tmp_path / picture)
    write_picture(tmp_path / "images/day9/x.png") if written == "x.png" else None
    _write(tmp_path / "labels/day1/a.json", _shape("dog", corners(0, 0, 3, 2)), imagePath=written)
    reader = open_export(tmp_path, "labelme", "labels")
    assert reader.image_ids == (picture.removeprefix("images/"),)
    assert reader.picture_of(reader.image_ids[0])[0] == tmp_path / picture
    check_objects(reader.read(reader.image_ids[0]), (box(0, 0, 3, 2), 2))


def test_picture_of_another_name_is_that_beside_the_file(tmp_path: Path) -> None:
    write_picture(tmp_path / "day1/a.png")
    _write(tmp_path / "day1/a.json", _shape("dog", corners(0, 0, 3, 2)), imagePath="before.png")
    assert open_export(tmp_path, "labelme", ".", ".").image_ids == ("day1/a.png",)


def test_picture_inside_the_file(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)
    _write(tmp_path / "labels/day1/a.json", _shape("dog", corners(0, 0, 3, 2)), imageData=_png(pixels))
    reader = open_export(tmp_path, "labelme", "labels")
    assert reader.image_ids == ("day1/a.json",)
    assert reader.picture_of("day1/a.json")[0] == tmp_path / "labels/day1/a.json"
    sample = reader.read("day1/a.json")
    check_objects(sample, (box(0, 0, 3, 2), 2))
    np.testing.assert_array_equal(sample.image, pixels)


def test_picture_that_is_not_below_the_folder_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_picture(tmp_path / "other/a.png")
    write_picture(tmp_path / "labels/day1/a.png")
    _write(tmp_path / "labels/day1/a.json", imagePath="../../other/a.png")
    reader = open_export(tmp_path, "labelme", "labels")  # that beside the file
    assert reader.image_ids == ("day1/a.png",)
    assert reader.picture_of("day1/a.png")[0] == tmp_path / "labels/day1/a.png"


def test_missing_picture_is_lost(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/b.png")
    _write(tmp_path / "labels/a.json")
    _write(tmp_path / "labels/b.json")
    lost = Lost()
    assert open_export(tmp_path, "labelme", "labels", on_missing=lost).image_ids == ("b.png",)
    assert [message.partition(":")[0] for message in lost.messages] == [str(tmp_path / "images/a.png")]
    with pytest.raises(UserError, match=r"a.png: no such file, but .*a.json: imagePath names it"):
        open_export(tmp_path, "labelme", "labels")


def test_two_files_of_one_picture_are_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    _write(tmp_path / "a.json")
    _write(tmp_path / "b.json", imagePath="a.png")
    with pytest.raises(UserError, match=r"b.json: annotates the picture a.png, as .*a.json does"):
        open_export(tmp_path, "labelme", ".", ".")


@pytest.mark.parametrize("label", ["bird", "", None, [1], {"a": 1}, True, "\ud800"])
def test_unknown_class_is_named(tmp_path: Path, label: Any) -> None:
    write_picture(tmp_path / "a.png")
    _write(tmp_path / "a.json", _shape("cat", corners(0, 0, 3, 2)), _shape(label, [[1, 1]], "point"))
    with pytest.raises(UserError, match=r"^[^\n]*a.json: shapes\[1\]: [^\n]*$") as caught:
        open_export(tmp_path, "labelme", ".", ".")
    assert type(caught.value) is UserError


@pytest.mark.parametrize("size", [(6, 16), (12, "x"), (12.5, 16)])
def test_size_that_is_not_the_pictures_is_its_fault(tmp_path: Path, size: Any) -> None:
    write_picture(tmp_path / "a.png")
    _write(tmp_path / "a.json", imageHeight=size[0], imageWidth=size[1])
    with pytest.raises(
        BadSampleError, match=r"^[^\n]*(a.png: 12 x 16 pixels, a.json says 6 x 16|a.json: image)[^\n]*$"
    ):
        open_export(tmp_path, "labelme", ".", ".").read("a.png")


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"shapes": 5}', b'{"shapes": [5]}', b"[" * 100_000])
def test_broken_file_is_a_fault_of_the_picture_of_its_name(tmp_path: Path, content: bytes) -> None:
    for name in "ab":
        write_picture(tmp_path / f"{name}.png")
        _write(tmp_path / f"{name}.json", _shape("dog", corners(0, 0, 3, 2)))
    (tmp_path / "a.json").write_bytes(content)
    reader = open_export(tmp_path, "labelme", ".", ".")
    check_objects(reader.read("b.png"), (box(0, 0, 3, 2), 2))
    with pytest.raises(BadSampleError, match=r"^[^\n]*a.json: [^\n]*$"):
        reader.read("a.png")
    (tmp_path / "a.png").unlink()
    with pytest.raises(UserError, match=r"^[^\n]*a.json: [^\n]*$") as caught:
        open_export(tmp_path, "labelme", ".", ".")
    assert type(caught.value) is UserError


def test_folder_without_annotations_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    with pytest.raises(UserError, match="annotates no picture"):
        open_export(tmp_path, "labelme", ".", ".")


def test_mask_that_was_moved_lies_where_labelme_draws_it(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    moved = _shape("cat", [[3.6, 2.4], [6.6, 4.4]], "mask", mask=_png(np.full((3, 4), 255, np.uint8)))
    _write(tmp_path / "a.json", moved)
    check_objects(open_export(tmp_path, "labelme", ".", ".").read("a.png"), (box(3, 2, 7, 5), 1))


def test_outline_that_would_take_all_memory_costs_its_object(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", (1000, 1000))
    there_and_back = [[-2000 + x / 100, 4000 * (x % 2) - 1000] for x in range(5000)]
    _write(tmp_path / "a.json", _shape("cat", there_and_back), _shape("cat", corners(0, 0, 9, 9)), imageHeight=None)
    sample = open_export(tmp_path, "labelme", ".", ".").read("a.png")
    assert sample.dropped == ("cannot be drawn",)
    assert "more than 16777216 pixels around it" in sample.drop_details[0]
    check_objects(sample, (box(0, 0, 9, 9, (1000, 1000)), 1))
