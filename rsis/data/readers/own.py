"""Readers of a user's data set with an instance map, or a mask per object, for each picture (`rsis.splits.own`)."""

from pathlib import Path

import numpy as np

from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.class_maps import check_classes, class_ids_of
from rsis.data.readers.labels import Labels, read_map, read_masks, to_objects
from rsis.data.readers.pictures import PLAIN, Frame, Picture, PictureRules, read_picture
from rsis.errors import UserError
from rsis.masks import relabel
from rsis.splits.own import MapsSplit, MasksSplit, OwnImage, each_page, map_images, mask_images
from rsis.structures import DropReason, RawSample


class _OwnReader:
    """Common base of the two layouts.

    Attributes:
        class_names: Names of the classes; of most data sets one.
        image_ids: Sorted by file name; pages of a stack in their order.
    """

    def __init__(self, images: dict[str, OwnImage], class_names: tuple[str, ...], rules: PictureRules) -> None:
        self._images, self._rules = images, rules
        self.class_names: tuple[str, ...] = class_names
        self.image_ids: tuple[str, ...] = tuple(images)

    def picture_of(self, image_id: str) -> tuple[Path, int | None]:
        """Return the picture's file, and the position of its page in a stack, from 0."""
        return self._images[image_id].picture, self._images[image_id].page


class MapsReader(_OwnReader):
    """Reader of pictures with one instance map each, and perhaps a map of classes.

    Args:
        root: Folder that the split's folders are relative to.
        split: The split.
        class_name: Class of all objects where there are no maps of classes.
        on_missing: Called for each picture without a map and each map without a picture; the default raises.
        rules: How to read the pictures.
        ignore_value: Number of pixels that are not annotated; None if all are.
        classes: The number of each class in the maps of classes, by its name; None if the split has none.

    Raises:
        UserError: See `map_images` and `each_page`; or there are classes without maps of them or the reverse, or two
            of one number.
    """

    def __init__(
        self,
        root: Path,
        split: MapsSplit,
        class_name: str,
        on_missing: OnMissing = refuse,
        rules: PictureRules = PLAIN,
        ignore_value: int | None = None,
        classes: dict[str, int] | None = None,
    ) -> None:
        if (classes is None) != (split.class_maps is None):
            given, lacking = ("classes", "class_maps") if classes else ("class_maps", "classes")
            raise UserError(
                f"{root / split.maps}: {given} is given and {lacking} is not; the data set's classes and its splits' "
                "class_maps belong together: give both, or neither"
            )
        check_classes(classes or {}, root / split.maps)
        images = each_page(map_images(root, split, on_missing), rules.page, rules.channels)
        super().__init__(images, tuple(classes) if classes else (class_name,), rules)
        self._ignore_value, self._classes = ignore_value, classes

    def read(self, image_id: str) -> RawSample:
        """Read one picture and its maps.

        Raises:
            BadSampleError: A file is damaged, has pages that are not chosen, the map's numbers are not whole, the sizes
                differ, or an object has no class.
        """
        files = self._images[image_id]
        path = files.annotations[0]
        picture = read_picture(files.picture, self._rules, files.page)
        labels = read_map(path, files.map_page)
        numbers, ignored = to_objects(path, labels.numbers, self._ignore_value)
        annotated = _frame(labels, self._rules.annotated)
        objects = _bring(path, numbers, picture, annotated)
        instance_map = relabel(objects)
        assumed = picture.is_assumed(numbers.shape) and not labels.has_orientation
        class_ids = np.ones(int(instance_map.max(initial=0)), np.int64)
        if files.class_map is not None and self._classes is not None:
            labels = read_map(files.class_map, files.map_page)
            to_objects(files.class_map, labels.numbers, None)  # refuses numbers that are not whole
            numbers = _bring(files.class_map, labels.numbers, picture, _frame(labels, self._rules.annotated))
            class_ids = class_ids_of(files.class_map, objects, numbers, self._classes)
            assumed |= picture.is_assumed(labels.numbers.shape) and not labels.has_orientation
        return RawSample(
            image=picture.image,
            instance_map=instance_map,
            class_ids=class_ids,
            ignore_mask=_bring(path, ignored, picture, annotated),
            image_id=image_id,
            frame_is_assumed=assumed,
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
        super().__init__(mask_images(root, split, on_missing), (class_name,), rules)

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
