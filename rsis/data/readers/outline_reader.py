"""Reader of pictures whose objects are outlines, whatever file the outlines come from.

Where objects overlap, the pixels belong to the smaller object, which could otherwise disappear under the larger one.
An object that cannot be drawn, or that keeps no pixel, is dropped, and the others of its picture stay.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.outlines import CannotDrawError, Outline, draw
from rsis.data.readers.pictures import PictureRules, read_picture, turned
from rsis.masks import distinct, relabel
from rsis.structures import DropReason, RawSample


@dataclass(frozen=True)
class AnnotatedObject:
    """One annotation of a picture.

    Attributes:
        where: Its place in the annotation file, such as "annotations[17]".
        class_id: Its class, from 1.
        outline: Its outline.
        is_region: Whether it is no object, but a region whose pixels are ignored.
    """

    where: str
    class_id: int
    outline: Outline
    is_region: bool = False


@dataclass(frozen=True)
class AnnotatedPicture:
    """A picture with its annotations.

    Attributes:
        objects: In the order of the annotation file.
        size: (H, W) of the picture that the annotation file says; None where it says none.
        file: The annotation file, relative to the document's `annotations`; "" if that is the file itself.
        picture: The picture's file, if it is not the image id in the document's `images`.
        fault: A message about an annotation file that is broken; "" if it is not.
    """

    objects: Sequence[AnnotatedObject] = ()
    size: tuple[int, int] | None = None
    file: str = ""
    picture: Path | None = None
    fault: str = ""


@dataclass(frozen=True)
class AnnotationDocument:
    """The checked annotations of a split, before its share is taken.

    Attributes:
        annotations: The file, or the folder of files.
        images: Folder of the pictures.
        class_names: Names of classes 1..K-1.
        pictures: The annotated pictures by image id.
        notes: A line for each thing that was left out, merged or found in another place.
    """

    annotations: Path
    images: Path
    class_names: tuple[str, ...]
    pictures: dict[str, AnnotatedPicture]
    notes: list[str] = field(default_factory=list)


class OutlineReader:
    """Reader of the pictures of an annotation document.

    Attributes:
        class_names: Names of classes 1..K-1.
        image_ids: Sorted, including the images without annotations.
        notes: A line for each thing that was left out, merged or found in another place.

    Args:
        document: The annotations.
        image_ids: Those of its pictures to read.
        rules: How to read the pictures.
    """

    def __init__(self, document: AnnotationDocument, image_ids: Sequence[str], rules: PictureRules) -> None:
        self.annotations, self.images, self._rules = document.annotations, document.images, rules
        self.class_names: tuple[str, ...] = document.class_names
        self.image_ids: tuple[str, ...] = tuple(image_ids)
        self.notes: tuple[str, ...] = tuple(document.notes)
        chosen = {image_id: document.pictures[image_id] for image_id in self.image_ids}
        self._elsewhere = {image_id: item.picture for image_id, item in chosen.items() if item.picture is not None}
        # text takes a fraction of the memory, here and in each process that the reader is sent to
        self._annotated = {image_id: _packed(item) for image_id, item in chosen.items()}

    def picture_of(self, image_id: str) -> tuple[Path, int | None]:
        """Return the picture's file, and the position of its page in a stack, which the data set's rules choose."""
        return self._elsewhere.get(image_id, self.images / image_id), None

    def read(self, image_id: str) -> RawSample:
        """Read one image and its objects, numbered in the order of the annotation file.

        Raises:
            BadSampleError: The image or its annotation file is damaged, or its size differs from that in the
                annotation file.
        """
        annotated = _unpacked(self._annotated[image_id])
        if annotated.fault:
            raise BadSampleError(annotated.fault)
        path, _ = self.picture_of(image_id)
        file = self.annotations / annotated.file
        picture = read_picture(path, self._rules)
        # of an unknown size, the frame alone says which of the picture's two sizes it is
        unknown = picture.stored_size if self._rules.annotated == "stored" else picture.size
        size = annotated.size or unknown
        frame = picture.frame_of(size, self._rules.annotated)
        if frame is None:
            found, said = (f"{height} x {width}" for height, width in (picture.size, size))
            raise BadSampleError(f"{path}: {found} pixels, {file.name} says {said}; correct one of them")
        painted, ignore_mask, dropped = _draw_all(annotated.objects, size)
        if frame == "stored":
            painted, ignore_mask = turned(painted, picture.orientation), turned(ignore_mask, picture.orientation)
        kept = [number for number in distinct(painted).tolist() if number]
        places = {number: item.where for number, item in enumerate(annotated.objects)}
        return RawSample(
            image=picture.image,
            instance_map=relabel(painted),
            class_ids=np.array([annotated.objects[k - 1].class_id for k in kept], np.int64),
            ignore_mask=ignore_mask & (painted == 0),
            image_id=image_id,
            dropped=tuple(reason for reason, _ in dropped.values()),
            drop_details=tuple(f"{file}: {places[k]} of {image_id}: {fault}" for k, (_, fault) in dropped.items()),
            frame_is_assumed=picture.is_assumed(size) or (not annotated.size and picture.orientation != 1),
        )


def _packed(item: AnnotatedPicture) -> str:
    """Return a picture's annotations as JSON."""
    objects = [[thing.where, thing.class_id, thing.is_region, thing.outline.pack()] for thing in item.objects]
    return json.dumps([item.size, item.file, item.fault, objects])


def _unpacked(text: str) -> AnnotatedPicture:
    size, file, fault, objects = json.loads(text)
    things = [
        AnnotatedObject(where, class_id, Outline.unpack(outline), is_region)
        for where, class_id, is_region, outline in objects
    ]
    return AnnotatedPicture(things, None if size is None else (size[0], size[1]), file, fault=fault)


def _draw_all(
    objects: Sequence[AnnotatedObject], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, dict[int, tuple[DropReason, str]]]:
    """Draw the annotations of a picture.

    Returns:
        int32 [H, W] with the position, from 1, of the object that each pixel belongs to; bool [H, W] of the ignored
        regions; by position, from 0, why an annotation is no object and what was found, in the order of the positions.
    """
    regions = np.zeros(size, bool)
    masks: dict[int, Any] = {}
    dropped: dict[int, tuple[DropReason, str]] = {}
    for number, item in enumerate(objects):
        mask, reason, fault = _mask_of(item.outline, size)
        if mask is not None and item.is_region:
            regions |= coco_mask.decode(mask).view(bool)
            reason, fault = "crowd", "a region that is ignored"
        if reason is None:
            masks[number] = mask
        else:
            dropped[number] = (reason, fault)
    painted = _paint(masks, size)
    for number in masks.keys() - {int(k) - 1 for k in distinct(painted)}:
        dropped[number] = ("hidden by others", "smaller objects cover all its pixels")
    return painted, regions, dict(sorted(dropped.items()))


def _mask_of(outline: Outline, size: tuple[int, int]) -> tuple[Any, DropReason | None, str]:
    """Return the mask of an outline, or the reason why there is none and what was found."""
    if outline.reason is not None:
        return None, outline.reason, outline.fault
    try:
        mask = draw(outline, size)
    except CannotDrawError as error:
        return None, "cannot be drawn", str(error)
    if not int(coco_mask.area(mask)):
        return None, "empty mask", "no pixel of the image is in the outline"
    return mask, None, ""


def _paint(masks: dict[int, Any], size: tuple[int, int]) -> np.ndarray:
    """Return int32 [H, W], in which each pixel has the position, from 1, of the smallest mask over it."""
    painted = np.zeros(size, np.int32)
    areas = {i: int(coco_mask.area(mask)) for i, mask in masks.items()}
    for i in sorted(masks, key=lambda i: (-areas[i], -i)):  # the smallest is painted last, on top
        painted[coco_mask.decode(masks[i]).view(bool)] = i + 1
    return painted
