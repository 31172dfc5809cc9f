"""Tests of the reader of CVAT's XML."""

from pathlib import Path

import numpy as np
import pytest
from support.export_folder import SIZE, Lost, box, check_objects, open_export, round_mask, write_picture

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.outline_reader import OutlineReader
from rsis.errors import UserError


def _polygon(label: str, left: int, top: int, right: int, bottom: int, more: str = "") -> str:
    points = f"{left}.00,{top}.00;{right}.00,{top}.00;{right}.00,{bottom}.00;{left}.00,{bottom}.00"
    return f'<polygon label="{label}" source="manual" occluded="0" points="{points}" z_order="0" {more}></polygon>'


def _image(name: str, *shapes: str, number: int = 0, size: tuple[int, int] = SIZE) -> str:
    return f'<image id="{number}" name="{name}" width="{size[1]}" height="{size[0]}">{"".join(shapes)}</image>'


def _open(root: Path, *images: str, lost: Lost | None = None) -> OutlineReader:
    head = "<version>1.1</version><meta><task><name>x</name></task></meta>"
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{head}{"".join(images)}</annotations>'
    (root / "annotations.xml").write_text(text, encoding="utf-8")
    arguments = ("cvat", "annotations.xml")
    return open_export(root, *arguments, on_missing=lost) if lost else open_export(root, *arguments)


def test_all_shapes(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/day1/a.png")
    write_picture(tmp_path / "images/b.png")
    write_picture(tmp_path / "images/c.png")
    reader = _open(
        tmp_path,
        _image(
            "day1\\a.png",
            _polygon("cat", 0, 0, 3, 2),
            '<mask label="dog" rle="1, 2, 3, 0, 0" left="13" top="9" width="3" height="2" z_order="0"/>',
            '<ellipse label=" cat" cx="8.5" cy="6" rx="4" ry="2" rotation="30" z_order="0"/>',
            '<tag label="bird"/>',
            '<box label="dog" xtl="1" ytl="1" xbr="3" ybr="3"/>',
            '<polyline label="dog" points="1,1;3,3;3,4"/>',
            '<points label="dog" points="1,1"/>',
            '<cuboid label="dog"/>',
            '<skeleton label="dog"><points label="eye" points="1,1"/></skeleton>',
            '<polygon label="dog" points="1,1;3,3"/>',
            '<polygon label="dog" points="1;2;3"/>',
            '<mask label="dog" rle="1, 2" left="13" top="9" width="3" height="2"/>',
            '<mask label="dog" rle="7, -1" left="13" top="9" width="3" height="2"/>',
            '<mask label="dog" rle="0, 90000" left="0" top="0" width="300" height="300"/>',
            '<ellipse label="dog" cx="x"/>',
        ),
        _image("b.png", number=1),
    )
    assert reader.image_ids == ("b.png", "day1/a.png")
    check_objects(reader.read("b.png"))
    mask = np.zeros(SIZE, bool)
    mask[9, 14:16] = True
    sample = reader.read("day1/a.png")
    check_objects(sample, (box(0, 0, 3, 2), 1), (mask, 2), (round_mask(8.5, 6, 4, 2, 30), 1))
    assert sample.dropped == ("box without outline", *["cannot be drawn"] * 10)


def test_mask_beyond_the_border_is_cut(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    mask = '<mask label="cat" rle="0, 16" left="{}" top="{}" width="4" height="4"/>'
    places = ((-2, -3), (14, 10), (-4, 0), (0, 12))
    sample = _open(tmp_path, _image("a.png", *(mask.format(*place) for place in places))).read("a.png")
    check_objects(sample, (box(0, 0, 2, 1), 1), (box(14, 10, 16, 12), 1))
    assert sample.dropped == ("empty mask", "empty mask")


def test_groups_are_one_object(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    shapes = (
        _polygon("cat", 0, 0, 2, 2, 'group_id="1"'),
        _polygon("cat", 4, 0, 6, 2, 'group_id="0"'),
        _polygon("cat", 4, 4, 6, 6, 'group_id="0"'),
        '<mask label="cat" rle="0, 4" left="10" top="2" width="2" height="2" group_id="1"/>',
    )
    sample = _open(tmp_path, _image("a.png", *shapes)).read("a.png")
    first = box(0, 0, 2, 2) | box(10, 2, 12, 4)
    check_objects(sample, (first, 1), (box(4, 0, 6, 2), 1), (box(4, 4, 6, 6), 1))


def test_picture_of_another_size_is_a_fault(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    with pytest.raises(BadSampleError, match=r"a.png: 12 x 16 pixels, annotations.xml says 9 x 16"):
        _open(tmp_path, _image("a.png", size=(9, 16))).read("a.png")


def test_missing_picture_is_lost(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    lost = Lost()
    reader = _open(tmp_path, _image("a.png"), _image("b.png", number=7), lost=lost)
    assert reader.image_ids == ("a.png",)
    assert len(lost.messages) == 1
    assert "image 7 names it" in lost.messages[0]


@pytest.mark.parametrize(
    ("images", "found"),
    [
        ((_image("a.png", _polygon("bird", 0, 0, 3, 2)),), "image 0: polygon 1: has the class 'bird'"),
        ((_image("a.png", "<points/>"),), "image 0: points 1: has no class"),
        ((_image("a.png"), _image("a.png", number=4)), "image 4: annotates the picture a.png, as image 0 does"),
        (("<track id='0' label='cat'><polygon/></track>",), 'export "CVAT for images 1.1" instead'),
        (("<image id='5'/>",), "image 5: 'name' is missing"),
        ((_image("a.png", '<box label="cat"/>'),), "1 of 1 annotations are boxes"),
        ((), "annotates no picture"),
        (("<image>",), "not valid XML"),
        (("<a>" * 100_000,), "not valid XML"),
        (("<a>" * 100_000 + "</a>" * 100_000,), "annotates no picture"),
        (("&lol;",), "not valid XML"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, images: tuple[str, ...], found: str) -> None:
    write_picture(tmp_path / "images/a.png")
    with pytest.raises(UserError, match=rf"^[^\n]*annotations.xml: [^\n]*{found}[^\n]*$") as caught:
        _open(tmp_path, *images)
    assert type(caught.value) is UserError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_definition_of_a_document_type_is_refused(tmp_path: Path, encoding: str) -> None:
    write_picture(tmp_path / "images/a.png")
    entities = "".join(f'<!ENTITY l{k + 1} "{f"&l{k};" * 10}">' for k in range(12))
    text = f'<!DOCTYPE lolz [<!ENTITY l0 "lol">{entities}]><annotations>&l12;</annotations>'
    (tmp_path / "annotations.xml").write_bytes(text.encode(encoding))
    with pytest.raises(UserError, match="has a DOCTYPE"):
        open_export(tmp_path, "cvat", "annotations.xml")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"\xff", b"<html></html>", b"{}"])
def test_other_files_are_one_line(tmp_path: Path, content: bytes | None) -> None:
    write_picture(tmp_path / "images/a.png")
    if content is not None:
        (tmp_path / "annotations.xml").write_bytes(content)
    with pytest.raises(UserError, match=r"^[^\n]*annotations.xml: [^\n]*$"):
        open_export(tmp_path, "cvat", "annotations.xml")
