"""Reader of COCO instance JSON: one annotation file and a folder of images.

    {"images": [{"id": 1, "file_name": "a.png", "width": 360, "height": 256}],
     "categories": [{"id": 7, "name": "nucleus"}],
     "annotations": [{"image_id": 1, "category_id": 7, "iscrowd": 0, "segmentation": ...}]}

`rsis.data.readers.coco_document` says which values are accepted, `rsis.data.readers.coco_shapes` which segmentations,
and `rsis.splits.pictures` how a file name finds its picture. Other keys are not read.

Where objects overlap, the pixels belong to the smaller object, which could otherwise disappear under the larger one.
An annotation that cannot be drawn, or that keeps no pixel, is dropped, and the others of its image stay. Regions with
`iscrowd` are not objects, unless the data set says so; their pixels outside of objects are ignored. Class ids are
1..K-1 in the order of the categories' ids, in val and test those of the classes of train with the same names.
"""

import json
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
from pycocotools import mask as coco_mask

from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.coco_document import Annotation, CocoDocument, read_document
from rsis.data.readers.coco_shapes import CannotDrawError, Outline, draw
from rsis.data.readers.pictures import PLAIN, PictureRules, read_picture, turned
from rsis.errors import UserError
from rsis.masks import relabel
from rsis.splits.pictures import PictureFiles, is_inside
from rsis.splits.share import WHOLE, SharedSplit, select_share
from rsis.structures import DropReason, RawSample

_SHOWN = 5  # most classes that a message names


class CocoReader:
    """Reader of one annotation file; an image id is the `file_name` in that file.

    Attributes:
        class_names: Names of the categories, in the order of their ids.
        image_ids: Sorted, including the images without annotations.
        notes: A line for each thing of the file that was left out, merged or found in another place.

    Args:
        annotations: The JSON file.
        images: Folder that its file names are relative to.
        on_missing: Called for each image whose file is missing; the default raises.
        share: Share of the images to read; the default is all.
        rules: How to read the pictures.
        classes_of: Annotation file whose categories are the classes; None for those of `annotations`.
        crowd: Whether annotations with `iscrowd` are ignored regions or objects.

    Raises:
        UserError: The JSON file is missing or has no sensible meaning (see `read_document`), lists an image whose file
            is missing, or annotates a class that `classes_of` does not have.
    """

    def __init__(
        self,
        annotations: Path,
        images: Path,
        on_missing: OnMissing = refuse,
        share: SharedSplit = WHOLE,
        rules: PictureRules = PLAIN,
        *,
        classes_of: Path | None = None,
        crowd: Literal["ignore", "object"] = "ignore",
    ) -> None:
        self.annotations, self.images, self._rules = annotations, images, rules
        document = read_document(annotations)
        reference = document if classes_of is None else read_document(classes_of)
        self.class_names: tuple[str, ...] = tuple(reference.categories.values())
        class_of = _class_ids(document, reference)
        self._sizes = document.sizes
        self._paths, missing, moved = _find_pictures(document, images)
        for name, message in missing.items():
            on_missing(images / (name if is_inside(name) else PurePosixPath(name).name), message)
        self.notes: tuple[str, ...] = (*document.notes, *moved)
        # text takes a fraction of the memory, here and in each process that the reader is sent to
        self._annotations = {
            name: json.dumps([_packed(item, class_of, crowd) for item in items])
            for name, items in document.annotations.items()
        }
        chosen = select_share(document.sizes, share, annotations)
        self.image_ids: tuple[str, ...] = tuple(name for name in chosen if name not in missing)

    def picture_of(self, image_id: str) -> tuple[Path, int | None]:
        """Return the picture's file, and the position of its page in a stack, which the data set's rules choose."""
        return self._paths.get(image_id, self.images / image_id), None

    def read(self, image_id: str) -> RawSample:
        """Read one image and its objects, numbered in the order of the annotation file.

        Raises:
            BadSampleError: The image is damaged, or its size differs from the size in the JSON file.
        """
        path, _ = self.picture_of(image_id)
        picture = read_picture(path, self._rules)
        # of an unknown size, the frame alone says which of the picture's two sizes it is
        unknown = picture.stored_size if self._rules.annotated == "stored" else picture.size
        size = self._sizes[image_id] or unknown
        frame = picture.frame_of(size, self._rules.annotated)
        if frame is None:
            found, said = (f"{height} x {width}" for height, width in (picture.size, size))
            raise BadSampleError(f"{path}: {found} pixels, {self.annotations.name} says {said}; correct one of them")
        ignore_mask = np.zeros(size, bool)
        masks: list[Any] = []
        classes: list[int] = []
        places: list[tuple[int, str]] = []
        dropped: dict[int, tuple[DropReason, str]] = {}  # by position
        for number, (where, class_id, is_crowd, outline) in enumerate(self._unpack(image_id)):
            mask, reason, fault = _mask_of(outline, size)
            if mask is not None and is_crowd:
                ignore_mask |= coco_mask.decode(mask).astype(bool)
                reason, fault = "crowd", "iscrowd, and so a region that is ignored"
            if reason is not None:
                dropped[number] = (reason, f"{self.annotations}: {where} of {image_id}: {fault}")
                continue
            masks.append(mask)
            classes.append(class_id)
            places.append((number, where))
        painted = _paint(masks, size)
        if frame == "stored":
            painted, ignore_mask = turned(painted, picture.orientation), turned(ignore_mask, picture.orientation)
        kept = np.unique(painted[painted > 0])
        for i in set(range(len(masks))) - {int(k) - 1 for k in kept}:
            detail = f"{self.annotations}: {places[i][1]} of {image_id}: smaller objects cover all its pixels"
            dropped[places[i][0]] = ("hidden by others", detail)
        return RawSample(
            image=picture.image,
            instance_map=relabel(painted),
            class_ids=np.array(classes, np.int64)[kept - 1],
            ignore_mask=ignore_mask & (painted == 0),
            image_id=image_id,
            dropped=tuple(dropped[number][0] for number in sorted(dropped)),
            drop_details=tuple(dropped[number][1] for number in sorted(dropped)),
            frame_is_assumed=picture.is_assumed(size) or (not self._sizes[image_id] and picture.orientation != 1),
        )

    def _unpack(self, image_id: str) -> list[tuple[str, int, bool, Outline]]:
        packed = json.loads(self._annotations[image_id])
        return [(where, class_id, is_crowd, Outline(*outline)) for where, class_id, is_crowd, outline in packed]


def _packed(item: Annotation, class_of: dict[str, int], crowd: str) -> list[Any]:
    """Return an annotation as JSON values, see `CocoReader._unpack`."""
    shape = item.outline
    outline = [shape.polygons, shape.size, shape.runs, shape.reason, shape.fault]
    return [item.where, class_of[item.category], item.is_crowd and crowd == "ignore", outline]


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


def _paint(masks: list[Any], size: tuple[int, int]) -> np.ndarray:
    """Return int32 [H, W], in which each pixel has the number of the smallest mask over it, the first being 1."""
    painted = np.zeros(size, np.int32)
    areas = [int(coco_mask.area(mask)) for mask in masks]
    for i in sorted(range(len(masks)), key=lambda i: (-areas[i], -i)):  # the smallest is painted last, on top
        painted[coco_mask.decode(masks[i]) > 0] = i + 1
    return painted


def _class_ids(document: CocoDocument, reference: CocoDocument) -> dict[str, int]:
    """Return the class id of each category id, by the names of the reference.

    Raises:
        UserError: An annotation has a class that the reference lacks. It can never be found, since no network of this
            data set knows the class; to leave it out would flatter the scores.
    """
    class_of_name = {name: number for number, name in enumerate(reference.categories.values(), start=1)}
    used = Counter(item.category for items in document.annotations.values() for item in items)
    unknown = {
        name: used[category]
        for category, name in document.categories.items()
        if name not in class_of_name and used[category]
    }
    if unknown:
        shown = ", ".join(f"{number} of {name!r}" for name, number in list(unknown.items())[:_SHOWN])
        known = ", ".join(map(repr, list(class_of_name)[:_SHOWN])) + (", ..." if len(class_of_name) > _SHOWN else "")
        raise UserError(
            f"{document.path}: has objects of classes that {reference.path} does not list ({shown}; listed: {known}); "
            "give them the names listed there, remove their annotations, or add the classes to its categories"
        )
    return {category: class_of_name.get(name, 0) for category, name in document.categories.items()}


def _find_pictures(document: CocoDocument, images: Path) -> tuple[dict[str, Path], dict[str, str], list[str]]:
    """Find the picture of each image.

    Returns:
        The paths that differ from the file name; a message for each image without a picture of its own; notes.
    """
    files = PictureFiles(images)
    found = {name: files.find(name) for name in document.sizes}
    names: dict[Path, list[str]] = {}
    for name, paths in found.items():
        names.setdefault(paths[0], []).append(name) if len(paths) == 1 else None
    moved, missing = {}, {}
    for name, paths in found.items():
        place, written = f"{document.path}: {document.places[name]}", images / name
        if not paths:
            missing[name] = f"{written}: no such file, but {place} lists it; add it or remove the entry"
        elif len(paths) > 1:
            shown = " or ".join(path.relative_to(images).as_posix() for path in paths[:3])
            missing[name] = (
                f"{place}: file_name {name!r} could be {shown} in {images}; write which, or remove the entry"
            )
        elif len(names[paths[0]]) > 1 and paths[0] != written:
            other = next(item for item in names[paths[0]] if item != name)
            missing[name] = (
                f"{place}: file_name {name!r} is found as {paths[0]}, which is {other!r} too; add its own picture or "
                "remove the entry"
            )
        elif paths[0] != written:
            moved[name] = paths[0]
    # a name that differs in the Unicode form of its accents looks the same
    odd = [name for name in moved if normalize("NFC", str(moved[name])) != normalize("NFC", str(images / name))]
    if not odd:
        return moved, missing, []
    shown = f"the first: {odd[0]!r} is {moved[odd[0]].relative_to(images).as_posix()}"
    note = f"{document.path}: {len(odd)} of {len(found)} pictures have another path than it says ({shown})"
    return moved, missing, [note]
