"""Readers of a user's data set of one class, with an instance map or a mask per object (`rsis.splits.own`)."""

from pathlib import Path

import numpy as np

from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.labels import Labels, read_map, read_masks, to_objects
from rsis.data.readers.pictures import PLAIN, Frame, Picture, PictureRules, read_picture
from rsis.masks import relabel
from rsis.splits.own import MapsSplit, MasksSplit, OwnImage, each_page, map_images, mask_images
from rsis.structures import DropReason, RawSample


class _OwnReader:
    """Common base of the two layouts.

    Attributes:
        class_names: Name of the only class.
        image_ids: Sorted by file name; pages of a stack in their order.
    """

    def __init__(self, images: dict[str, OwnImage], class_name: str, rules: PictureRules) -> None:
        self._images, self._rules = images, rules
        self.class_names: tuple[str, ...] = (class_name,)
        self.image_ids: tuple[str, ...] = tuple(images)

    def picture_of(self, image_id: str) -> tuple[Path, int | None]:
        """Return the picture's file, and the position of its page in a stack, from 0."""
        return self._images[image_id].picture, self._images[image_id].page


class MapsReader(_OwnReader):
    """Reader of pictures with one instance map each.

    Args:
        root: Folder that the split's folders are relative to.
        split: The split.
        class_name: Class of all objects.
        on_missing: Called for each picture without a map and each map without a picture; the default raises.
        rules: How to read the pictures.
        ignore_value: Number of pixels that are not annotated; None if all are.

    Raises:
        UserError: See `map_images` and `each_page`.
    """

    def __init__(
        self,
        root: Path,
        split: MapsSplit,
        class_name: str,
        on_missing: OnMissing = refuse,
        rules: PictureRules = PLAIN,
        ignore_value: int | None = None,
    ) -> None:
        images = each_page(map_images(root, split, on_missing), rules.page, rules.channels)
        super().__init__(images, class_name, rules)
        self._ignore_value = ignore_value

    def read(self, image_id: str) -> RawSample:
        """Read one picture and its map.

        Raises:
            BadSampleError: A file is damaged, has pages that are not chosen, the map's numbers are not whole, or the
                sizes differ.
        """
        files = self._images[image_id]
        path = files.annotations[0]
        picture = read_picture(files.picture, self._rules, files.page)
        labels = read_map(path, files.map_page)
        numbers, ignored = to_objects(path, labels.numbers, self._ignore_value)
        annotated = _frame(labels, self._rules.annotated)
        instance_map = relabel(_bring(path, numbers, picture, annotated))
        return RawSample(
            image=picture.image,
            instance_map=instance_map,
            class_ids=np.ones(int(instance_map.max(initial=0)), np.int64),
            ignore_mask=_bring(path, ignored, picture, annotated),
            image_id=image_id,
            frame_is_assumed=picture.is_assumed(numbers.shape) and not labels.has_orientation,
        )


class MasksReader(_OwnReader):
    """Reader of pictures with one mask per object.

    Where masks overlap, the pixels belong to the smaller mask, which could otherwise disappear under the larger one.

    Args:
        root: Folder that the split's folder is relative to.
        split: The split.
        class_name: Class of all objects.
        on_missing: Called for each folder without exactly one picture; the default raises.
        rules: How to read the pictures.

    Raises:
        UserError: See `mask_images`.
    """

    def __init__(
        self,
        root: Path,
        split: MasksSplit,
        class_name: str,
        on_missing: OnMissing = refuse,
        rules: PictureRules = PLAIN,
    ) -> None:
        super().__init__(mask_images(root, split, on_missing), class_name, rules)

    def read(self, image_id: str) -> RawSample:
        """Read one picture and its masks; the pixels of an object are those above 0.

        Raises:
            BadSampleError: A file is damaged, or a mask differs in size from the picture.
        """
        files = self._images[image_id]
        picture = read_picture(files.picture, self._rules)
        read = [(path, labels) for path in files.annotations for labels in read_masks(path)]
        annotated = self._rules.annotated
        masks = [_bring(path, labels.numbers, picture, _frame(labels, annotated)) for path, labels in read]
        painted = np.zeros(picture.size, np.int32)
        for i in sorted(range(len(masks)), key=lambda i: (-int(masks[i].sum()), -i)):  # the smallest last, on top
            painted[masks[i]] = i + 1
        left = np.bincount(painted.ravel(), minlength=len(masks) + 1)[1:]
        reasons: list[DropReason] = ["hidden by others" if mask.any() else "empty mask" for mask in masks]
        return RawSample(
            image=picture.image,
            instance_map=relabel(painted),
            class_ids=np.ones(int((left > 0).sum()), np.int64),
            ignore_mask=np.zeros(picture.size, bool),
            image_id=image_id,
            dropped=tuple(reason for reason, pixels in zip(reasons, left, strict=True) if pixels == 0),
            frame_is_assumed=any(
                picture.is_assumed(labels.numbers.shape) and not labels.has_orientation for _, labels in read
            ),
        )


def _frame(labels: Labels, annotated: Frame) -> Frame:
    """Return the frame of an annotation whose size fits both: one that says itself how it is turned is upright."""
    return "upright" if labels.has_orientation else annotated


def _bring(path: Path, annotation: np.ndarray, picture: Picture, annotated: Frame) -> np.ndarray:
    """Return an annotation in the frame of the upright picture."""
    brought = picture.bring(annotation, annotated)
    if brought is None:
        found, expected = (f"{size[0]} x {size[1]}" for size in (annotation.shape, picture.size))
        raise BadSampleError(f"{path}: {found} pixels, its picture has {expected}; correct one of them")
    return brought
