"""The truth of a split, read from the benchmark's raw annotations.

This reading shares nothing with the preparation of the training data: a fault there must show up as a bad
score and not cancel out.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from rsis.config import CocoDataset, CocoSplit, CvpppDataset, CvpppSplit, Split
from rsis.errors import UserError
from rsis.eval.coco_file import CocoFile, CocoObject, rasterise
from rsis.files import read_json
from rsis.masks import RLE, decode_rle, encode_rle

Item = TypeVar("Item")


@dataclass(frozen=True)
class TrueObject:
    """One annotated object.

    Attributes:
        rle: Its mask.
        class_id: 1..K-1.
        area: Pixels, as the annotation says where it does (COCO sorts objects into sizes by it).
        iscrowd: It stands for a group: found or not, it counts for nothing.
    """

    rle: RLE
    class_id: int
    area: float
    iscrowd: bool


class GroundTruth(ABC):
    """The annotated images of a split; each is read when it is asked for.

    Attributes:
        image_ids: Unique names, in the order of the split.
        class_names: Names of classes 1..K-1.
    """

    def __init__(self, image_ids: Sequence[str], class_names: Sequence[str]) -> None:
        self.image_ids = tuple(image_ids)
        self.class_names = tuple(class_names)

    @abstractmethod
    def image_path(self, image_id: str) -> Path:
        """Return where the picture itself is."""

    @abstractmethod
    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of the annotation."""

    @abstractmethod
    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], 0 = background, the other labels as annotated, perhaps with gaps."""

    @abstractmethod
    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true where the annotation says nothing."""

    @abstractmethod
    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects, crowd regions too, as pycocotools needs them; masks may overlap."""


def load_ground_truth(dataset: CvpppDataset | CocoDataset, root: Path, split: Split) -> GroundTruth:
    """Open the truth of one split.

    Args:
        dataset: Section of params.yaml.
        root: Folder of the raw data; the paths in `dataset.splits` are relative to it.
        split: Which images.

    Raises:
        UserError: The split is not configured; a folder or file is missing, empty or not of its format.
            The same can come later from the methods of the result, which read one image each.
    """
    if split not in dataset.splits:
        raise UserError(
            f"params.yaml: the data set has no split {split!r}, but {', '.join(dataset.splits)}; "
            "add it to its splits, or choose another in the run's predict.split and predict again"
        )
    if isinstance(dataset, CvpppDataset):
        return CvpppTruth(root, dataset.splits[split])
    return CocoTruth(root, dataset.splits[split])


class CvpppTruth(GroundTruth):
    """A folder of `<id>_rgb.png` and `<id>_label.png`, whose palette indices are the labels; class "leaf".

    Images are sorted by name, numbers in it as numbers.
    """

    def __init__(self, root: Path, split: CvpppSplit) -> None:
        self._folder = root / split.folder
        if not self._folder.is_dir():
            raise UserError(f"{self._folder}: no such folder; run `rsis download DATASET`, or correct params.yaml")
        names = (path.name.removesuffix("_rgb.png") for path in self._folder.glob("*_rgb.png"))
        ids = sorted((name for name in names if not name.startswith(".")), key=_by_number)
        first, last = split.take or (0, len(ids))
        if not first < last <= len(ids):
            raise UserError(
                f"{self._folder}: has {len(ids)} images *_rgb.png; expected some, at positions {first} to {last - 1}; "
                "complete the folder, or correct the split's folder and take in params.yaml"
            )
        super().__init__(ids[first:last], ["leaf"])

    def image_path(self, image_id: str) -> Path:
        """Return the path of `<id>_rgb.png`."""
        return self._folder / f"{image_id}_rgb.png"

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of the label image."""
        height, width = self.instance_map(image_id).shape
        return height, width

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the indices of the label image."""
        path = self._folder / f"{image_id}_label.png"
        remedy = "restore it from the original data, or take the image out of the folder"
        try:
            with Image.open(path) as image:
                mode, labels = image.mode, np.asarray(image)
        except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for a damaged PNG
            raise UserError(f"{path}: cannot read ({error}); {remedy}") from error
        if mode not in ("P", "L", "1", "I", "I;16"):
            raise UserError(f"{path}: has pixels of mode {mode}; expected one label a pixel, palette or grey; {remedy}")
        return labels.astype(np.int32)

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], all false: every pixel is annotated."""
        return np.zeros(self.size(image_id), bool)

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects in rising order of their labels; no crowd region."""
        instance_map = self.instance_map(image_id)
        masks = [instance_map == label for label in np.unique(instance_map) if label > 0]
        return tuple(TrueObject(encode_rle(mask), 1, float(mask.sum()), iscrowd=False) for mask in masks)


class CocoTruth(GroundTruth):
    """COCO instance JSON; images are named by their `file_name`, classes stand in the order of the file."""

    def __init__(self, root: Path, split: CocoSplit) -> None:
        self._path = root / split.annotations
        self._images = root / split.images
        remedy = "run `rsis download DATASET`, or correct the file or params.yaml"
        document = read_json(self._path, CocoFile, remedy)
        pictures = self._unique("image id", [(str(image.id), image) for image in document.images])
        self._sizes = self._unique("file_name", [(image.file_name, image) for image in document.images])
        classes = self._unique("category id", [(str(item.id), k) for k, item in enumerate(document.categories, 1)])
        names = self._unique("category name", [(item.name, item) for item in document.categories])
        super().__init__(list(self._sizes), list(names))
        self._objects: dict[str, list[tuple[int, CocoObject]]] = {image_id: [] for image_id in self.image_ids}
        for item in document.annotations:
            image, category = pictures.get(str(item.image_id)), classes.get(str(item.category_id))
            if image is None or category is None:
                link = f"image {item.image_id!r} and category {item.category_id!r}"
                raise self._wrong(item, f"names {link}; one of them is not listed")
            self._objects[image.file_name].append((category, item))

    def image_path(self, image_id: str) -> Path:
        """Return the path of the file in the images' folder."""
        return self._images / image_id

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) as the JSON says."""
        return self._sizes[image_id].height, self._sizes[image_id].width

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W]: objects numbered from 1 as they stand in the file, crowd regions left out.

        Of two objects the one with fewer pixels keeps those contested, of equals the earlier one.
        """
        masks = [decode_rle(item.rle) for item in self.annotations(image_id) if not item.iscrowd]
        instance_map = np.zeros(self.size(image_id), np.int32)
        for number in sorted(range(len(masks)), key=lambda i: (masks[i].sum(), i), reverse=True):
            instance_map[masks[number]] = number + 1
        return instance_map

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true in crowd regions outside of the objects."""
        crowd = np.zeros(self.size(image_id), bool)
        for item in self.annotations(image_id):
            if item.iscrowd:
                crowd |= decode_rle(item.rle)
        return crowd & (self.instance_map(image_id) == 0) if crowd.any() else crowd

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects and crowd regions as they stand in the file."""
        objects = []
        for class_id, item in self._objects[image_id]:
            try:
                rle = rasterise(item.segmentation, self.size(image_id))
            except ValueError as error:
                raise self._wrong(item, str(error)) from error
            area = float(coco_mask.area(rle)) if item.area is None else item.area
            objects.append(TrueObject(rle, class_id, area, bool(item.iscrowd)))
        return tuple(objects)

    def _unique(self, what: str, pairs: list[tuple[str, Item]]) -> dict[str, Item]:
        table = dict(pairs)
        if not pairs or len(table) < len(pairs):
            counts = f"{len(pairs)} entries with {len(table)} different values of {what}"
            raise UserError(f"{self._path}: has {counts}; expected at least one, all different; correct the file")
        return table

    def _wrong(self, item: CocoObject, fault: str) -> UserError:
        return UserError(f"{self._path}: annotation {item.id!r} {fault}; correct the file")


def _by_number(name: str) -> list[str | int]:
    """Sort key that puts plant2 before plant10: text and numbers in turn."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split("([0-9]+)", name))]
