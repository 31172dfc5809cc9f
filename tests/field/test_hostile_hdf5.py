"""HDF5 files of wrong content end in one line, before memory is taken, and without a look at other files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support.fake_reader import FakeReader
from support.little_memory import run_with_memory

from rsis.data.download.lsc_hdf5 import extract_lsc
from rsis.data.prepared.file import PreparedSplit
from rsis.data.prepared.writer import SplitOrigin, write_split
from rsis.errors import UserError

Change = Callable[[h5py.File], object]
SIZE = (16, 24)
COUNT = 3


def prepared(path: Path) -> Path:
    write_split(FakeReader(COUNT, objects=4), path, SIZE, SplitOrigin("leaves", "val", "0123"))
    return path


def replaced(name: str, value: Any = None, **options: Any) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        if value is not None or options:
            file.create_dataset(name, data=value, **options)

    return change


def filled(name: str, value: int) -> Change:
    return lambda file: file[name].__setitem__(..., value)


def attribute(name: str, value: Any) -> Change:
    return lambda file: file.attrs.__setitem__(name, value)


def linked(name: str, link: Any) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = link

    return change


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(COUNT, *SIZE, 3), dtype=np.uint8)
    layout[:] = h5py.VirtualSource("other.h5", "images", shape=(COUNT, *SIZE, 3))
    del file["images"]
    file.create_virtual_dataset("images", layout)


def as_group(file: h5py.File) -> None:
    del file["images"]
    file.create_group("images")


def same_name_twice(file: h5py.File) -> None:
    file["image_ids"][1] = file["image_ids"][0]


HUGE = {"dtype": np.uint8, "shape": (COUNT, 100_000, 100_000, 3), "chunks": (1, 100, 100, 3)}
OUTSIDE = {
    "dtype": np.uint8,
    "shape": (COUNT, *SIZE, 3),
    "external": [("/etc/passwd", 0, COUNT * SIZE[0] * SIZE[1] * 3)],
}
AT_OPENING: dict[str, tuple[Change, str]] = {
    "classes below 1": (filled("class_ids", -3), "class_ids has values -3 to -3, expected 1 to 2"),
    "classes above the names": (filled("class_ids", 99), "class_ids has values 99 to 99, expected 1 to 2"),
    "no objects": (filled("num_instances", 0), "expected integers [0]"),
    "too many objects": (filled("num_instances", 1_000_000), "expected 0 to 65535"),
    "numbers below 0": (filled("num_instances", -5), "expected 0 to 65535"),
    "as many objects, of other images": (filled("num_instances", 1), "expected integers [3]"),
    "numbers that are fractions": (replaced("num_instances", np.ones(COUNT)), "expected integers"),
    "classes that are text": (replaced("class_ids", ["a"]), "class_ids is object [1]"),
    "a billion classes": (replaced("class_ids", shape=(10**10,), dtype=np.int32), "too much to be read at once"),
    "images of another size": (
        replaced("images", np.zeros((COUNT, 8, 8, 3), np.uint8), chunks=(1, 8, 8, 3)),
        "images is uint8 [3, 8, 8, 3] in chunks (1, 8, 8, 3), expected uint8 [3, 16, 24, 3] in a chunk for each image",
    ),
    "one chunk for all images": (
        replaced("images", np.zeros((COUNT, *SIZE, 3), np.uint8), chunks=(COUNT, *SIZE, 3)), "a chunk for each image"
    ),
    "fewer maps": (
        replaced("instance_maps", np.zeros((1, *SIZE), np.uint16), chunks=(1, *SIZE)), "instance_maps is uint16 [1,"
    ),
    "maps of floats": (
        replaced("instance_maps", np.zeros((COUNT, *SIZE)), chunks=(1, *SIZE)), "instance_maps is float64"
    ),
    "images without values": (
        replaced("images", shape=(COUNT, *SIZE, 3), dtype=np.uint8, chunks=(1, *SIZE, 3)), "holds no value"
    ),
    "huge images": (replaced("images", **HUGE), "images declares uint8 [3, 100000, 100000, 3] and holds no value"),
    "no images": (replaced("images"), "images is missing"),
    "no maps": (replaced("instance_maps"), "instance_maps is missing"),
    "no ignored pixels": (replaced("ignore_masks"), "ignore_masks is missing"),
    "images as a group": (as_group, "images is no data set"),
    "another file's bytes": (replaced("images", **OUTSIDE), "images has its values in another file"),
    "another file's bytes as classes": (
        replaced("class_ids", shape=(4,), dtype=np.int32, external=[("/etc/passwd", 0, 16)]), "in another file"
    ),
    "another file's data set": (virtual, "images has its values in another file"),
    "a link to another file": (linked("images", h5py.ExternalLink("other.h5", "images")), "images is a link"),
    "a link to itself": (linked("images", h5py.SoftLink("/images")), "images is a link"),
    "a link to another data set": (linked("image_ids", h5py.SoftLink("/class_ids")), "image_ids is a link"),
    "names that are numbers": (replaced("image_ids", np.arange(COUNT)), "image_ids is int64 [3], expected text [3]"),
    "a name twice": (same_name_twice, "image_ids has a name twice"),
    "sizes of 0": (filled("original_sizes", 0), "original_sizes has values 0 to 0"),
    "sizes below 0": (filled("original_sizes", -1), "original_sizes has values -1 to -1"),
    "huge sizes": (filled("original_sizes", 200_000), "original_sizes has [200000, 200000], expected"),
    "class names that are no JSON": (attribute("class_names", "[x"), "class_names is no JSON"),
    "class names nested deeply": (attribute("class_names", "[" * 30_000), "class_names is no JSON"),
    "class names that are a number": (attribute("class_names", "5"), "class_names is 5, expected a list of names"),
    "no class": (attribute("class_names", "[]"), "class_names is [], expected a list of names"),
    "three sides": (attribute("size", [1, 2, 3]), "size is [1 2 3], expected height and width"),
    "a size that is text": (attribute("size", "x"), "size is x, expected height and width"),
    "an endless size": (attribute("size", [2**31 - 1, 24]), "size is [2147483647 24], expected height and width"),
    "no class names": (lambda file: file.attrs.__delitem__("class_names"), "class_names is None"),
    "no size": (lambda file: file.attrs.__delitem__("size"), "size is None"),
    "no digest": (lambda file: file.attrs.__delitem__("source_digest"), "source_digest is None"),
    "a digest that is a number": (attribute("source_digest", 7), "source_digest is 7, expected text"),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_OPENING)
def test_wrong_content_is_refused_at_opening(tmp_path: Path, name: str) -> None:
    path = prepared(tmp_path / "leaves" / "val.h5")
    change, part = AT_OPENING[name]
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(UserError) as caught:
        PreparedSplit(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a complete prepared file (")
    assert part in message
    assert message.endswith("; run `rsis prepare leaves`")
    prepared(path)  # what the message says
    PreparedSplit(path)


@pytest.mark.parametrize(("name", "value"), [("instance_maps", 60_000), ("instance_maps", 5), ("ignore_masks", 2)])
def test_values_beyond_the_tables_are_refused_where_the_image_is_read(tmp_path: Path, name: str, value: int) -> None:
    path = prepared(tmp_path / "leaves" / "val.h5")
    with h5py.File(path, "r+") as file:
        file[name][1, 0, 0] = value
    split = PreparedSplit(path)
    assert int(split.read(0).instance_map.max()) == len(split.read(0).class_ids)
    with pytest.raises(
        UserError, match=r"image 'image-ü1' cannot be read \(its maps have values up to .* `rsis prepare"
    ):
        split.read(1)


def test_a_file_that_is_written_anew_while_it_is_read(tmp_path: Path) -> None:
    path = prepared(tmp_path / "leaves" / "val.h5")
    begun, later = PreparedSplit(path), PreparedSplit(path)
    first = begun.read(0)
    write_split(FakeReader(COUNT, objects=1), path, SIZE, SplitOrigin("leaves", "val", "0123"))
    assert begun.read(0).image.equal(first.image)  # the old file is still open
    with pytest.raises(UserError, match=r"val\.h5: was written anew while it was in use; run the command again"):
        later.read(0)


@pytest.mark.slow
def test_little_memory_for_huge_claims(tmp_path: Path) -> None:
    path = prepared(tmp_path / "leaves" / "val.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["size"] = [8192, 8192]
        for name, kind in (("images", np.uint8), ("instance_maps", np.uint16), ("ignore_masks", np.uint8)):
            shape = (COUNT, 8192, 8192, 3) if name == "images" else (COUNT, 8192, 8192)
            del file[name]
            file.create_dataset(name, shape, kind, chunks=(1, *shape[1:]), compression="gzip")[0, 0, 0] = 1
    code = "from pathlib import Path; from rsis.data.prepared.file import PreparedSplit; PreparedSplit(Path({!r}))"
    error = run_with_memory(code.format(str(path)), 3 * 2**29)
    assert "rsis.errors.UserError" in error
    assert "images holds" in error


def plants(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        for number in (1, 2):
            plant = file.create_group(f"A1/plant{number:03d}")
            plant["rgb"], plant["label"] = np.zeros((16, 16, 3), np.uint8), np.ones((16, 16), np.uint8)
            plant["count"] = 1
    return path


PLANT = "A1/plant002"
OF_PLANTS: dict[str, tuple[Change, str]] = {
    "another file's bytes": (
        replaced(f"{PLANT}/rgb", shape=(16, 16, 3), dtype=np.uint8, external=[("/etc/passwd", 0, 768)]),
        f"{PLANT}/rgb has its values in another file, which is not read",
    ),
    "another file's picture": (
        linked(f"{PLANT}/rgb", h5py.ExternalLink("other.h5", "rgb")), f"{PLANT}/rgb is a link, which is not followed"
    ),
    "another file's plant": (linked(PLANT, h5py.ExternalLink("other.h5", "a")), f"{PLANT} is a link"),
    "another file's set": (linked("A1", h5py.ExternalLink("other.h5", "a")), "A1 is a link"),
    "a link to itself": (linked(f"{PLANT}/label", h5py.SoftLink(f"/{PLANT}/label")), f"{PLANT}/label is a link"),
    "a huge picture": (
        replaced(f"{PLANT}/rgb", shape=(100_000, 100_000, 3), dtype=np.uint8, chunks=(1000, 1000, 3)),
        f"{PLANT}/rgb declares uint8 [100000, 100000, 3], too much",
    ),
    "a huge map": (
        replaced(f"{PLANT}/label", shape=(60_000, 60_000), dtype=np.uint8, chunks=(1000, 1000)),
        f"{PLANT}/label declares uint8 [60000, 60000], too much",
    ),
    "an empty picture": (
        replaced(f"{PLANT}/rgb", np.zeros((0, 0, 3), np.uint8)), f"{PLANT}/rgb: uint8 [0, 0, 3], expected uint8 [H, W"
    ),
    "an empty map": (replaced(f"{PLANT}/label", np.zeros((0, 5), np.uint8)), "label: uint8 [0, 5], expected [H, W]"),
    "a map of another size": (
        replaced(f"{PLANT}/label", np.ones((8, 8), np.uint8)), "an instance map of sizes (16, 16) and (8, 8)"
    ),
    "an infinite count": (replaced(f"{PLANT}/count", np.inf), "cannot convert float infinity to integer"),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_PLANTS)
def test_plants_of_wrong_content_are_refused(tmp_path: Path, name: str) -> None:
    path = plants(tmp_path / "CVPPP2017_training.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["rgb"] = np.zeros((16, 16, 3), np.uint8)
        file.create_group("a/plant002")
    change, part = OF_PLANTS[name]
    with h5py.File(path, "r+") as file:
        change(file)
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(UserError) as caught:
        extract_lsc([path], ["training/A1"], target)
    assert str(path) in str(caught.value)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
