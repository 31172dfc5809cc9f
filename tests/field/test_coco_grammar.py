"""The training's reader and the scorers' truth read one language of COCO JSON, in all spellings that tools write."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.coco_case import dataset, document, read_alike, square, write

NUMBERS: st.SearchStrategy[Any] = st.sampled_from(
    [0, 1, 2, -1, 1.0, 0.0, 1.5, "1", "0", "1.0", " 1 ", "01", "", "x", None, True, False, [], {}]
)
VALUES = NUMBERS | st.sampled_from([math.nan, math.inf, "true", "False", 10**400, "9" * 5000, "\ud800", [[1]], "१"])
UNKNOWN = (-1, 0, None, math.nan, "", "-1", 0.0)
HEIGHTS = st.sampled_from([12, 12.0, "12", "12.", "12.00", " 12", *UNKNOWN])
WIDTHS = st.sampled_from([16, 16.0, "16", "16.0", *UNKNOWN])
SIDES = st.sampled_from([12.5, "1e1", [12], True, 10**30, math.inf, "9" * 12, "+12", "\uff11\uff12", "0x1"])
COORDINATES = st.sampled_from([0, 1, 2.5, 5, 7, 11, "3", "4.5", -3, 30, 1e9, math.nan, None, True, "x", 10**400])
POLYGONS = st.lists(COORDINATES, max_size=9) | st.lists(st.lists(COORDINATES, max_size=3), max_size=4)
GOOD = st.sampled_from([square(1, 1), square(4, 5), square(4, 5, 7), square(-2, 9, 4), square(20, 20)])
RUNS = st.sampled_from(
    [[0, 192], [10, 5, 177], [10.0, "5", 177], [10, 5], [-1, 193], [], "", "?", None, "P6", "Z1511P6"]
)
MASKS = st.fixed_dictionaries(
    {}, optional={"size": st.sampled_from([[12, 16], ["12", 16.0], [16, 12], [12], 12, None]), "counts": RUNS}
)
SHAPES = (
    st.lists(GOOD, max_size=3)
    | GOOD
    | st.lists(GOOD | POLYGONS, max_size=3)
    | POLYGONS
    | MASKS
    | VALUES
    | st.just([[]])
)
ANNOTATIONS = st.fixed_dictionaries(
    {"image_id": st.sampled_from([1, 2, 1.0, "2", "1.0"]), "category_id": st.sampled_from([1, 1.0, "1", 5])},
    optional={"id": VALUES, "iscrowd": st.sampled_from([0, 1, "1", False]), "segmentation": SHAPES, "bbox": SHAPES},
)
CATEGORY = st.fixed_dictionaries(
    {"id": st.sampled_from([0, 1, "1", 5, 5.0, "x"]), "name": st.sampled_from(["cell", "nut", 7, "7", " nut ", 7.0])},
    optional={"supercategory": st.sampled_from(["cell", "none", None, 3])},
)


def _odd(draw: st.DrawFn, content: dict[str, Any]) -> None:
    """Put an odd value somewhere."""
    part = draw(st.sampled_from(["images", "annotations", "categories"]))
    entry = draw(st.sampled_from(content[part] or [{}]))
    keys = {
        "images": ["id", "file_name", "width", "height"],
        "annotations": ["image_id", "category_id", "iscrowd", "area", "segmentation"],
        "categories": ["id", "name"],
    }[part]
    key = draw(st.sampled_from(keys))
    entry[key] = draw(SIDES if key in ("width", "height") else VALUES)
    if draw(st.booleans()):
        entry.pop(key)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    content = document(objects=0)
    content["annotations"] = draw(st.lists(ANNOTATIONS, max_size=4))
    if draw(st.booleans()):
        content["annotations"].append({"image_id": 1, "category_id": 1, "segmentation": [square(1, 1)]})
    unlike = draw(st.booleans())
    more = st.lists(CATEGORY, max_size=3, unique_by=(lambda item: str(item["name"]).strip("n ")) if unlike else None)
    content["categories"] = draw(more) + content["categories"]
    if unlike:
        for category, entry in zip((1, 5.0, "0", "x"), reversed(content["categories"]), strict=False):
            entry["id"] = category
    for image in content["images"]:
        image["height"], image["width"] = draw(HEIGHTS), draw(WIDTHS)
    if draw(st.booleans()):
        content["images"][0] |= {"height": 12, "width": "16"}
        content["images"][1] |= {"height": 12.0, "width": None}
    if draw(st.integers(0, 3)) == 0:
        content["images"].append(content["images"][0] | {"id": draw(st.sampled_from([1, 2, 3, "1", 1.0]))})
    if draw(st.integers(0, 3)) == 0:
        _odd(draw, content)
    return content


@settings(deadline=None, derandomize=True, max_examples=120)
@given(content=documents(), crowd=st.sampled_from(["ignore", "object"]))
def test_reader_and_truth_agree_on_any_document(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], crowd: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    write(folder, content, pictures=("p1.png", "p2.png"))
    read_alike(dataset(crowd=crowd), folder)
