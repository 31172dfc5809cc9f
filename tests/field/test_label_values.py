"""Instance maps and masks as annotation tools write them: which numbers and colours are objects, for both readings."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.agreement import maps, masks, read_both

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.truths.open import load_ground_truth
from rsis.own_data.reading import find_reading

MAP = np.array([[0, 0, 3, 3, 0], [7, 7, 3, 3, 0], [7, 7, 0, 9, 9], [0, 0, 0, 0, 0]])
OBJECTS = np.array([[0, 0, 1, 1, 0], [2, 2, 1, 1, 0], [2, 2, 0, 3, 3], [0, 0, 0, 0, 0]])


def write(root: Path, numbers: np.ndarray | Image.Image, name: str = "a.tif") -> None:
    """Write a picture and its map, an array as TIFF by tifffile, by which no value changes, or as PNG by Pillow."""
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    size = numbers.size[::-1] if isinstance(numbers, Image.Image) else numbers.shape[:2]
    Image.new("RGB", size[::-1], (90, 80, 70)).save(root / "images" / f"{Path(name).stem}.png")
    path = root / "labels" / name
    if isinstance(numbers, Image.Image):
        numbers.save(path)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, numbers)
    else:
        Image.fromarray(numbers).save(path)


@pytest.mark.parametrize("offset", [0, 100, 200])
@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "int16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
)
def test_type_of_the_numbers_does_not_matter(tmp_path: Path, dtype: str, offset: int) -> None:
    write(tmp_path, np.where(MAP > 0, MAP + offset, 0).astype(dtype))
    assert np.array_equal(read_both(maps(), tmp_path)["a"].instance_map, OBJECTS)


@pytest.mark.parametrize(
    ("dtype", "offset"), [("uint32", 3_000_000_000), ("int64", 1 << 40), ("uint64", (1 << 63) + 5)]
)
def test_large_numbers_are_objects(tmp_path: Path, dtype: str, offset: int) -> None:
    numbers = MAP.astype(dtype)
    numbers[MAP > 0] += np.array(offset, dtype)
    write(tmp_path, numbers)
    assert np.array_equal(read_both(maps(), tmp_path)["a"].instance_map, OBJECTS)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "float32"])
def test_negative_numbers_are_background(tmp_path: Path, dtype: str) -> None:
    write(tmp_path, np.where(MAP > 0, MAP, -1).astype(dtype))
    sample = read_both(maps(), tmp_path)["a"]
    assert np.array_equal(sample.instance_map, OBJECTS)
    assert not sample.ignore_mask.any()


@pytest.mark.parametrize(("dtype", "void"), [("uint8", 255), ("uint16", 65535), ("int32", -1), ("float32", -1)])
def test_ignored_pixels_are_neither_object_nor_background(tmp_path: Path, dtype: str, void: int) -> None:
    numbers = MAP.astype(dtype)
    numbers[:, :1] = void
    write(tmp_path, numbers)
    sample = read_both(maps(ignore_value=void), tmp_path)["a"]
    assert np.array_equal(sample.ignore_mask, numbers == void)
    assert np.array_equal(sample.instance_map > 0, (MAP > 0) & (numbers != void))
    crowd = [
        item for item in load_ground_truth(maps(ignore_value=void), tmp_path, "train").annotations("a") if item.iscrowd
    ]
    assert [item.area for item in crowd] == [4.0]


@pytest.mark.parametrize("value", [2.5, float("nan"), float("inf"), -0.25])
def test_fractions_are_refused_by_name(tmp_path: Path, value: float) -> None:
    numbers = MAP.astype(np.float32)
    numbers[1, 2] = value
    write(tmp_path, numbers)
    with pytest.raises(BadSampleError, match=rf"a\.tif: has the number {value:g}, expected whole ones"):
        open_split(maps(), tmp_path, "train").read("a")
    with pytest.raises(UserError, match=rf"a\.tif: has the number {value:g}; expected whole ones"):
        load_ground_truth(maps(), tmp_path, "train").instance_map("a")


COLOURS = {0: (0, 0, 0), 3: (0, 0, 3), 7: (0, 1, 0), 9: (200, 0, 0)}


@pytest.mark.parametrize("alpha", [None, 255, 0])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_each_colour_is_an_object(tmp_path: Path, name: str, alpha: int | None) -> None:
    colours = np.array([[COLOURS[value] for value in row] for row in MAP.tolist()], np.uint8)
    if alpha is not None:
        colours = np.dstack([colours, np.full(MAP.shape, alpha, np.uint8)])
    write(tmp_path, Image.fromarray(colours), name)
    assert np.array_equal(read_both(maps(), tmp_path)["a"].instance_map, OBJECTS)


def test_a_photo_is_no_map(tmp_path: Path) -> None:
    write(tmp_path, np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8), "a.png")
    with pytest.raises(BadSampleError, match="colours on 3072 pixels, expected an object a colour"):
        open_split(maps(), tmp_path, "train").read("a")


def palette(values: np.ndarray, colour_of: Callable[[int], tuple[int, int, int]]) -> Image.Image:
    image = Image.fromarray(values.astype(np.uint8)).convert("P")
    image.putdata(values.ravel().tolist())
    image.putpalette([part for index in range(256) for part in colour_of(index)])
    return image


def test_a_palette_has_indices_in_maps_and_colours_in_masks(tmp_path: Path) -> None:
    inverted = palette(MAP, lambda index: (0, 0, 0) if index else (255, 255, 255))
    write(tmp_path, inverted, "a.png")
    assert np.array_equal(read_both(maps(), tmp_path)["a"].instance_map, OBJECTS)
    write_mask(tmp_path / "masks", [inverted])
    assert np.array_equal(read_both(masks(), tmp_path / "masks")["a"].instance_map, (MAP == 0).astype(int))


def write_mask(root: Path, files: Sequence[Image.Image | np.ndarray]) -> None:
    """Write a picture and a file of each mask: arrays as TIFF."""
    for folder in ("images", "masks"):
        (root / "a" / folder).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", MAP.shape[::-1]).save(root / "a/images/a.png")
    for number, file in enumerate(files):
        if isinstance(file, Image.Image):
            file.save(root / f"a/masks/m{number}.png")
        else:
            tifffile.imwrite(root / f"a/masks/m{number}.tif", file)


def test_dark_colours_of_masks_are_objects(tmp_path: Path) -> None:
    def coloured(value: int, colour: tuple[int, ...]) -> Image.Image:
        pixels = np.zeros((*MAP.shape, len(colour)), np.uint8)
        pixels[np.equal(MAP, value)] = colour
        return Image.fromarray(pixels)

    write_mask(tmp_path, [coloured(3, (0, 0, 3)), coloured(7, (1, 0, 0)), coloured(9, (0, 200, 0, 0))])
    assert np.array_equal(read_both(masks(), tmp_path)["a"].instance_map, OBJECTS)


def test_alpha_of_masks_does_not_count(tmp_path: Path) -> None:
    opaque = np.zeros((*MAP.shape, 4), np.uint8)
    opaque[..., 3] = 255
    grey = np.dstack([255 * (MAP == 3), np.full(MAP.shape, 255)]).astype(np.uint8)
    write_mask(tmp_path, [Image.fromarray(opaque), Image.fromarray(grey, "LA")])
    sample = read_both(masks(), tmp_path)["a"]
    assert np.array_equal(sample.instance_map, (MAP == 3).astype(int))
    assert sample.dropped == ("empty mask",)


def test_masks_that_are_not_objects_have_a_reason(tmp_path: Path) -> None:
    full, empty = np.ones(MAP.shape, np.uint8), np.zeros(MAP.shape, np.uint8)
    parts = [np.equal(MAP, value).astype(np.uint8) for value in (0, 3, 7, 9)]
    write_mask(tmp_path, [empty, full, *parts, empty])
    sample = read_both(masks(), tmp_path)["a"]
    assert sample.dropped == ("empty mask", "hidden by others", "empty mask")
    assert sample.instance_map.max() == 4


@pytest.mark.parametrize("dtype", ["uint32", "int64", "float64", "uint16"])
def test_pages_of_a_mask_file_are_masks(tmp_path: Path, dtype: str) -> None:
    first, *others = (40_000 * np.equal(MAP, value).astype(dtype) for value in (3, 7, 9))
    write_mask(tmp_path, [first, np.stack(others)])
    assert np.array_equal(read_both(masks(), tmp_path)["a"].instance_map, OBJECTS)


TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_reader_and_truth_agree(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever numbers of whatever type a map has, and whatever of them is ignored."""
    root = tmp_path_factory.mktemp("maps")
    dtype: Any = np.dtype(data.draw(st.sampled_from(TYPES)))
    if dtype.kind == "f":
        values = st.integers(-3, 1 << 20).map(float)
    else:
        limits = np.iinfo(dtype)
        edges = st.sampled_from([int(limits.min), int(limits.max), 0, 1])
        values = edges | st.integers(max(limits.min, -3), 9) | st.integers(int(limits.min), int(limits.max))
    kinds = data.draw(st.lists(values, min_size=1, max_size=5))
    places = data.draw(st.lists(st.integers(0, len(kinds) - 1), min_size=15, max_size=15))
    numbers = np.array([kinds[place] for place in places], dtype).reshape(3, 5)
    compression = data.draw(st.sampled_from([None, "zlib"]))
    write(root, np.zeros((3, 5), np.uint8))
    tifffile.imwrite(root / "labels/a.tif", numbers, compression=compression)
    ignored = data.draw(st.none() | st.sampled_from(kinds).map(int))
    sample = read_both(maps(ignore_value=ignored), root)["a"]
    expected = [value for value in np.unique(numbers).tolist() if value > 0 and value != ignored]
    assert sample.instance_map.max() == len(expected)
    for number, value in enumerate(expected, start=1):
        assert np.array_equal(sample.instance_map == number, numbers == np.array(value, dtype))


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_reader_and_truth_agree_on_masks(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    root = tmp_path_factory.mktemp("masks")
    files = []
    for _ in range(data.draw(st.integers(1, 3))):
        channels = data.draw(st.sampled_from([1, 2, 3, 4]))
        value = st.sampled_from([0, 0, 0, 1, 3, 255])
        pixels = np.array(data.draw(st.lists(value, min_size=20 * channels, max_size=20 * channels)), np.uint8)
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
        files.append(Image.fromarray(pixels.reshape((4, 5, channels) if channels > 1 else (4, 5)), mode))
    write_mask(root, files)
    read_both(masks(), root)


def noted(root: Path, of_maps: Callable[[np.ndarray], np.ndarray], name: str = "{}.tif") -> tuple[dict[str, Any], str]:
    """Return the keys and the notes of `rsis init` for maps of 3 to 5 objects, changed by `of_maps`."""
    for number in range(6):
        numbers = np.zeros((48, 64), np.uint16)
        for k in range(3 + number % 3):
            numbers[8 * k : 8 * k + 5, 10:20] = k + 1
        write(root, of_maps(numbers), name.format(f"p{number}"))
    found = find_reading(maps(), root)
    return dict(found.keys), " ".join(found.notes)


def bordered(value: int, dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    def change(numbers: np.ndarray) -> np.ndarray:
        changed = numbers.astype(dtype)
        changed[:, :3] = value
        return changed

    return change


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(255, "uint8"), (65535, "uint16"), (255, "uint16"), (255, "int32"), (65535, "float32"), (2**32 - 1, "uint32")],
)
def test_init_recognises_numbers_that_say_not_annotated(tmp_path: Path, value: int, dtype: str) -> None:
    keys, notes = noted(tmp_path, bordered(value, dtype))
    assert keys == {"ignore_value": value}
    assert f"6 of 6 maps have the number {value}, far above all others" in notes


@pytest.mark.parametrize(
    "change",
    [
        lambda numbers: (255 * (numbers > 0)).astype(np.uint8),  # a mask of a class
        lambda numbers: np.choose(numbers, [0, 51, 102, 153, 204, 255]).astype(np.uint8),  # five shades of grey
        lambda numbers: np.where(numbers > 0, numbers + 250, 0).astype(np.uint8),  # many objects
        bordered(200, "uint8"),
    ],
)
def test_init_takes_other_numbers_as_objects(tmp_path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    assert noted(tmp_path, change)[0] == {}


def test_init_says_what_colours_and_negative_numbers_are(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(1, 255, (6, 3)).astype(np.uint8)
    colours[0] = 0
    _, notes = noted(tmp_path / "a", lambda numbers: colours[numbers], "{}.png")
    assert "6 of 6 maps are colour images: each colour is an object, black is background" in notes
    _, notes = noted(tmp_path / "b", lambda numbers: numbers.astype(np.int16) - 1)
    assert "6 of 6 maps have numbers below 0 (-1): they are background (ignore_value: -1 takes" in notes
    _, notes = noted(tmp_path / "c", lambda numbers: numbers + 1)
    assert "6 of 6 maps have no pixel of 0 or black, so that their background is an object" in notes
