"""Tests of the truth of "CVAT for images 1.1"."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.export_truth import around, block, draw_pictures, expected, filled, load, objects_of

from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth
from rsis.machine.pool import map_in_processes

SQUARE = '<polygon label="cat" source="manual" occluded="0" points="1.00,1.00;4.00,1.00;4.00,4.00;1.00,4.00"/>'
OTHER = '<polygon label="dog" points="5,0;8,0;8,2;5,2" z_order="9"/>'
BOX = '<box label="cat" xtl="1" ytl="1" xbr="4" ybr="4"/>'
META = "<version>1.1</version><meta><task><labels><label><name>cat</name></label></labels></task></meta>"


def image(*shapes: str, name: str = "a.png", size: tuple[Any, int] = (6, 8)) -> str:
    return f'<image id="0" name="{name}" width="{size[1]}" height="{size[0]}">{"".join(shapes)}</image>'


def write(root: Path, *images: str, encoding: str = "utf-8") -> Path:
    path = root / "annotations.xml"
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<annotations>{META}{"".join(images)}</annotations>'
    path.write_text(text, encoding=encoding)
    return path


def cvat(root: Path, **keys: Any) -> GroundTruth:
    return load(root, "cvat", "annotations.xml", **{"classes": ("cat", "dog"), **keys})


def test_every_kind_of_shape(tmp_path: Path) -> None:
    size = (20, 24)
    draw_pictures(tmp_path, "day1/a.png", "b.png", "other.png", size=size)
    write(
        tmp_path,
        image(
            '<tag label="blurred"/>',
            '<polygon label="dog" points="1,1;4,1;4,4;1,4"><attribute name="age">3</attribute></polygon>',
            '<mask label="cat" rle="1, 3, 1, 1" left="22" top="18" width="3" height="2" z_order="1"/>',
            '<ellipse label="cat" cx="10" cy="9.5" rx="7" ry="3" rotation="30"/>',
            '<ellipse label=" dog " cx="19" cy="4" rx="3" ry="2"/>',
            '<box label="cat" xtl="1" ytl="1" xbr="4" ybr="4"/>',
            *(f'<{tag} label="cat" points="1,1;4,1;4,4;1,4"/>' for tag in ("polyline", "points", "cuboid")),
            '<skeleton label="cat"><points label="tail" points="1,1"/></skeleton>',
            name="day1\\a.PNG",
            size=size,
        ),
        image(name="b.png", size=size),
        encoding="utf-16",
    )
    truth = cvat(tmp_path)
    assert truth.image_ids == ("b.png", "day1/a.png")
    assert truth.annotations("b.png") == ()
    assert truth.image_path("day1/a.png") == tmp_path / "images/day1/a.png"
    spots = np.zeros(size, bool)
    spots[18, 23] = spots[19, 22] = True  # of a box that reaches over the edge
    assert objects_of(truth, "day1/a.png") == expected(
        ("dog", block((1, 4), (1, 4), size)),
        ("cat", spots),
        ("cat", filled(around(10, 9.5, 7, 3, 30), size)),
        ("dog", filled(around(19, 4, 3, 2), size)),
    )
    elsewhere = list(map_in_processes(truth.annotations, truth.image_ids, 2))
    assert elsewhere == [truth.annotations(image_id) for image_id in truth.image_ids]


def test_shapes_of_one_label_and_group_are_one_object_at_the_first(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", "b.png")
    grouped = [shape.replace("<polygon", '<polygon group_id="2"') for shape in (SQUARE, OTHER)]
    dot = '<polygon label="cat" points="0,0;1,0;1,1;0,1" group_id="2"/>'
    alone = [shape.replace("<polygon", '<polygon group_id="0"') for shape in (SQUARE, SQUARE)]
    lost = [shape.replace("label", 'group_id="7" label') for shape in (SQUARE, BOX)]
    write(tmp_path, image(*grouped, dot, *alone), image(*grouped[:1], *lost, name="b.png"))
    truth = cvat(tmp_path)
    square = ("cat", block((1, 4), (1, 4)))
    joined = ("cat", square[1] | block((0, 1), (0, 1)))
    assert objects_of(truth, "a.png") == expected(joined, ("dog", block((0, 2), (5, 8))), square, square)
    assert objects_of(truth, "b.png") == expected(square)  # the box has cost the object of group 7


@pytest.mark.parametrize(
    "wrong",
    [
        '<polygon label="cat" points="1,1;4,1"/>',
        '<polygon label="cat" points="1,1;4,x;4,4"/>',
        '<polygon label="cat" points="1,1;4;4,4"/>',
        '<polygon label="cat" points="1,1;4,1;4,nan"/>',
        '<polygon label="cat" points="1,1;4,1;4,1e300"/>',
        '<polygon label="cat"/>',
        '<ellipse label="cat" cx="2" cy="2" rx="inf" ry="1"/>',
        '<ellipse label="cat" cx="2" cy="2" rx="1"/>',
        '<mask label="cat" rle="1, 2" left="1" top="1" width="2" height="2"/>',
        '<mask label="cat" rle="-1, 5" left="1" top="1" width="2" height="2"/>',
        '<mask label="cat" rle="1, x" left="1" top="1" width="1" height="2"/>',
        '<mask label="cat" rle="" left="1" top="1" width="0" height="0"/>',
        '<mask label="cat" rle="0, 4" left="1.5" top="1" width="2" height="2"/>',
        '<mask label="cat" rle="0, 1000000000000" left="0" top="0" width="1000000" height="1000000"/>',
        '<mask label="cat" rle="99999999999999999999" left="0" top="0" width="1" height="1"/>',
        '<mask label="cat" rle="9223372036854775807, 2, 9223372036854775807" left="0" top="0" width="1" height="1"/>',
        '<mask label="cat" rle="4" left="1" top="1" width="2" height="2"/>',
        '<mask label="cat" rle="0, 4" left="-3" top="1" width="2" height="2"/>',
    ],
)
def test_what_cannot_be_drawn_costs_only_its_object(tmp_path: Path, wrong: str) -> None:
    draw_pictures(tmp_path, "a.png")
    write(tmp_path, image(wrong, OTHER))
    assert objects_of(cvat(tmp_path), "a.png") == expected(("dog", block((0, 2), (5, 8))))


def test_boxes_alone_are_refused_with_their_number(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", "b.png")
    write(tmp_path, image(BOX, BOX), image(BOX, name="b.png"))
    with pytest.raises(UserError, match=r"annotations\.xml: 3 of 3 annotations are boxes without outlines"):
        cvat(tmp_path)


def test_the_size_that_is_written_tells_the_frame(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.jpg", orientation=6)  # stored 6 x 8, shown 8 x 6
    corner = '<polygon label="cat" points="0,0;2,0;2,1;0,1"/>'
    for size, shown in (((8, 6), block((0, 1), (0, 2), (8, 6))), ((6, 8), block((0, 2), (5, 6), (8, 6)))):
        write(tmp_path, image(corner, name="a.jpg", size=size))
        assert objects_of(cvat(tmp_path), "a.jpg") == expected(("cat", shown))
    write(tmp_path, image(corner, name="a.jpg", size=(7, 7)))
    with pytest.raises(UserError, match=r"annotations\.xml: says that a\.jpg has \(7, 7\) pixels .* has \(8, 6\);"):
        cvat(tmp_path).annotations("a.jpg")


BILLION = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><annotations>&c;</annotations>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotations>", r"not valid XML \(no element found"),
        ("<annotations>" + "<a>" * 100_000, r"not valid XML"),
        ("", r"not valid XML"),
        (BILLION, r"has a DOCTYPE, whose entities can fill the memory; remove it"),
        ("<annotation><filename>a.png</filename></annotation>", r"begins with <annotation>; expected <annotations>"),
        ('<annotations><track id="0"/></annotations>', r'has a <track>.*export "CVAT for images 1\.1" instead'),
        ("<annotations><image/></annotations>", r"<image> 1: name is missing"),
        (f"<annotations>{image(name='&#10;')}</annotations>", r"<image> 1: name is '\\n', but expected the name"),
        (f"<annotations>{image(size=('tall', 8))}</annotations>", r"<image> 1: height is 'tall', but expected a whole"),
        (f"<annotations>{image(name='b.png')}</annotations>", r"names 'b\.png'; found no such picture in .*images"),
        (f"<annotations>{image()}{image(name='A.PNG')}</annotations>", r"lists the picture a\.png twice; expected it"),
        ("<annotations/>", r"found no annotated picture in .*images; expected one at least"),
        (f"<annotations>{image(OTHER, SQUARE.replace('cat', 'cow'))}</annotations>",
         r"shape 2 of 'a\.png', a polygon, is of class 'cow'; expected one of cat, dog"),
        (f"<annotations>{image(BOX.replace('cat', ''), OTHER)}</annotations>", r"shape 1 of 'a\.png', a box, has"),
    ],
)  # fmt: skip
def test_faults_of_the_file_are_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    draw_pictures(tmp_path, "a.png")
    write(tmp_path).write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        cvat(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "annotations.xml"))
    assert "\n" not in str(caught.value)


def test_missing_files_and_pictures(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"annotations\.xml: cannot read \(No such file"):
        cvat(tmp_path)
    draw_pictures(tmp_path, "a.png", "day/b.png", "night/b.png")
    write(tmp_path, image(OTHER), image(name="gone.png"), image(name="b.png"))
    assert cvat(tmp_path, skip_bad=True).image_ids == ("a.png",)
    write(tmp_path, image(OTHER), image(name="b.png"))
    with pytest.raises(UserError, match=r"names 'b\.png'; found 2 pictures of that name in .*images; expected one"):
        cvat(tmp_path)


def test_runs_of_very_different_lengths_take_no_memory(tmp_path: Path) -> None:
    """An array of text would be as wide as the longest number."""
    draw_pictures(tmp_path, "a.png")
    runs = ",".join(["1" * 4000, *["1"] * 100_000])
    write(tmp_path, image(f'<mask label="cat" rle="{runs}" left="0" top="0" width="8" height="6"/>'))
    tracemalloc.start()
    try:
        assert cvat(tmp_path).annotations("a.png") == ()
        assert tracemalloc.get_traced_memory()[1] < 100e6  # not 1.6 GB
    finally:
        tracemalloc.stop()
