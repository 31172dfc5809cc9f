"""Reader of COCO instance JSON: one annotation file and a folder of images.

    {"images": [{"id": 1, "file_name": "a.png", "width": 360, "height": 256}],
     "categories": [{"id": 7, "name": "nucleus"}],
     "annotations": [{"image_id": 1, "category_id": 7, "iscrowd": 0, "segmentation": ...}]}

A segmentation is a list of polygons [x, y, x, y, ...] in pixels, whose union is the object, or a run-length
encoding {"size": [H, W], "counts": ...}, column by column, whose counts are a list of numbers or COCO's
compressed text. Ids may be numbers or text and are compared as text. Other keys are not read.

Where objects overlap, the pixels belong to the smaller object, which could otherwise disappear under the larger one.
An object that keeps no pixel is dropped. Regions with `iscrowd` are not objects; their pixels outside of objects are
ignored. Class ids are 1..K-1 in the order of the categories' ids.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.pictures import PLAIN, PictureRules, read_picture, turned
from rsis.errors import UserError
from rsis.masks import RLE, relabel, rle_runs
from rsis.splits.share import WHOLE, SharedSplit, select_share
from rsis.structures import RawSample


class CocoReader:
    """Reader of one annotation file; an image id is the `file_name` in that file.

    Attributes:
        class_names: Names of the categories, in the order of their ids.
        image_ids: Sorted, including the images without annotations.

    Args:
        annotations: The JSON file.
        images: Folder that its file names are relative to.
        on_missing: Called for each image whose file is missing; the default raises.
        share: Share of the images to read; the default is all.
        rules: How to read the pictures.

    Raises:
        UserError: The JSON file is missing, is not JSON, lacks a key, lists no image, lists an image twice, lists
            an image whose file is missing, or has an annotation with an unknown image or category.
    """

    def __init__(
        self,
        annotations: Path,
        images: Path,
        on_missing: OnMissing = refuse,
        share: SharedSplit = WHOLE,
        rules: PictureRules = PLAIN,
    ) -> None:
        self.annotations, self.images, self._rules = annotations, images, rules
        content = _parse(annotations)
        class_of = self._read_categories(content["categories"])
        files = self._read_images(content["images"])
        missing = {name for name in files.values() if not (images / name).is_file()}
        for number, entry in enumerate(content["images"]):
            if (name := entry["file_name"]) in missing:
                where = f"{annotations}: images[{number}]"
                message = f"{images / name}: no such file, but {where} lists it; add it or remove the entry"
                on_missing(images / name, message)
        objects_of: dict[str, list[tuple[int, bool, Any]]] = {name: [] for name in files.values()}
        for number, entry in enumerate(content["annotations"]):
            where = f"{annotations}: annotations[{number}]"
            image, category, shape = (_get(entry, key, where) for key in ("image_id", "category_id", "segmentation"))
            if str(image) not in files:
                raise UserError(f"{where}: image_id {image!r} is not in images; remove it or list its image")
            if str(category) not in class_of:
                raise UserError(
                    f"{where}: category_id {category!r} is not in categories; correct it or add the category"
                )
            objects_of[files[str(image)]].append((class_of[str(category)], bool(entry.get("iscrowd", 0)), shape))
        # text takes a fraction of the memory, here and in each process that the reader is sent to
        self._objects = {name: json.dumps(objects) for name, objects in objects_of.items()}
        chosen = select_share(objects_of, share, annotations)
        self.image_ids: tuple[str, ...] = tuple(name for name in chosen if name not in missing)

    def picture_of(self, image_id: str) -> tuple[Path, int | None]:
        """Return the picture's file, and the position of its page in a stack, which the data set's rules choose."""
        return self.images / image_id, None

    def read(self, image_id: str) -> RawSample:
        """Read one image and its objects, numbered in the order of the annotation file.

        Raises:
            BadSampleError: The image is damaged, its size differs from the size in the JSON file, or a segmentation is
                malformed or has another size.
        """
        path = self.images / image_id
        picture = read_picture(path, self._rules)
        size = self._sizes[image_id]
        frame = picture.frame_of(size, self._rules.annotated)
        if frame is None:
            found, said = (f"{height} x {width}" for height, width in (picture.size, size))
            raise BadSampleError(f"{path}: {found} pixels, {self.annotations.name} says {said}; correct one of them")
        ignore_mask = np.zeros(size, bool)
        masks, classes = [], []
        for number, (class_id, is_crowd, segmentation) in enumerate(json.loads(self._objects[image_id])):
            mask = _to_rle(segmentation, size, f"{self.annotations}: annotation {number + 1} of {image_id}")
            if is_crowd:
                ignore_mask |= coco_mask.decode(mask).astype(bool)
            else:
                masks.append(mask)
                classes.append(class_id)
        painted = np.zeros(size, np.int32)
        areas = [int(coco_mask.area(mask)) for mask in masks]
        for i in sorted(range(len(masks)), key=lambda i: (-areas[i], -i)):  # the smallest is painted last, on top
            painted[coco_mask.decode(masks[i]) > 0] = i + 1
        if frame == "stored":
            painted, ignore_mask = turned(painted, picture.orientation), turned(ignore_mask, picture.orientation)
        kept = np.unique(painted[painted > 0])
        return RawSample(
            image=picture.image,
            instance_map=relabel(painted),
            class_ids=np.array(classes, np.int64)[kept - 1],
            ignore_mask=ignore_mask & (painted == 0),
            image_id=image_id,
            frame_is_assumed=picture.is_assumed(size),
        )

    def _read_categories(self, categories: list[Any]) -> dict[str, int]:
        """Set `class_names`; return the class id of each category id, the latter as text."""
        names: dict[int | str, str] = {}
        seen: set[str] = set()
        for number, entry in enumerate(categories):
            where = f"{self.annotations}: categories[{number}]"
            category = _get(entry, "id", where)
            if not isinstance(category, int | str) or str(category) in seen:
                raise UserError(f"{where}: id {category!r}; expected a number or text that no other has; correct it")
            seen.add(str(category))
            names[category] = str(_get(entry, "name", where))
        if not names:
            raise UserError(f"{self.annotations}: categories is empty; expected at least one; add it")
        ordered = sorted(names, key=lambda category: (isinstance(category, str), category))
        self.class_names: tuple[str, ...] = tuple(names[category] for category in ordered)
        return {str(category): class_id for class_id, category in enumerate(ordered, start=1)}

    def _read_images(self, images: list[Any]) -> dict[str, str]:
        """Store the size of each image; return the file name of each image id, the latter as text."""
        files: dict[str, str] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        for number, entry in enumerate(images):
            where = f"{self.annotations}: images[{number}]"
            image, name, height, width = (_get(entry, key, where) for key in ("id", "file_name", "height", "width"))
            if not isinstance(name, str) or ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
                raise UserError(f"{where}: file_name {name!r}; expected a path within {self.images}; correct it")
            if str(image) in files or name in self._sizes:
                raise UserError(f"{where}: id {image!r} or file_name {name!r} occurs twice; remove one")
            files[str(image)] = name
            self._sizes[name] = (height, width)
        if not files:
            raise UserError(f"{self.annotations}: images is empty; expected at least one; correct the split")
        return files


def _parse(path: Path) -> dict[str, list[Any]]:
    """Read the JSON file and check that it has the three lists."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; it was to hold COCO instance annotations; correct the path") from error
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror}); make it readable") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); restore the file") from error
    for key in ("images", "categories", "annotations"):
        if not isinstance(_get(content, key, str(path)), list):
            raise UserError(f"{path}: {key} is {type(content[key]).__name__}, expected a list; correct it")
    return content  # type: ignore[no-any-return]


def _get(entry: Any, key: str, where: str) -> Any:
    """Return `entry[key]`; raise UserError when `entry` has no such key, with `where` in the message."""
    if not isinstance(entry, dict):
        raise UserError(f"{where}: found {type(entry).__name__}, expected an object with {key!r}; correct it")
    if key not in entry:
        raise UserError(f"{where}: {key!r} is missing; add it")
    return entry[key]


def _to_rle(segmentation: Any, size: tuple[int, int], where: str) -> Any:
    """Return the segmentation as pycocotools' compressed RLE, checked against the image's (H, W)."""
    if isinstance(segmentation, dict) and {"size", "counts"} <= segmentation.keys():
        if segmentation["size"] != list(size):
            raise BadSampleError(
                f"{where}: RLE size {segmentation['size']}, the image is {list(size)}; correct the annotation"
            )
        runs = segmentation["counts"]
        if isinstance(runs, str):
            try:
                runs = rle_runs(RLE(size=list(size), counts=runs)).tolist()
            except ValueError as error:
                raise BadSampleError(f"{where}: RLE {error}; correct the annotation") from error
        if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
            raise BadSampleError(f"{where}: RLE counts are neither text nor whole numbers; correct the annotation")
        if sum(runs) != size[0] * size[1]:
            raise BadSampleError(
                f"{where}: RLE has runs of {sum(runs)} pixels for a mask of {size[0] * size[1]}; correct the annotation"
            )
        return coco_mask.frPyObjects({"size": list(size), "counts": runs}, *size)
    if isinstance(segmentation, list) and segmentation and all(_is_polygon(part, size) for part in segmentation):
        return coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
    raise BadSampleError(
        f"{where}: segmentation is neither RLE nor polygons of 3 or more points near the image; correct the annotation"
    )


def _is_polygon(part: Any, size: tuple[int, int]) -> bool:
    """Return whether `part` is three or more x, y pairs near the image; to draw distant points takes all memory."""
    if not isinstance(part, list) or len(part) < 6 or len(part) % 2:
        return False
    reach = sum(size)
    return all(type(number) in (int, float) and -reach <= number <= 2 * reach for number in part)
