"""`rsis init` recognises maps, masks and COCO JSON by file and folder names, and lists oddities of annotations."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.own_folders import write_coco, write_maps, write_masks

from rsis.config.datasets import AnyDataset, MapsDataset, MasksDataset
from rsis.config.sources import FolderSource
from rsis.errors import UserError
from rsis.own_data.findings import inspect
from rsis.own_data.recognize import recognize
from rsis.splits.own import MapsSplit, MasksSplit

NAMES = [f"p{number:02d}" for number in range(20)]


def split_names(folder: Path) -> dict[str, str]:
    """Return the format, and for each split its files and its share as text."""
    found = recognize(folder)
    return {"format": found.format} | {
        split: " ".join(str(value) for value in section.values()) for split, section in found.splits.items()
    }


def test_maps_in_two_folders_or_in_one(tmp_path: Path) -> None:
    write_maps(tmp_path / "two", NAMES[:4], "pictures", "masks", "_mask")
    write_maps(tmp_path / "one", NAMES[:4], ".", ".", "_label")
    assert split_names(tmp_path / "two") == {
        "format": "maps",
        "train": "pictures masks _mask (0.0, 0.7)",
        "val": "pictures masks _mask (0.7, 0.85)",
        "test": "pictures masks _mask (0.85, 1.0)",
    }
    assert split_names(tmp_path / "one")["train"] == ". . _label (0.0, 0.7)"


def test_folders_named_like_splits_are_the_splits(tmp_path: Path) -> None:
    write_maps(tmp_path / "Train", NAMES[:4])
    write_maps(tmp_path / "test", NAMES[4:6])
    assert split_names(tmp_path) == {
        "format": "maps",
        "train": "Train/images Train/labels (0.0, 0.85)",
        "val": "Train/images Train/labels (0.85, 1.0)",
        "test": "test/images test/labels",
    }


def test_a_folder_for_each_picture(tmp_path: Path) -> None:
    write_masks(tmp_path / "stage1_train", NAMES[:4])
    assert split_names(tmp_path)["train"] == "stage1_train (0.0, 0.7)"
    assert split_names(tmp_path / "stage1_train")["val"] == ". (0.7, 0.85)"
    shutil.copytree(tmp_path / "stage1_train/p00/images", tmp_path / "stage1_test/x/images")
    found = recognize(tmp_path)
    assert list(found.splits) == ["train", "val", "test"]
    assert found.left_out == ("stage1_test: left out, its pictures have no annotations",)
    write_masks(tmp_path / "test", NAMES[4:6])
    shutil.rmtree(tmp_path / "stage1_test")
    assert split_names(tmp_path)["test"] == "test"


def test_coco_by_the_names_of_its_files(tmp_path: Path) -> None:
    write_coco(tmp_path / "annotations/instances_train2017.json", tmp_path / "train", NAMES[:4])
    write_coco(tmp_path / "annotations/instances_val2017.json", tmp_path / "val", NAMES[4:6])
    assert split_names(tmp_path) == {
        "format": "coco",
        "train": "annotations/instances_train2017.json train",
        "val": "annotations/instances_val2017.json val",
    }
    write_coco(tmp_path / "single/all.json", tmp_path / "single/images", NAMES[:4])
    assert split_names(tmp_path / "single")["test"] == "all.json images (0.85, 1.0)"


def test_what_is_none_of_them_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no: no such folder; expected one of: a COCO instance JSON"):
        recognize(tmp_path / "no")
    Image.new("L", (4, 4)).save(tmp_path / "lonely.png")
    with pytest.raises(UserError, match=r"found lonely\.png; expected one of"):
        recognize(tmp_path)
    for name in ("a.json", "b.json"):
        write_coco(tmp_path / name, tmp_path / "images", NAMES[:2])
    with pytest.raises(UserError, match=r"a\.json and b\.json could both be the annotations"):
        recognize(tmp_path)


@pytest.mark.parametrize(
    ("images", "maps", "suffix"),
    [
        ("images/train", "labels/train", ""),
        ("train_images", "train_masks", ""),
        ("train/pictures", "train/GT", "-seg"),
        ("train", "train", "_cp_masks"),
        ("data/train/rgb", "data/train/instance maps", "_1"),
        ("images", "outlines of cells", ""),
    ],
)
def test_where_pictures_and_maps_may_be(tmp_path: Path, images: str, maps: str, suffix: str) -> None:
    write_maps(tmp_path, NAMES[:4], images, maps, suffix)
    test = [part.replace("train", "test") for part in (images, maps)]
    assert split_names(tmp_path)["train"] == " ".join(filter(None, (images, maps, suffix, "(0.0, 0.7)")))
    if test != [images, maps]:
        write_maps(tmp_path, NAMES[4:6], test[0], test[1], suffix)
        assert split_names(tmp_path)["test"] == " ".join(filter(None, (*test, suffix)))


def test_of_several_folders_of_maps_the_surest_counts_and_doubt_is_said(tmp_path: Path) -> None:
    for maps in ("masks", "labels", "overlays"):
        write_maps(tmp_path, NAMES[:4], "images", maps)
    assert split_names(tmp_path)["train"].startswith("images labels")
    shutil.rmtree(tmp_path / "labels")
    assert split_names(tmp_path)["train"].startswith("images masks")
    (tmp_path / "images").rename(tmp_path / "cells")
    with pytest.raises(UserError, match=r"could be cells with masks or overlays with masks; give the folder"):
        recognize(tmp_path)


def test_pictures_of_a_split_without_maps_are_left_out(tmp_path: Path) -> None:
    write_maps(tmp_path / "train", NAMES[:4])
    shutil.copytree(tmp_path / "train/images", tmp_path / "test/images")
    found = recognize(tmp_path)
    assert found.left_out == ("test/images: left out, its pictures have no annotations",)
    assert found.splits["test"] == {**found.splits["train"], "share": (0.85, 1.0)}
    (tmp_path / "train").rename(tmp_path / "val")
    with pytest.raises(UserError, match="has pictures of val but none of train"):
        recognize(tmp_path)


@pytest.mark.parametrize("number", [1, 2])
def test_fewer_than_three_pictures_cannot_be_divided(tmp_path: Path, number: int) -> None:
    write_maps(tmp_path / "maps", NAMES[:number])
    write_masks(tmp_path / "masks", NAMES[:number])
    write_coco(tmp_path / "coco/all.json", tmp_path / "coco", NAMES[:number])
    for form in ("maps", "masks", "coco"):
        with pytest.raises(UserError, match=rf"{form}: {number} annotated pictures; expected three at least"):
            recognize(tmp_path / form)


def test_a_training_picture_beside_a_test_set_cannot_be_divided(tmp_path: Path) -> None:
    write_maps(tmp_path / "train", NAMES[:1])
    write_maps(tmp_path / "test", NAMES[1:4])
    with pytest.raises(UserError, match="1 annotated pictures to train on; expected two at least"):
        recognize(tmp_path)


@pytest.mark.parametrize("number", [3, 4, 5, 7, 20])
def test_of_any_number_each_split_has_one_at_least(tmp_path: Path, number: int) -> None:
    write_maps(tmp_path, NAMES[:number])
    sections = recognize(tmp_path).splits
    splits = {split: MapsSplit(**section) for split, section in sections.items()}
    found = inspect(maps_dataset(tmp_path, splits), tmp_path)
    assert min(found.images.values()) >= 1
    assert sum(found.images.values()) == number


def test_coco_as_coco_itself_is_distributed(tmp_path: Path) -> None:
    """There are other annotation files beside the instances, and pictures with equal names in the splits' folders."""
    for split, names in (("train", NAMES[:4]), ("val", NAMES[:2])):
        for kind in ("instances", "person_keypoints"):
            write_coco(tmp_path / f"annotations/{kind}_{split}2017.json", tmp_path / f"{split}2017", names)
    (tmp_path / "annotations/captions_val2017.json").write_text('{"images": [], "annotations": []}')
    assert split_names(tmp_path) == {
        "format": "coco",
        "train": "annotations/instances_train2017.json train2017",
        "val": "annotations/instances_val2017.json val2017",
    }
    assert [line.split(":")[0] for line in recognize(tmp_path).left_out] == [
        "annotations/person_keypoints_train2017.json",
        "annotations/person_keypoints_val2017.json",
    ]
    shutil.rmtree(tmp_path / "val2017")
    (tmp_path / "train2017/p00.png").unlink()
    (tmp_path / "annotations/instances_val2017.json").unlink()
    (tmp_path / "annotations/person_keypoints_val2017.json").unlink()
    assert split_names(tmp_path)["train"].startswith("annotations/instances_train2017.json train2017")
    shutil.rmtree(tmp_path / "train2017")
    with pytest.raises(UserError, match=r"its pictures \('p00.png'\) are nowhere under"):
        recognize(tmp_path)


def maps_dataset(root: Path, splits: dict[str, MapsSplit]) -> AnyDataset:
    source = FolderSource(kind="folder", path=str(root))
    return MapsDataset.model_validate({"format": "maps", "source": source, "size": (32, 32), "splits": splits})


def oddities_of(dataset: AnyDataset, root: Path) -> str:
    found = inspect(dataset, root)
    return "\n".join((*found.problems, *found.oddities))


def test_odd_maps_are_noticed(tmp_path: Path) -> None:
    write_maps(tmp_path, NAMES)
    labels = sorted((tmp_path / "labels").iterdir())
    for path in labels:
        Image.fromarray(255 * (np.asarray(Image.open(path)) > 0).astype(np.uint8)).save(path)
    labels[0].write_bytes(b"x")
    Image.new("L", (64, 48)).save(labels[1])
    labels[2].unlink()
    Image.open(labels[3]).save(labels[3].with_suffix(".jpg"))
    labels[3].unlink()
    dataset = maps_dataset(tmp_path, {"train": MapsSplit(images="images", maps="labels")})
    assert inspect(dataset, tmp_path).bad == 2
    found = oddities_of(dataset, tmp_path)
    assert "p00.png: not a readable image" in found
    assert "p02.png: has no instance map" in found
    assert "1 of 18 images have no object" in found
    assert "of 19 maps hold 0 and 255 alone: a mask of a class" in found
    assert "1 of 19 maps are JPEG" in found
    assert "p03.jpg" in found
    for path in (tmp_path / "labels").iterdir():
        path.unlink()
        Image.new("CMYK", (64, 48)).save(path.with_suffix(".tif"))
    with pytest.raises(UserError, match=r"none of the .* images of train can be used: .*pixels of mode CMYK"):
        inspect(dataset, tmp_path)


def test_odd_masks_and_dark_pictures_are_noticed(tmp_path: Path) -> None:
    write_masks(tmp_path, NAMES[:4])
    first, second, third, *_ = sorted((tmp_path / "p00/masks").iterdir())
    Image.fromarray(np.linspace(0, 255, 48 * 64).reshape(48, 64).astype(np.uint8)).save(first)
    Image.new("L", (64, 48), 255).save(second)
    Image.new("L", (64, 48)).save(third)
    for path in tmp_path.glob("*/images/*.png"):
        grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16)
        Image.fromarray((grey // 8).astype(np.uint8)).save(path)
    source = FolderSource(kind="folder", path=str(tmp_path))
    dataset = MasksDataset(format="masks", source=source, size=(32, 32), splits={"train": MasksSplit()})
    found = oddities_of(dataset, tmp_path)
    assert (
        f"1 of 16 masks have more than two values: every pixel above 0 counts as the object's (the first: {first})"
        in found
    )
    assert f"masks have no pixel of 0 and so cover the whole picture (the first: {second})" in found
    assert f"masks are empty and stand for no object (the first: {third})" in found
    assert "of 255: brighten them" in found
