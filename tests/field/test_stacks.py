"""TIFF files with more than one picture: pages, channels, and what is refused by name."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image
from support.agreement import maps, masks, read_both
from support.in_process import exit_code as rsis
from support.own_folders import discs
from support.small_model import write_small_model

from rsis import RSIS
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.open import open_split
from rsis.data.readers.pictures import PictureRules, read_picture
from rsis.errors import UserError
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import relabel
from rsis.splits.pages import planes_of
from rsis.tool.result import ImageResult

PAGES = 5


def pages(number: int, count: int = PAGES) -> tuple[np.ndarray, np.ndarray]:
    """Return grey pictures, uint8 [n, H, W], and maps with other objects on every page."""
    drawn = [discs(100 * number + page, objects=1 + page) for page in range(count)]
    return np.stack([image[..., 0] for image, _ in drawn]), np.stack([labels for _, labels in drawn])


def by_pillow(path: Path, array: np.ndarray) -> None:
    first, *rest = (Image.fromarray(page) for page in array)
    first.save(path, save_all=True, append_images=rest)


def by_pillow_lzw(path: Path, array: np.ndarray) -> None:
    first, *rest = (Image.fromarray(page) for page in array)
    first.save(path, save_all=True, append_images=rest, compression="tiff_lzw")


def by_imagej(path: Path, array: np.ndarray) -> None:
    tifffile.imwrite(path, array, imagej=True, metadata={"axes": "ZYX"})


def by_ome(path: Path, array: np.ndarray) -> None:
    tifffile.imwrite(path.with_suffix(".tif"), array, ome=True, metadata={"axes": "ZYX"}, photometric="minisblack")


def write(folder: Path, write_file: Any = tifffile.imwrite, stacks: int = 2, count: int = PAGES) -> None:
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(stacks):
        images, labels = pages(number, count)
        write_file(folder / f"images/s{number}.tif", images)
        write_file(folder / f"labels/s{number}.tif", labels.astype(np.uint8))


@pytest.mark.parametrize("write_file", [tifffile.imwrite, by_pillow, by_pillow_lzw, by_imagej, by_ome])
@pytest.mark.parametrize("count", [5, 3])
@pytest.mark.filterwarnings("ignore:.*are stored as RGB:DeprecationWarning")
def test_each_page_is_a_picture_where_the_map_has_as_many(tmp_path: Path, write_file: Any, count: int) -> None:
    write(tmp_path, write_file, count=count)
    samples = read_both(maps(), tmp_path)
    assert list(samples) == [f"s{number}#{page + 1}" for number in range(2) for page in range(count)]
    for number in range(2):
        images, labels = pages(number, count)
        for page in range(count):
            sample = samples[f"s{number}#{page + 1}"]
            assert np.array_equal(sample.image[..., 1], images[page])
            assert np.array_equal(sample.instance_map, relabel(labels[page]))


def test_pages_of_different_sizes(tmp_path: Path) -> None:
    sizes = [(48, 64), (40, 40), (30, 50)]
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    drawn = [discs(number, size) for number, size in enumerate(sizes)]
    for part, arrays in (
        ("images", [image for image, _ in drawn]),
        ("labels", [item.astype(np.uint8) for _, item in drawn]),
    ):
        first, *rest = (Image.fromarray(array) for array in arrays)
        first.save(tmp_path / part / "s.tif", save_all=True, append_images=rest)
    samples = read_both(maps(), tmp_path)
    assert [samples[f"s#{page}"].image.shape[:2] for page in (1, 2, 3)] == sizes


def test_one_page_of_each_stack_can_be_chosen(tmp_path: Path) -> None:
    write(tmp_path)
    images, labels = pages(1)
    samples = read_both(maps(page=4), tmp_path)
    assert list(samples) == ["s0", "s1"]
    assert np.array_equal(samples["s1"].image[..., 0], images[3])
    assert np.array_equal(samples["s1"].instance_map, relabel(labels[3]))
    Image.fromarray(labels[3].astype(np.uint8)).save(tmp_path / "labels/s1.tif")  # a map of this page alone
    assert np.array_equal(read_both(maps(page=4), tmp_path)["s1"].instance_map, samples["s1"].instance_map)


def test_numbers_of_pages_that_differ_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    tifffile.imwrite(tmp_path / "labels/s0.tif", pages(0, 4)[1].astype(np.uint8))
    tifffile.imwrite(tmp_path / "images/s1.tif", pages(1)[0][0])
    reader = open_split(maps(), tmp_path, "train")
    with pytest.raises(BadSampleError, match=r"images/s0\.tif: has 5 pages \(Q 5, Y 48, X 64\), expected one picture"):
        reader.read("s0")
    with pytest.raises(BadSampleError, match=r"labels/s1\.tif: has 5 pages .*, its picture has another number"):
        reader.read("s1")


def test_the_name_of_a_page_must_be_free(tmp_path: Path) -> None:
    write(tmp_path, stacks=1)
    for part in ("images", "labels"):
        tifffile.imwrite(tmp_path / part / "s0#2.tif", np.zeros((8, 8), np.uint8))
    with pytest.raises(UserError, match=r"its page s0#2 has the name of another picture"):
        open_split(maps(), tmp_path, "train")


def test_a_thumbnail_or_overview_is_no_page(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.full((48, 64), 9, np.uint8))
        writer.write(np.full((12, 16), 5, np.uint8), subfiletype=1)
    assert planes_of(path).pages == 1
    assert read_picture(path).size == (48, 64)


def channels(count: int) -> np.ndarray:
    return np.stack([np.full((48, 64), 40 * number, np.uint8) for number in range(1, count + 1)])


@pytest.mark.parametrize(
    ("count", "chosen", "colour"),
    [
        (2, None, (40, 80, 0)), (3, None, (40, 80, 120)), (5, (5, 1, 2), (200, 40, 80)), (4, (3,), (120, 120, 120)),
        (3, (3, 1), (120, 40, 0)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("layout", ["imagej", "ome", "samples"])
def test_channels_become_colours(
    tmp_path: Path, layout: str, count: int, chosen: tuple[int, ...] | None, colour: tuple[int, ...]
) -> None:
    path, array = tmp_path / "a.tif", channels(count)
    if layout == "samples":
        tifffile.imwrite(path, array.transpose(1, 2, 0), photometric="minisblack", planarconfig="contig")
    else:
        is_imagej = layout == "imagej"
        kind: dict[str, Any] = {"imagej": is_imagej, "ome": not is_imagej, "metadata": {"axes": "CYX"}}
        tifffile.imwrite(path, array, photometric="minisblack", **kind)
    picture = read_picture(path, PictureRules(channels=chosen))
    assert picture.image.shape == (48, 64, 3)
    assert tuple(picture.image[7, 9]) == colour


def test_pages_are_channels_where_the_key_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    by_pillow(path, channels(4))
    assert tuple(read_picture(path, PictureRules(channels=(4, 2, 1))).image[0, 0]) == (160, 80, 40)


def test_a_stack_of_channels_has_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    array = np.arange(12, dtype=np.uint8).reshape(4, 3, 1, 1) * np.ones((1, 1, 48, 64), np.uint8)
    tifffile.imwrite(path, array, imagej=True, metadata={"axes": "ZCYX"})
    assert tuple(read_picture(path, page=2).image[5, 5]) == (6, 7, 8)
    assert tuple(read_picture(path, PictureRules(channels=(3,), page=4)).image[5, 5]) == (11, 11, 11)


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("TZYX", (2, 3, 48, 64), r"has 2 axes of pages \(T 2, Z 3, Y 48, X 64\), expected one at most; save each"),
        ("TZCYX", (2, 3, 2, 48, 64), r"has 2 axes of pages \(T 2, Z 3, C 2, Y 48, X 64\)"),
        ("CYX", (5, 48, 64), r"has 5 channels \(C 5, .*nothing says which become red, green and blue; choose with"),
    ],
)
def test_what_nothing_chooses_among_is_refused(tmp_path: Path, axes: str, shape: tuple[int, ...], message: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros(shape, np.uint8), imagej=True, metadata={"axes": axes})
    with pytest.raises(BadSampleError, match=message):
        read_picture(path)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (PictureRules(page=9), "has 5 pages, expected page 9; correct page"),
        (PictureRules(channels=(6,)), "has 5 channels, expected channel 6; correct channels"),
    ],
)
def test_choices_that_are_not_there_are_refused(tmp_path: Path, rules: PictureRules, message: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pages(0)[0])
    with pytest.raises(BadSampleError, match=message):
        read_picture(tmp_path / "a.tif", rules)


def test_the_picture_of_the_layout_masks_may_choose_a_page(tmp_path: Path) -> None:
    images, labels = pages(0)
    for part in ("images", "masks"):
        (tmp_path / "a" / part).mkdir(parents=True)
    tifffile.imwrite(tmp_path / "a/images/a.tif", images)
    Image.fromarray((labels[2] > 0).astype(np.uint8)).save(tmp_path / "a/masks/1.png")
    with pytest.raises(BadSampleError, match=r"has 5 pages .*choose one with the data set's key page"):
        open_split(masks(), tmp_path, "train").read("a")
    assert np.array_equal(read_both(masks(page=3), tmp_path)["a"].image[..., 0], images[2])


def test_predict_images_takes_every_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, by_pillow)
    checkpoint, out = write_small_model(tmp_path / "small.safetensors"), tmp_path / "found"
    tifffile.imwrite(
        tmp_path / "images/t.tif", np.zeros((2, 3, 48, 64), np.uint8), imagej=True, metadata={"axes": "TZYX"}
    )
    command = ["predict-images", tmp_path / "images", "--checkpoint", checkpoint, "--out", out]
    assert rsis(monkeypatch, *command) == 0
    assert "skipped" in (printed := capsys.readouterr().err)
    assert "t.tif: has 2 axes of pages" in " ".join(printed.split())
    with (out / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * PAGES
    assert [(Path(row["image"]).name, row["name"]) for row in rows][2:6] == [
        ("s0.tif#3", "s0_3"), ("s0.tif#4", "s0_4"), ("s0.tif#5", "s0_5"), ("s1.tif#1", "s1_1"),
    ]  # fmt: skip
    assert (out / "overlays/s1_5.png").is_file()
    model = RSIS.from_checkpoint(checkpoint)
    results = model.predict(tmp_path / "images/s0.tif")
    assert isinstance(results, list)
    for page, result in enumerate(results):
        assert isinstance(result, ImageResult)
        assert np.array_equal(result.image[..., 0], pages(0)[0][page])


def test_init_says_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "cells", by_imagej, stacks=6)
    assert rsis(monkeypatch, "init", "cells") == 0
    printed = capsys.readouterr()
    assert "train 20, val 5, test 5" in printed.out
    expected = "6 files are stacks of as many pages as the maps: each page is a picture of its own, 30 in all"
    assert expected in " ".join(printed.err.split())
    for number in range(6):  # maps of one page
        tifffile.imwrite(tmp_path / f"cells/labels/s{number}.tif", pages(number)[1][2].astype(np.uint8))
    assert rsis(monkeypatch, "init", "cells", "--name", "one") == 2
    assert "rsis init --page 1, --channels 1,2,3" in " ".join(capsys.readouterr().err.split())
    assert rsis(monkeypatch, "init", "cells", "--name", "one", "--page", "3") == 0
    assert yaml.safe_load(Path("params.yaml").read_text())["datasets"]["one"]["page"] == 3
    labels = {"axes": "CYX", "Labels": ["DAPI", "GFP", "RFP", "Cy5"]}
    for number in range(6):
        tifffile.imwrite(tmp_path / f"cells/images/s{number}.tif", pages(number, 4)[0], imagej=True, metadata=labels)
    capsys.readouterr()
    assert rsis(monkeypatch, "init", "cells", "--name", "four") == 2
    assert rsis(monkeypatch, "init", "cells", "--name", "four", "--channels", "3,1") == 0
    note = "6 of 6 pictures have 4 channels (DAPI, GFP, RFP, Cy5): 3 becomes red, 1 becomes green"
    assert note in " ".join(capsys.readouterr().err.split())
    assert yaml.safe_load(Path("params.yaml").read_text())["datasets"]["four"]["channels"] == [3, 1]
    assert rsis(monkeypatch, "init", "cells", "--name", "five", "--channels", "0,a") == 2
    assert "--channels: found '0,a'; expected one to three numbers" in " ".join(capsys.readouterr().err.split())


def test_a_tiff_file_made_to_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images/a.tif"
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
        tifffile.imwrite(tmp_path / part / "a.tif", np.zeros((8, 9), np.uint32))
    for part in ("images", "labels"):
        path = tmp_path / part / "a.tif"
        with tifffile.TiffFile(path, mode="r+") as tiff:
            for tag in ("ImageWidth", "ImageLength"):
                tiff.pages.first.tags[tag].overwrite(60_000)
        with pytest.raises(UserError, match=rf"{part}/a\.tif: has 3600000000 pixels"):
            open_split(maps(), tmp_path, "train").read("a")
        if part == "labels":
            with pytest.raises(UserError, match=r"labels/a\.tif: has 3600000000 pixels"):
                load_ground_truth(maps(), tmp_path, "train").instance_map("a")
        tifffile.imwrite(path, np.zeros((8, 9), np.uint32))
