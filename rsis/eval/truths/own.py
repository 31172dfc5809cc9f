"""The truth of somebody's own data: instance maps, or a mask for each object (`rsis.splits.own`); one class."""

from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth, TrueObject
from rsis.eval.truths.images import read_image, size_of
from rsis.masks import encode_labels, encode_rle
from rsis.splits.own import MapsSplit, MasksSplit, OwnImage, leave_out, map_images, mask_images, refuse

_REMEDY = "restore the file, or take the image out of the folder"


class _OwnTruth(GroundTruth):
    def __init__(self, images: dict[str, OwnImage], class_name: str) -> None:
        super().__init__(list(images), [class_name])
        self._files = images

    def image_path(self, image_id: str) -> Path:
        """Return the path of the picture."""
        return self._files[image_id].picture

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of the picture, by its header."""
        return size_of(self._files[image_id].picture, _REMEDY)


class MapsTruth(_OwnTruth):
    """Pictures with an instance map each."""

    def __init__(self, root: Path, split: MapsSplit, class_name: str, *, skip_lost: bool) -> None:
        super().__init__(map_images(root, split, leave_out if skip_lost else refuse), class_name)

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the numbers of the map as they stand in the file."""
        path = self._files[image_id].annotations[0]
        pixels = np.asarray(read_image(path, _REMEDY))
        if pixels.ndim != 2:
            raise UserError(f"{path}: has {pixels.shape[2]} channels; expected one number a pixel; {_REMEDY}")
        return pixels.astype(np.int32)

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects in rising order of their numbers; no crowd region."""
        found = encode_labels(self.instance_map(image_id)).values()
        return tuple(TrueObject(rle, 1, float(coco_mask.area(rle)), iscrowd=False) for rle in found)


class MasksTruth(_OwnTruth):
    """Pictures with a mask for each object, which may overlap."""

    def __init__(self, root: Path, split: MasksSplit, class_name: str, *, skip_lost: bool) -> None:
        super().__init__(mask_images(root, split, leave_out if skip_lost else refuse), class_name)

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W]: objects from 1 by the names of their files; of two the one with fewer pixels wins."""
        masks = self._masks(image_id)
        numbers = np.zeros(self.size(image_id), np.int32)
        for number in sorted(range(len(masks)), key=lambda i: (masks[i].sum(), i), reverse=True):
            numbers[masks[number]] = number + 1
        return numbers

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects by the names of their files, those without a pixel left out; no crowd region."""
        masks = [mask for mask in self._masks(image_id) if mask.any()]
        return tuple(TrueObject(encode_rle(mask), 1, float(mask.sum()), iscrowd=False) for mask in masks)

    def _masks(self, image_id: str) -> list[np.ndarray]:
        masks = []
        for path in self._files[image_id].annotations:
            image = read_image(path, _REMEDY)
            pixels = np.asarray(image.convert("RGB") if image.mode == "P" else image)
            # of colours any, of grey with transparency and of colours with it not the transparency
            colours = pixels if pixels.ndim == 2 else pixels[..., : 3 if pixels.shape[2] > 2 else 1].max(axis=2)
            masks.append(colours > 0)
            if masks[-1].shape != self.size(image_id):
                raise UserError(f"{path}: has {masks[-1].shape} pixels, its picture {self.size(image_id)}; {_REMEDY}")
        return masks
