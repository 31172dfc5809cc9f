"""The ground truth of a user's data set of one class, with instance maps or a mask per object (`rsis.splits.own`)."""

from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from rsis.config.datasets import MapsDataset, MasksDataset
from rsis.config.types import Split
from rsis.eval.truths.base import GroundTruth, TrueObject
from rsis.eval.truths.images import frame_of
from rsis.eval.truths.labels import is_object, numbers_of, page_count, read_pixels
from rsis.masks import encode_labels, encode_rle
from rsis.splits.own import OwnImage, each_page, leave_out, map_images, mask_images, refuse

_REMEDY = "restore the file, or take the image out of the folder"
_LARGEST = int(np.iinfo(np.int32).max)


class _OwnTruth(GroundTruth):
    def __init__(self, images: dict[str, OwnImage], dataset: MapsDataset | MasksDataset) -> None:
        super().__init__(list(images), [dataset.class_name])
        self._files = images
        self._annotated = dataset.annotated

    def image_path(self, image_id: str) -> Path:
        """Return the path of the picture."""
        return self._files[image_id].picture

    def page(self, image_id: str) -> int | None:
        """Return the position of the picture's page in a TIFF stack, from 0; None for a file of one picture."""
        return self._files[image_id].page

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of the picture as it is shown, from the header of its file."""
        files = self._files[image_id]
        return frame_of(files.picture, _REMEDY, files.page or 0).shown


class MapsTruth(_OwnTruth):
    """Pictures with one instance map each.

    Args:
        root: Folder of the raw data.
        dataset: The data set's section of params.yaml; with its `skip_bad`, pictures without a map and maps without a
            picture are left out.
        split: Name of the split.

    Raises:
        UserError: See `map_images` and `each_page`. The methods raise it for a file that is damaged or not of its
            format.
    """

    def __init__(self, root: Path, dataset: MapsDataset, split: Split) -> None:
        files = map_images(root, dataset.splits[split], leave_out if dataset.skip_bad else refuse)
        super().__init__(each_page(files, dataset.page, dataset.channels), dataset)
        self._ignore_value = dataset.ignore_value

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the numbers of the map; numbers above int32 are replaced by their ranks."""
        return self._read(image_id)[0]

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true where the map has the data set's `ignore_value`."""
        return self._read(image_id)[1]

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects in rising order of their numbers, then what is not annotated as a crowd region."""
        numbers, ignored = self._read(image_id)
        objects = [
            TrueObject(rle, 1, float(coco_mask.area(rle)), iscrowd=False) for rle in encode_labels(numbers).values()
        ]
        if ignored.any():
            objects.append(TrueObject(encode_rle(ignored), 1, float(ignored.sum()), iscrowd=True))
        return tuple(objects)

    def _read(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers, int32 [H, W] with 0 for background, and the ignored pixels, bool [H, W]."""
        files = self._files[image_id]
        path = files.annotations[0]
        pixels = read_pixels(path, files.map_page or 0, _REMEDY, palette_colours=False)
        numbers = numbers_of(path, pixels, _REMEDY)
        ignored = (
            np.equal(numbers, self._ignore_value) if self._ignore_value is not None else np.zeros(numbers.shape, bool)
        )
        numbers = np.where(ignored | (numbers < 0), np.zeros_like(numbers), numbers)
        if numbers.max(initial=0) > _LARGEST:
            kinds = np.unique(numbers[numbers > 0])
            numbers = np.where(numbers > 0, np.searchsorted(kinds, numbers) + 1, 0)
        frame = frame_of(files.picture, _REMEDY, files.page or 0)
        shown = pixels.on(frame, path, _REMEDY, self._annotated, numbers.astype(np.int32))
        return shown, pixels.on(frame, path, _REMEDY, self._annotated, ignored)


class MasksTruth(_OwnTruth):
    """Pictures with one mask per object; masks may overlap.

    Args:
        root: Folder of the raw data.
        dataset: The data set's section of params.yaml; with its `skip_bad`, folders without exactly one picture are
            left out.
        split: Name of the split.

    Raises:
        UserError: See `mask_images`. The methods raise it for a file that is damaged or has another size.
    """

    def __init__(self, root: Path, dataset: MasksDataset, split: Split) -> None:
        super().__init__(mask_images(root, dataset.splits[split], leave_out if dataset.skip_bad else refuse), dataset)

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
        frame = frame_of(self._files[image_id].picture, _REMEDY)
        masks = []
        for path in self._files[image_id].annotations:
            for page in range(page_count(path)):
                pixels = read_pixels(path, page, _REMEDY, palette_colours=True)
                masks.append(pixels.on(frame, path, _REMEDY, self._annotated, is_object(pixels)))
        return masks
