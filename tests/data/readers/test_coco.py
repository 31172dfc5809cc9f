"""Tests of the COCO reader: all encodings of a mask, overlapping masks, and the errors for faulty files."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as mask_tools
from support.reference_data import NUCLEI, REPOSITORY

from rsis.config.params import load_params
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.coco import CocoReader
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.masks import encode_rle

SIZE = (6, 8)


def _square(top: int, left: int, height: int, width: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def _polygon(top: float, left: float, height: float, width: float) -> list[float]:
    return [left, top, left + width, top, left + width, top + height, left, top + height]


def _runs(mask: np.ndarray) -> dict[str, Any]:
    """Return the uncompressed RLE of a mask, counted pixel by pixel."""
    counts, value = [0], False
    for pixel in mask.T.ravel():
        if pixel != value:
            counts.append(0)
            value = not value
        counts[-1] += 1
    return {"size": list(mask.shape), "counts": counts}


def _content(*segmentations: Any, **changes: Any) -> dict[str, Any]:
    """Return the JSON of one image of SIZE with these objects, all of category 3; `changes` replaces top-level keys."""
    annotations = [
        {"id": i, "image_id": 1, "category_id": 3, "iscrowd": 0, "segmentation": segmentation}
        for i, segmentation in enumerate(segmentations, start=1)
    ]
    images = [{"id": 1, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1]}]
    categories = [{"id": 3, "name": "cell"}]
    return {"images": images, "categories": categories, "annotations": annotations, **changes}


def _reader(folder: Path, content: Any, image: Image.Image | None = None) -> CocoReader:
    (image or Image.new("RGB", SIZE[::-1], (10, 20, 30))).save(folder / "a.png")
    (folder / "instances.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return CocoReader(folder / "instances.json", folder)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(top=st.integers(0, 4), left=st.integers(0, 6), height=st.integers(1, 6), width=st.integers(1, 8))
def test_polygons_and_both_encodings_agree(
    tmp_path_factory: pytest.TempPathFactory, top: int, left: int, height: int, width: int
) -> None:
    mask = _square(top, left, height, width)
    height, width = min(height, SIZE[0] - top), min(width, SIZE[1] - left)
    halves = [_polygon(top, left, height, width / 2), _polygon(top, left + width // 2, height, width - width // 2)]
    forms = ([_polygon(top, left, height, width)], halves, _runs(mask), encode_rle(mask))
    for form in forms:
        sample = _reader(tmp_path_factory.mktemp("forms"), _content(form)).read("a.png")
        np.testing.assert_array_equal(sample.instance_map, mask.astype(np.int32))
        np.testing.assert_array_equal(sample.class_ids, [1])


@settings(deadline=None, derandomize=True, max_examples=25)
@given(bits=st.lists(st.booleans(), min_size=48, max_size=48))
def test_any_mask_in_either_encoding(tmp_path_factory: pytest.TempPathFactory, bits: list[bool]) -> None:
    mask = np.array(bits).reshape(SIZE)
    for form in (_runs(mask), encode_rle(mask)):
        sample = _reader(tmp_path_factory.mktemp("bits"), _content(form)).read("a.png")
        np.testing.assert_array_equal(sample.instance_map, mask.astype(np.int32))
        assert len(sample.class_ids) == int(mask.any())


def test_smaller_object_keeps_contested_pixels_and_hidden_ones_go(tmp_path: Path) -> None:
    large, small, same = _square(0, 0, 4, 6), _square(1, 1, 2, 2), _square(1, 1, 2, 2)
    content = _content(encode_rle(large), encode_rle(small), encode_rle(same), encode_rle(_square(5, 0, 1, 8)))
    content["categories"].append({"id": 1, "name": "leaf"})
    content["annotations"][3]["category_id"] = 1
    sample = _reader(tmp_path, content).read("a.png")
    expected = large.astype(np.int32)
    expected[small] = 2  # of two objects with equal areas, the first one keeps the pixels
    expected[5] = 3
    np.testing.assert_array_equal(sample.instance_map, expected)
    np.testing.assert_array_equal(sample.class_ids, [2, 2, 1])


def test_crowd_is_ignored_where_no_object_lies(tmp_path: Path) -> None:
    content = _content([_polygon(0, 0, 2, 2)], _runs(_square(0, 0, 6, 4)))
    content["annotations"][1]["iscrowd"] = 1
    sample = _reader(tmp_path, content).read("a.png")
    np.testing.assert_array_equal(sample.class_ids, [1])
    np.testing.assert_array_equal(sample.instance_map, _square(0, 0, 2, 2))
    np.testing.assert_array_equal(sample.ignore_mask, _square(0, 0, 6, 4) & ~_square(0, 0, 2, 2))
    assert sample.ignore_mask.dtype == bool


def test_classes_images_and_ids_of_either_type(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "sub" / "b.png")
    content = _content([_polygon(0, 0, 2, 2)], [_polygon(3, 3, 2, 2)])
    content["images"][:0] = [{"id": "x7", "file_name": "sub/b.png", "height": 4, "width": 4}]
    content["categories"] = [{"id": 90, "name": "z"}, {"id": 3, "name": "y"}, {"id": 10, "name": "x"}]
    content["annotations"][0].update(image_id="1", category_id="90")
    reader = _reader(tmp_path, content)
    assert reader.class_names == ("y", "x", "z")
    assert reader.image_ids == ("a.png", "sub/b.png")
    reader = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(reader.read("a.png").class_ids, [3, 1])
    empty = reader.read("sub/b.png")
    assert empty.class_ids.shape == (0,)
    assert empty.class_ids.dtype == np.int64
    assert not empty.instance_map.any()


GREY = np.arange(48, dtype=np.uint8).reshape(SIZE)


def _palette() -> Image.Image:
    image = Image.fromarray(GREY)
    image.putpalette([value for i in range(256) for value in (i, i, i)])
    return image


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(GREY),
        Image.fromarray(np.stack((GREY, GREY, GREY), axis=2)),
        Image.fromarray(np.stack((GREY, GREY, GREY, GREY), axis=2)),
        Image.fromarray(np.stack((GREY, GREY), axis=2)),
        _palette(),
    ],
    ids=lambda image: image.mode,
)
def test_every_kind_of_picture_becomes_rgb(tmp_path: Path, image: Image.Image) -> None:
    sample = _reader(tmp_path, _content(), image).read("a.png")
    np.testing.assert_array_equal(sample.image, np.stack((GREY, GREY, GREY), axis=2))
    assert sample.image.dtype == np.uint8


def _set(part: str, number: int, **values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content[part][number].update(values)


def _delete(part: str, number: int, key: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content[part][number].pop(key)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda content: content.pop("categories"), "'categories' is missing"),
        (lambda content: content.update(images={}), "images is dict, expected a list"),
        (lambda content: content.update(images=[]), "images is empty"),
        (lambda content: content.update(categories=[]), "categories is empty"),
        (lambda content: content.update(annotations=[3]), r"annotations\[0\]: found int"),
        (_set("images", 0, width="wide"), r"images\[0\]: width is 'wide'; expected a whole number of pixels"),
        (_set("annotations", 0, segmentation=[], bbox=[0, 0, 2, 2]), "1 of 1 annotations are boxes without outlines"),
        (_set("annotations", 0, iscrowd=2), r"annotations\[0\] \(id 1\): iscrowd is 2; expected 0 or 1"),
        (_delete("categories", 0, "name"), r"categories\[0\]: 'name' is missing"),
        (_set("annotations", 0, image_id=9), r"annotations\[0\] \(id 1\): image_id '9' is not in images"),
        (_set("annotations", 0, category_id=9), r"annotations\[0\] \(id 1\): category_id '9' is not in categories"),
        (_set("images", 0, file_name="gone.png"), r"gone.png: no such file, but .* images\[0\] lists it"),
        (_set("images", 0, file_name="../b.png"), r"b\.png: no such file"),
        (lambda content: content["images"].append(content["images"][0] | {"width": 7}), "occurs twice, with two sizes"),
        (lambda content: content["images"].append(content["images"][0] | {"file_name": "b"}), "id '1' occurs twice"),
        (lambda content: content["categories"].append({"id": "3", "name": "n"}), "id '3' is that of 'cell' too"),
        (
            lambda content: content["categories"].append({"id": 4, "name": "cell"}),
            r"categories\[1\]: name 'cell' is that of categories\[0\] too; rename one",
        ),
    ],
)
def test_structural_faults_stop_at_once(tmp_path: Path, change: Callable[[dict[str, Any]], object], found: str) -> None:
    content = _content([_polygon(0, 0, 2, 2)])
    change(content)
    with pytest.raises(UserError, match=found) as caught:
        _reader(tmp_path, content)
    assert not isinstance(caught.value, BadSampleError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ['{"images": [', "", "[]", "\x00"])
def test_invalid_json_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"instances.json: (not valid JSON|found list)"):
        _reader(tmp_path, text)


def test_missing_annotation_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.json: no such file"):
        CocoReader(tmp_path / "nowhere.json", tmp_path)


@pytest.mark.parametrize(
    ("segmentation", "found"),
    [
        ({"size": [8, 6], "counts": [48]}, "a mask of [8, 6], and the image is [6, 8]"),
        ({"size": [6, 8], "counts": [40]}, "a mask with runs of 40 pixels for 48"),
        ({"size": [6, 8], "counts": [50, -2]}, "counts are neither text nor whole numbers"),
        ({"size": [6, 8], "counts": ["x"]}, "counts are neither text nor whole numbers"),
        ({"size": [6, 8], "counts": None}, "counts are neither text nor whole numbers"),
        ({"size": [6, 8], "counts": "42"}, "runs of 6 pixels for a mask of 48"),
        ({"size": [6, 8], "counts": "~~"}, "a character outside"),
        ({"size": [6, 8]}, "counts are neither text nor whole numbers"),
        ({"counts": [48]}, "without a size [H, W]"),
        ([], "neither outline nor box"),
        ([[]], "neither outline nor box"),
        (None, "neither outline nor box"),
        ([[0, 0, 4, 4]], "a polygon of fewer than three points"),
        ([[0, 0, 4, 0, 4, 4, 0]], "no list of x, y pairs"),
        ([[0, 0, 4, 0, 4, 4], [0, 0, 4, 0, None, 4]], "no list of x, y pairs"),
        ([[0, 0, 1e12, 0, 4, 4]], "far outside"),
        ([[0, 0, float("nan"), 0, 4, 4]], "far outside"),
        ("T58h000", "neither polygons nor a run-length encoding"),
    ],
)
def test_what_cannot_be_drawn_costs_its_object_only(tmp_path: Path, segmentation: Any, found: str) -> None:
    sample = _reader(tmp_path, _content(segmentation, [_polygon(0, 0, 2, 2)])).read("a.png")
    np.testing.assert_array_equal(sample.instance_map, _square(0, 0, 2, 2))
    assert sample.dropped == ("cannot be drawn",)
    (detail,) = sample.drop_details
    assert detail.startswith(f"{tmp_path / 'instances.json'}: annotations[0] (id 1) of a.png: ")
    assert found in detail


def test_each_annotation_that_is_no_object_has_its_reason(tmp_path: Path) -> None:
    large, small = encode_rle(_square(0, 0, 2, 4)), encode_rle(_square(0, 0, 2, 2))
    shapes = ([_polygon(9, 9, 2, 2)], large, small, encode_rle(_square(0, 2, 2, 2)), None, small, [[1, 1, 2, 2]])
    content = _content(*shapes)
    content["annotations"][4]["bbox"] = [1, 1, 2, 2]
    content["annotations"][5]["iscrowd"] = 1
    sample = _reader(tmp_path, content).read("a.png")
    assert sample.dropped == ("empty mask", "hidden by others", "box without outline", "crowd", "cannot be drawn")
    places = [detail.split(": ")[1].split(" ")[0] for detail in sample.drop_details]
    assert places == [f"annotations[{number}]" for number in (0, 1, 4, 5, 6)]
    assert len(sample.class_ids) == 2


def test_picture_of_another_size_or_truncated_is_a_bad_sample(tmp_path: Path) -> None:
    reader = _reader(tmp_path, _content(), Image.new("RGB", (9, 6)))
    with pytest.raises(BadSampleError, match=r"6 x 9 pixels, instances\.json says 6 x 8"):
        reader.read("a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-30])
    with pytest.raises(BadSampleError, match=r"a\.png: not a readable image"):
        reader.read("a.png")


def test_pixels_that_are_no_number_are_refused(tmp_path: Path) -> None:
    reader = _reader(tmp_path, _content())
    Image.fromarray(np.full(SIZE, np.nan, np.float32)).save(tmp_path / "a.png", format="TIFF")
    with pytest.raises(BadSampleError, match=r"a\.png: has pixels that are no number"):
        reader.read("a.png")


def _smallest_wins(masks: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Return the expected instance map, by a slow twin of the reader: a pixel belongs to the smallest mask over it."""
    areas = [int(mask.sum()) for mask in masks]
    expected = np.zeros(size, np.int32)
    for row, column in np.argwhere(np.any(masks, axis=0)):
        over = [i for i, mask in enumerate(masks) if mask[row, column]]
        expected[row, column] = 1 + min(over, key=lambda i: (areas[i], i))
    return expected


def test_nuclei_of_the_validation_split() -> None:
    """There are 27 images and 333 objects, whose areas are those of the annotations except for shared pixels."""
    reader = open_split(load_params(REPOSITORY / "params.yaml").dataset("nuclei"), NUCLEI, "val")
    assert reader.class_names == ("nucleus",)
    content = json.loads((NUCLEI / "val" / "instances.json").read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    annotations: dict[str, list[dict[str, Any]]] = {name: [] for name in names.values()}
    for annotation in content["annotations"]:
        annotations[names[annotation["image_id"]]].append(annotation)
    assert list(reader.image_ids) == sorted(annotations)
    total = whole = 0
    for image_id in reader.image_ids:
        sample = reader.read(image_id)
        size = sample.instance_map.shape
        assert sample.image.shape == (*size, 3)
        masks = [mask_tools.decode(annotation["segmentation"]) > 0 for annotation in annotations[image_id]]
        np.testing.assert_array_equal(sample.instance_map, _smallest_wins(masks, size))
        areas = np.bincount(sample.instance_map.ravel())[1:]
        total += len(sample.class_ids)
        whole += sum(area == entry["area"] for area, entry in zip(areas, annotations[image_id], strict=True))
    assert (len(reader.image_ids), total) == (27, 333)
    assert whole == 332  # one nucleus loses a pixel to a smaller one
