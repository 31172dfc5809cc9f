"""The training's reader and the scorers' ground truth read instance maps and masks alike, and as they were drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.own_folders import discs, write_coco, write_maps, write_masks
from support.reference_data import NUCLEI

from rsis.config.datasets import AnyDataset, CocoDataset, MapsDataset, MasksDataset
from rsis.config.sources import FolderSource
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.coco import CocoReader
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import decode_rle, relabel
from rsis.own_data.recognize import recognize

NAMES = [f"cell{number}" for number in range(6)]
SOURCE = FolderSource(kind="folder", path="unused")


def dataset(kind: str, **split: Any) -> AnyDataset:
    make: Any = {"maps": MapsDataset, "masks": MasksDataset, "coco": CocoDataset}[kind]
    extra = {} if kind == "coco" else {"class_name": "nucleus"}
    made: AnyDataset = make.model_validate(
        {"format": kind, "source": SOURCE, "size": (32, 32), "splits": {"train": split}} | extra, strict=False
    )
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_maps(tmp_path, NAMES)
    write_maps(tmp_path / "one", NAMES, ".", ".", "_label")
    write_masks(tmp_path / "each", NAMES)
    write_coco(tmp_path / "coco.json", tmp_path / "coco", NAMES)
    return tmp_path


SPLITS = [
    ("maps", {"images": "images", "maps": "labels"}),
    ("maps", {"images": "one", "maps": "one", "suffix": "_label"}),
    ("masks", {"folder": "each"}),
]


@pytest.mark.parametrize(("kind", "split"), SPLITS)
def test_both_read_what_was_drawn(folder: Path, kind: str, split: dict[str, str]) -> None:
    section = dataset(kind, **split)
    reader, truth = open_split(section, folder, "train"), load_ground_truth(section, folder, "train")
    assert reader.image_ids == truth.image_ids == tuple(NAMES)
    assert reader.class_names == truth.class_names == ("nucleus",)
    for number, name in enumerate(NAMES):
        image, labels = discs(number)
        sample = reader.read(name)
        assert np.array_equal(sample.image, image)
        assert np.array_equal(sample.instance_map, relabel(labels))
        assert np.array_equal(relabel(truth.instance_map(name)), relabel(labels))
        assert sample.class_ids.tolist() == [1] * len(np.unique(labels[labels > 0]))
        assert truth.size(name) == labels.shape
        assert not truth.ignore_mask(name).any()
        assert truth.image_path(name).is_file()
        found = truth.annotations(name)
        assert [item.class_id for item in found] == sample.class_ids.tolist()
        for item, label in zip(found, np.unique(labels[labels > 0]), strict=True):
            assert np.array_equal(decode_rle(item.rle), labels == label)


@pytest.mark.parametrize(("kind", "split"), [*SPLITS, ("coco", {"annotations": "coco.json", "images": "coco"})])
def test_shares_divide_the_images(folder: Path, kind: str, split: dict[str, str]) -> None:
    parts = []
    for share in ((0.0, 0.5), (0.5, 0.7), (0.7, 1.0)):
        section = dataset(kind, **split, share=share)
        reader = open_split(section, folder, "train")
        assert set(reader.image_ids) == set(load_ground_truth(section, folder, "train").image_ids)
        parts.append(set(reader.image_ids))
    assert [len(part) for part in parts] == [3, 1, 2]
    assert len(set.union(*parts)) == 6
    with pytest.raises(UserError, match=r"share \[0\.0, 0\.1\] of 6 images takes none"):
        open_split(dataset(kind, **split, share=(0.0, 0.1)), folder, "train")


def test_overlapping_masks_stay_whole_for_the_scorers(tmp_path: Path) -> None:
    (tmp_path / "a/images").mkdir(parents=True)
    (tmp_path / "a/masks").mkdir()
    Image.new("RGBA", (8, 6)).save(tmp_path / "a/images/a.png")
    large, small = np.full((6, 8), 255, np.uint8), np.zeros((6, 8), np.uint8)
    small[:2] = 255
    Image.fromarray(large).save(tmp_path / "a/masks/1.png")
    Image.fromarray(small).convert("P").save(tmp_path / "a/masks/2.png")
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(tmp_path / "a/masks/3.png")  # an empty mask, no object
    section = dataset("masks")
    sample, truth = open_split(section, tmp_path, "train").read("a"), load_ground_truth(section, tmp_path, "train")
    assert np.bincount(sample.instance_map.ravel()).tolist() == [0, 32, 16]
    assert [item.area for item in truth.annotations("a")] == [48, 16]
    assert np.bincount(truth.instance_map("a").ravel()).tolist() == [0, 32, 16]


def test_what_lacks_its_other_half_is_named(folder: Path) -> None:
    section = dataset("maps", images="images", maps="labels")
    (folder / "labels/cell3.png").unlink()
    with pytest.raises(UserError, match=r"cell3\.png: has no instance map of that name; add it"):
        open_split(section, folder, "train")
    lost: list[Path] = []
    reader = open_split(section, folder, "train", lambda path, _: lost.append(path))
    assert len(reader.image_ids) == 5
    assert [path.name for path in lost] == ["cell3.png"]
    skipping = section.model_copy(update={"skip_bad": True})
    assert load_ground_truth(skipping, folder, "train").image_ids == reader.image_ids
    (folder / "each/cell1/images/more.png").write_bytes((folder / "each/cell1/images/cell1.png").read_bytes())
    with pytest.raises(UserError, match=r"images: holds 2 pictures, expected one"):
        open_split(dataset("masks", folder="each"), folder, "train")


def test_broken_files_are_named(folder: Path) -> None:
    Image.new("CMYK", (64, 48)).save(folder / "labels/cell0.tif")
    (folder / "labels/cell0.tif").replace(folder / "labels/cell0.png")
    Image.new("L", (64, 40)).save(folder / "labels/cell1.png")
    section = dataset("maps", images="images", maps="labels")
    reader, truth = open_split(section, folder, "train"), load_ground_truth(section, folder, "train")
    with pytest.raises(BadSampleError, match=r"cell0\.png: pixels of mode CMYK, expected a number or an 8-bit colour"):
        reader.read("cell0")
    with pytest.raises(UserError, match=r"cell0\.png: has pixels of mode SEPARATED"):
        truth.annotations("cell0")
    with pytest.raises(BadSampleError, match=r"cell1\.png: 40 x 64 pixels, its picture has 48 x 64"):
        reader.read("cell1")
    (folder / "each/cell2/masks/bad.png").write_bytes(b"x")
    with pytest.raises(BadSampleError, match=r"bad\.png: not a readable image"):
        open_split(dataset("masks", folder="each"), folder, "train").read("cell2")
    for missing in (dataset("maps", images="no", maps="labels"), dataset("masks", folder="no")):
        with pytest.raises(UserError, match=r"no: no such folder"):
            open_split(missing, folder, "train")


def test_real_nuclei_in_the_layout_they_were_distributed_in(tmp_path: Path) -> None:
    """Four pictures of the Data Science Bowl 2018: the masks of the nuclei have the same pixels as in the COCO file."""
    coco = CocoReader(NUCLEI / "test/instances.json", NUCLEI / "test/images")
    ids = coco.image_ids[:4]
    for image_id in ids:
        sample, folder = coco.read(image_id), tmp_path / Path(image_id).stem
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
        Image.fromarray(sample.image).save(folder / "images" / f"{folder.name}.png")
        for label in range(1, len(sample.class_ids) + 1):
            mask = 255 * (sample.instance_map == label).astype(np.uint8)
            Image.fromarray(mask).save(folder / "masks" / f"{label:04d}.png")
    found = recognize(tmp_path)
    assert (found.format, found.splits["train"]["folder"]) == ("masks", ".")
    reader = open_split(dataset("masks"), tmp_path, "train")
    assert reader.image_ids == tuple(sorted(Path(image_id).stem for image_id in ids))
    for image_id in ids:
        ours, theirs = reader.read(Path(image_id).stem), coco.read(image_id)
        assert np.array_equal(ours.instance_map, theirs.instance_map)
        assert np.array_equal(ours.image, theirs.image)
