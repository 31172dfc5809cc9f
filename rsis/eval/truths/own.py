"""The ground truth of a user's data set of one class, with instance maps or a mask per object (`rsis.splits.own`)."""

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
        """Return (H, W) from the header of the picture file."""
        return size_of(self._files[image_id].picture, _REMEDY)


class MapsTruth(_OwnTruth):
    """Pictures with one instance map each.

    Args:
        root: Folder of the raw data.
        split: The split.
        class_name: Class of all objects.
        skip_lost: Leave out pictures without a map and maps without a picture, instead of raising.

    Raises:
        UserError: See `map_images`. The methods raise it for a file that is damaged or not of its format.
    """

    def __init__(self, root: Path, split: MapsSplit, class_name: str, *, skip_lost: bool) -> None:
        super().__init__(map_images(root, split, leave_out if skip_lost else refuse), class_name)

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the values of the map as stored in the file."""
        path = self._files[image_id].annotations[0]
        pixels = np.asarray(read_image(path, _REMEDY))
        if pixels.ndim != 2:
            raise UserError(f"{path}: has {pixels.shape[2]} channels; expected one number a pixel; {_REMEDY}")
        return pixels.astype(np.int32)

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects in rising order of their numbers; there are no crowd regions."""
        rles = encode_labels(self.instance_map(image_id)).values()
        return tuple(TrueObject(rle, 1, float(coco_mask.area(rle)), iscrowd=False) for rle in rles)


class MasksTruth(_OwnTruth):
    """Pictures with one mask per object; masks may overlap.

    Args:
        root: Folder of the raw data.
        split: The split.
        class_name: Class of all objects.
        skip_lost: Leave out folders without exactly one picture, instead of raising.

    Raises:
        UserError: See `mask_images`. The methods raise it for a file that is damaged or has another size.
    """

    def __init__(self, root: Path, split: MasksSplit, class_name: str, *, skip_lost: bool) -> None:
        super().__init__(mask_images(root, split, leave_out if skip_lost else refuse), class_name)

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], objects numbered from 1 in the order of their file names.

        Where masks overlap, the pixels belong to the smaller mask; of two masks with equal areas, to the earlier one.
        """
        masks = self._masks(image_id)
        numbers = np.zeros(self.size(image_id), np.int32)
        for number in sorted(range(len(masks)), key=lambda i: (masks[i].sum(), i), reverse=True):
            numbers[masks[number]] = number + 1
        return numbers

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects in the order of their file names, without empty masks; there are no crowd regions."""
        masks = [mask for mask in self._masks(image_id) if mask.any()]
        return tuple(TrueObject(encode_rle(mask), 1, float(mask.sum()), iscrowd=False) for mask in masks)

    def _masks(self, image_id: str) -> list[np.ndarray]:
        masks = []
        for path in self._files[image_id].annotations:
            image = read_image(path, _REMEDY)
            pixels = np.asarray(image.convert("RGB") if image.mode == "P" else image)
            # the maximum over the colour channels, or the grey channel; an alpha channel does not count
            colours = pixels if pixels.ndim == 2 else pixels[..., : 3 if pixels.shape[2] > 2 else 1].max(axis=2)
            masks.append(colours > 0)
            if masks[-1].shape != self.size(image_id):
                raise UserError(f"{path}: has {masks[-1].shape} pixels, its picture {self.size(image_id)}; {_REMEDY}")
        return masks
