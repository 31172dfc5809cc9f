"""Readers of a user's data set of one class, with an instance map or a mask per object (`rsis.splits.own`)."""

from pathlib import Path

import numpy as np

from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.images import one_class_sample, read_image, to_rgb
from rsis.splits.own import MapsSplit, MasksSplit, OwnImage, map_images, mask_images
from rsis.structures import RawSample


class _OwnReader:
    """Common base of the two layouts.

    Attributes:
        class_names: Name of the only class.
        image_ids: Sorted.
    """

    def __init__(self, images: dict[str, OwnImage], class_name: str) -> None:
        self._images = images
        self.class_names: tuple[str, ...] = (class_name,)
        self.image_ids: tuple[str, ...] = tuple(images)


class MapsReader(_OwnReader):
    """Reader of pictures with one instance map each.

    Args:
        root: Folder that the split's folders are relative to.
        split: The split.
        class_name: Class of all objects.
        on_missing: Called for each picture without a map and each map without a picture; the default raises.

    Raises:
        UserError: See `map_images`.
    """

    def __init__(self, root: Path, split: MapsSplit, class_name: str, on_missing: OnMissing = refuse) -> None:
        super().__init__(map_images(root, split, on_missing), class_name)

    def read(self, image_id: str) -> RawSample:
        """Read one picture and its map.

        Raises:
            BadSampleError: A file is damaged, the map is a colour image, or the sizes differ.
        """
        files = self._images[image_id]
        image = to_rgb(read_image(files.picture), files.picture)
        return one_class_sample(image, _read_numbers(files.annotations[0], image), image_id)


class MasksReader(_OwnReader):
    """Reader of pictures with one mask per object.

    Where masks overlap, the pixels belong to the smaller mask, which could otherwise disappear under the larger one.

    Args:
        root: Folder that the split's folder is relative to.
        split: The split.
        class_name: Class of all objects.
        on_missing: Called for each folder without exactly one picture; the default raises.

    Raises:
        UserError: See `mask_images`.
    """

    def __init__(self, root: Path, split: MasksSplit, class_name: str, on_missing: OnMissing = refuse) -> None:
        super().__init__(mask_images(root, split, on_missing), class_name)

    def read(self, image_id: str) -> RawSample:
        """Read one picture and its masks; the pixels of an object are those above 0.

        Raises:
            BadSampleError: A file is damaged, or a mask differs in size from the picture.
        """
        files = self._images[image_id]
        image = to_rgb(read_image(files.picture), files.picture)
        masks = [_read_mask(path, image) for path in files.annotations]
        numbers = np.zeros(image.shape[:2], np.int32)
        for i in sorted(range(len(masks)), key=lambda i: (-int(masks[i].sum()), -i)):  # the smallest last, on top
            numbers[masks[i]] = i + 1
        return one_class_sample(image, numbers, image_id)


def _read_numbers(path: Path, image: np.ndarray) -> np.ndarray:
    label = read_image(path)
    if label.mode not in ("1", "L", "P", "I") and not label.mode.startswith("I;16"):
        raise BadSampleError(
            f"{path}: pixels of mode {label.mode}, expected one number a pixel (grey or palette); save it as such"
        )
    numbers = np.asarray(label).astype(np.int64)
    _check_size(path, numbers.shape[:2], image)
    return numbers


def _read_mask(path: Path, image: np.ndarray) -> np.ndarray:
    label = read_image(path)
    if label.mode == "P":
        label = label.convert("RGB")  # the palette decides what is above 0: index 0 may be white
    mask: np.ndarray = np.asarray(label if label.mode.startswith("I") else label.convert("L")) > 0
    _check_size(path, mask.shape, image)
    return mask


def _check_size(path: Path, shape: tuple[int, ...], image: np.ndarray) -> None:
    if shape != image.shape[:2]:
        found, expected = (f"{size[0]} x {size[1]}" for size in (shape, image.shape))
        raise BadSampleError(f"{path}: {found} pixels, its picture has {expected}; correct one of them")
