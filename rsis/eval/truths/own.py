"""The ground truth of a user's data set with instance maps or a mask per object (`rsis.splits.own`)."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from rsis.config.datasets import MapsDataset, MasksDataset
from rsis.config.types import Split
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth, TrueObject, once_an_image
from rsis.eval.truths.images import frame_of
from rsis.eval.truths.labels import is_object, numbers_of, page_count, read_pixels
from rsis.masks import bands, distinct, encode_labels, encode_rle
from rsis.splits.own import OwnImage, each_page, leave_out, map_images, mask_images, refuse

_REMEDY = "restore the file, or take the image out of the folder"
_LARGEST = int(np.iinfo(np.int32).max)


class _OwnTruth(GroundTruth):
    def __init__(
        self, images: dict[str, OwnImage], dataset: MapsDataset | MasksDataset, classes: Iterable[str] | None = None
    ) -> None:
        super().__init__(list(images), [dataset.class_name] if classes is None else [*classes])
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
    """Pictures with one instance map each, perhaps with a map of classes beside it.

    The class of an object is the one that most of its pixels have in that map; of two with equally many, the one with
    the smaller number.

    Args:
        root: Folder of the raw data.
        dataset: The data set's section of params.yaml; with its `skip_bad`, pictures without a map and maps without a
            picture are left out.
        split: Name of the split.

    Raises:
        UserError: See `map_images` and `each_page`; or the data set has numbers of classes, and the split no maps of
            classes, or the other way round. The methods raise it for a file that is damaged or not of its format, and
            for an object that has no pixel of a class.
    """

    def __init__(self, root: Path, dataset: MapsDataset, split: Split) -> None:
        section = dataset.splits[split]
        if (dataset.classes is None) != (section.class_maps is None):
            given, lacking = "class_maps of the split", "classes of the data set"
            if dataset.classes is not None:
                given, lacking = lacking, given
            raise UserError(f"params.yaml: {split} has {given}, but not {lacking}; give both, or remove the one")
        files = map_images(root, section, leave_out if dataset.skip_bad else refuse)
        super().__init__(each_page(files, dataset.page, dataset.channels), dataset, dataset.classes)
        self._ignore_value = dataset.ignore_value
        self._numbers = dict(enumerate((dataset.classes or {}).values(), 1))  # of the classes by their ids

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the numbers of the map; numbers above int32 are replaced by their ranks."""
        return self._read(image_id)[0]

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true where the map has the data set's `ignore_value`."""
        return self._read(image_id)[1]

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects in rising order of their numbers, then what is not annotated as a crowd region.

        There is a region for each class, since a scorer looks at one class at a time.
        """
        numbers, ignored = self._read(image_id)
        classes = self._classes(image_id, numbers)
        objects = [
            TrueObject(rle, classes.get(number, 1), float(coco_mask.area(rle)), iscrowd=False)
            for number, rle in encode_labels(numbers).items()
        ]
        if ignored.any():
            region, area = encode_rle(ignored), float(ignored.sum())
            objects += [TrueObject(region, k, area, iscrowd=True) for k, _ in enumerate(self.class_names, 1)]
        return tuple(objects)

    def _classes(self, image_id: str, numbers: np.ndarray) -> dict[int, int]:
        """Return the class id of each object by its number; none without a map of classes."""
        files = self._files[image_id]
        path = files.class_map
        if path is None:
            return {}
        pixels = read_pixels(path, files.map_page or 0, _REMEDY, palette_colours=False)
        frame = frame_of(files.picture, _REMEDY, files.page or 0)
        found = pixels.on(frame, path, _REMEDY, self._annotated, numbers_of(path, pixels, _REMEDY))
        objects = distinct(numbers)
        objects = objects[objects > 0]
        ids = sorted(self._numbers, key=lambda class_id: self._numbers[class_id])
        votes = np.zeros((len(ids), len(objects)), np.int64)  # pixels by class and object, [K, N]
        for rows in bands(numbers):
            inside = numbers[rows] > 0
            ranks, voted = np.searchsorted(objects, numbers[rows][inside]), found[rows][inside]
            for i, k in enumerate(ids):
                votes[i] += np.bincount(ranks[voted == self._numbers[k]], minlength=len(objects))
        for rank in np.flatnonzero(votes.sum(axis=0) == 0):
            strange = ", ".join(map(str, np.unique(found[numbers == objects[rank]])[:5].tolist()))
            raise UserError(
                f"{path}: object {objects[rank]} of {files.annotations[0]} has the numbers {strange} here; expected "
                f"one of {', '.join(map(str, sorted(self._numbers.values())))}; correct the map, or name all "
                "classes in classes of the data set in params.yaml"
            )
        return {int(number): ids[best] for number, best in zip(objects, votes.argmax(axis=0), strict=True)}

    @once_an_image
    def _read(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers, int32 [H, W] with 0 for background, and the ignored pixels, bool [H, W]."""
        files = self._files[image_id]
        path = files.annotations[0]
        pixels = read_pixels(path, files.map_page or 0, _REMEDY, palette_colours=False)
        numbers = numbers_of(path, pixels, _REMEDY)
        ignored = (
            np.equal(numbers, self._ignore_value) if self._ignore_value is not None else np.zeros(numbers.shape, bool)
        )
        kinds = None
        if numbers.max(initial=0) > _LARGEST:
            kinds = distinct(numbers)
            kinds = kinds[(kinds > 0) & (kinds != (self._ignore_value or 0))]
        objects = np.zeros(numbers.shape, np.int32)
        for rows in bands(numbers):
            band = numbers[rows]
            objects[rows] = np.where(
                (band > 0) & ~ignored[rows], band if kinds is None else np.searchsorted(kinds, band) + 1, 0
            )
        frame = frame_of(files.picture, _REMEDY, files.page or 0)
        shown = pixels.on(frame, path, _REMEDY, self._annotated, objects)
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

    @once_an_image
    def _masks(self, image_id: str) -> list[np.ndarray]:
        frame = frame_of(self._files[image_id].picture, _REMEDY)
        masks = []
        for path in self._files[image_id].annotations:
            for page in range(page_count(path)):
                pixels = read_pixels(path, page, _REMEDY, palette_colours=True)
                masks.append(pixels.on(frame, path, _REMEDY, self._annotated, is_object(pixels)))
        return masks
