"""The ground truth of a COCO instance JSON."""

from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from pycocotools import mask as coco_mask

from rsis.config.datasets import CocoSplit
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth, TrueObject
from rsis.eval.truths.coco_file import CocoFile, CocoObject, rasterise
from rsis.eval.truths.images import as_shown, frame_of
from rsis.files.atomic import read_json
from rsis.masks import decode_rle, encode_rle
from rsis.splits.share import select_share

Item = TypeVar("Item")


class CocoTruth(GroundTruth):
    """A split of a COCO instance JSON; an image id is a `file_name`, and classes have the order of the file.

    Args:
        root: Folder of the raw data.
        split: The annotation file, the folder of the images, and the share of them.
        annotated: Frame of the annotations of a turned picture whose size fits both frames.

    Raises:
        UserError: The file is missing, malformed or inconsistent. `annotations` and the maps raise it for a malformed
            segmentation.
    """

    def __init__(self, root: Path, split: CocoSplit, annotated: Literal["upright", "stored"] = "upright") -> None:
        self._annotated = annotated
        self._path = root / split.annotations
        self._images = root / split.images
        remedy = "run `rsis download DATASET`, or correct the file or params.yaml"
        document = read_json(self._path, CocoFile, remedy)
        pictures = self._unique("image id", [(str(image.id), image) for image in document.images])
        self._sizes = self._unique("file_name", [(image.file_name, image) for image in document.images])
        classes = self._unique("category id", [(str(item.id), k) for k, item in enumerate(document.categories, 1)])
        names = self._unique("category name", [(item.name, item) for item in document.categories])
        chosen = set(select_share(self._sizes, split, self._path))
        super().__init__([name for name in self._sizes if name in chosen], list(names))
        self._objects: dict[str, list[tuple[int, CocoObject]]] = {image_id: [] for image_id in self.image_ids}
        for item in document.annotations:
            image, category = pictures.get(str(item.image_id)), classes.get(str(item.category_id))
            if image is None or category is None:
                link = f"image {item.image_id!r} and category {item.category_id!r}"
                raise self._wrong(item, f"names {link}; one of them is not listed")
            if image.file_name in self._objects:
                self._objects[image.file_name].append((category, item))

    def image_path(self, image_id: str) -> Path:
        """Return the path of the picture in the folder of the images."""
        return self._images / image_id

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of the picture as it is shown; without a picture, those of the JSON file."""
        height, width = self._annotated_size(image_id)
        return (width, height) if self._turn(image_id) >= 5 else (height, width)

    def _annotated_size(self, image_id: str) -> tuple[int, int]:
        return self._sizes[image_id].height, self._sizes[image_id].width

    def _turn(self, image_id: str) -> int:
        """Return the EXIF orientation by which the annotation of an image must be turned; 1 where it lies as shown."""
        path = self.image_path(image_id)
        if not path.is_file():
            return 1
        frame, size = frame_of(path, "restore it"), self._annotated_size(image_id)
        return frame.orientation if frame.lies_as_stored(size, self._annotated) else 1

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], objects numbered from 1 in the order of the file, without crowd regions.

        Where objects overlap, the pixels belong to the smaller object; of two objects with equal areas, to the
        earlier one.
        """
        masks = [decode_rle(item.rle) for item in self.annotations(image_id) if not item.iscrowd]
        instance_map = np.zeros(self.size(image_id), np.int32)
        for number in sorted(range(len(masks)), key=lambda i: (masks[i].sum(), i), reverse=True):
            instance_map[masks[number]] = number + 1
        return instance_map

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true on the pixels of crowd regions that are in no object."""
        crowd = np.zeros(self.size(image_id), bool)
        for item in self.annotations(image_id):
            if item.iscrowd:
                crowd |= decode_rle(item.rle)
        return crowd & (self.instance_map(image_id) == 0) if crowd.any() else crowd

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects and crowd regions in the order of the file."""
        objects = []
        turn = self._turn(image_id) if self._objects[image_id] else 1
        for class_id, item in self._objects[image_id]:
            try:
                rle = rasterise(item.segmentation, self._annotated_size(image_id))
            except ValueError as error:
                raise self._wrong(item, str(error)) from error
            if turn != 1:
                rle = encode_rle(as_shown(decode_rle(rle), turn))
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
