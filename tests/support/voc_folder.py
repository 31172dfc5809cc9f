"""Tiny data sets in the layout of VOC 2012 and of sbdataset, and the configuration that reads them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_matrix

from rsis.config.datasets import VocDataset, VocSplit

VOC, SBDATASET = "VOC2012", "sbd"
# two objects, cat 8 and person 15, with void between them
OBJECTS = np.array([[0, 1, 1, 255, 3, 3], [0, 1, 1, 255, 3, 3], [0, 0, 0, 255, 255, 0], [0, 0, 0, 0, 0, 0]])
CLASSES = np.array([[0, 8, 8, 255, 15, 15], [0, 8, 8, 255, 15, 15], [0, 0, 0, 255, 255, 0], [0, 0, 0, 0, 0, 0]])
# three objects, the second has no pixel: bird 3, (dog 12), bird 3
SEGMENTATION = np.array([[1, 1, 0, 0, 0, 0], [1, 1, 0, 3, 3, 3], [0, 0, 0, 3, 3, 3], [0, 0, 0, 0, 0, 0]], np.uint8)
CATEGORIES = (3, 12, 3)


def configuration(voc: str = VOC, sbdataset: str | None = SBDATASET, **splits: dict[str, Any]) -> VocDataset:
    """Return a data set section with these splits."""
    content = {"format": "voc", "source": {"kind": "folder", "path": "pictures"}, "size": (8, 8)}
    return VocDataset.model_validate({**content, "voc": voc, "sbdataset": sbdataset, "splits": splits})


def voc_split(**values: Any) -> VocSplit:
    return VocSplit.model_validate(values)


def write_picture(path: Path, size: tuple[int, int], grey: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (grey, grey, grey)).save(path, quality=95)


def write_indices(path: Path, indices: np.ndarray) -> None:
    """Write a palette PNG whose colours differ from the indices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette([value * 7 % 256 for value in range(768)])
    image.save(path)
    assert Image.open(path).mode == "P"


def write_voc(root: Path, image_id: str, objects: np.ndarray = OBJECTS, classes: np.ndarray = CLASSES) -> None:
    """Write one image annotated by VOC."""
    write_picture(root / VOC / "JPEGImages" / f"{image_id}.jpg", (objects.shape[0], objects.shape[1]))
    write_indices(root / VOC / "SegmentationObject" / f"{image_id}.png", objects)
    write_indices(root / VOC / "SegmentationClass" / f"{image_id}.png", classes)


def write_mat(path: Path, content: dict[str, Any], name: str = "GTinst", compress: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {name: content}, do_compression=compress)


def instances(segmentation: np.ndarray = SEGMENTATION, categories: Iterable[int] = CATEGORIES) -> dict[str, Any]:
    """Return the struct GTinst of sbdataset, with its boundaries."""
    column = np.array(list(categories), np.uint8).reshape(-1, 1)
    boundaries = np.empty((len(column), 1), object)
    boundaries[:, 0] = [csc_matrix(segmentation == i + 1) for i in range(len(column))]
    return {"Segmentation": segmentation, "Categories": column, "Boundaries": boundaries}


def write_sbdataset(
    root: Path, image_id: str, segmentation: np.ndarray = SEGMENTATION, categories: Iterable[int] = CATEGORIES
) -> None:
    """Write one image annotated by sbdataset; its picture is darker than VOC's."""
    write_picture(root / SBDATASET / "img" / f"{image_id}.jpg", (segmentation.shape[0], segmentation.shape[1]), 30)
    write_mat(root / SBDATASET / "inst" / f"{image_id}.mat", instances(segmentation, categories))


def write_list(path: Path, ids: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{image_id}\n" for image_id in ids))


def write_set(root: Path, name: str, ids: Iterable[str]) -> None:
    """Write an image set of VOC."""
    write_list(root / VOC / "ImageSets" / "Segmentation" / f"{name}.txt", ids)


def write_tree(root: Path) -> VocDataset:
    """Write a data set in which VOC and sbdataset overlap; return its section with all kinds of splits.

    VOC annotates a, b (train) and v, w (val); sbdataset annotates a, s, t (train) and v, u (val); a and v are in both.
    """
    for image_id in ("img_a", "img_b", "img_v", "img_w"):
        write_voc(root, image_id)
    for image_id in ("img_a", "img_s", "img_t", "img_v", "img_u"):
        write_sbdataset(root, image_id)
    write_set(root, "train", ["img_b", "img_a"])
    write_set(root, "val", ["img_v", "img_w"])
    write_list(root / SBDATASET / "train.txt", ["img_s", "img_t", "img_a"])
    write_list(root / SBDATASET / "val.txt", ["img_u", "img_v"])
    both = {"image_sets": ("train",), "sbdataset": ("train", "val"), "exclude": ("val",), "seed": 3}
    return configuration(
        train={**both, "share": (0.2, 1.0)}, val={**both, "share": (0.0, 0.2)}, test={"image_sets": ("val",)}
    )


def cut(name: str, keep: float) -> Callable[[Path], object]:
    """Return a function that truncates a file of a data set to the fraction `keep`."""

    def shorten(root: Path) -> None:
        content = (root / name).read_bytes()
        (root / name).write_bytes(content[: int(keep * len(content))])

    return shorten


def convert(name: str, mode: str) -> Callable[[Path], object]:
    """Return a function that converts a mask of a data set to another mode of Pillow."""
    return lambda root: Image.open(root / name).convert(mode).save(root / name)
