"""The ground truth of a COCO instance JSON."""

import json
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
from pycocotools import mask as coco_mask

from rsis.config.datasets import CocoSplit
from rsis.errors import UserError
from rsis.eval.truths.base import TrueObject, once_an_image
from rsis.eval.truths.coco_file import Category, CocoFile, CocoImage, CocoObject, key_of, parse_file
from rsis.eval.truths.coco_masks import is_box_alone, normalise, rasterise
from rsis.eval.truths.drawn import DrawnTruth, drawing_frame, turned
from rsis.eval.truths.images import frame_of
from rsis.masks import decode_rle
from rsis.splits.pictures import PictureFiles
from rsis.splits.share import select_share

_MOST_PIXELS = 2**31
_REMEDY = "correct the file"


class CocoTruth(DrawnTruth):
    """A split of a COCO instance JSON; an image id is a `file_name`, and classes have the order of the categories' ids.

    Annotations that cannot be drawn, and those without a pixel in their image, are left out.

    Args:
        root: Folder of the raw data.
        split: The annotation file, the folder of the images, and the share of them.
        annotated: Frame of the annotations of a turned picture whose size fits both frames, or is unknown.
        classes_of: Annotation file whose categories are the classes, by their names; None for the split's own.
        crowd: Whether annotations with `iscrowd` are ignored regions or objects.

    Raises:
        UserError: A file is missing or inconsistent, or has a value without a sensible meaning.
    """

    def __init__(
        self,
        root: Path,
        split: CocoSplit,
        annotated: Literal["upright", "stored"] = "upright",
        classes_of: Path | None = None,
        crowd: Literal["ignore", "object"] = "ignore",
    ) -> None:
        self._path = root / split.annotations
        self._pictures = PictureFiles(root / split.images)
        self._crowd, self._annotated = crowd, annotated
        document = parse_file(self._path)
        images = _unique_images(self._path, document)
        own = classes_of_file(self._path, document)
        reference = own if classes_of is None else classes_of_file(classes_of, parse_file(classes_of))
        numbers = {item.name: number for number, item in enumerate(reference, 1)}
        self._sizes = {image.file_name: _size(image) for image in document.images}
        chosen = set(select_share(self._sizes, split, self._path))
        super().__init__([name for name in self._sizes if name in chosen], list(numbers))
        names = {key_of(item.id): item.name for item in own}
        self._objects: dict[str, str] = {}  # as text, which takes a fraction of the memory in each process
        for image, items in images.items():
            rows: list[tuple[int, bool, float | None, Any]] = []
            for item in items:
                name = names[key_of(item.category_id)]
                if name not in numbers:
                    raise UserError(
                        f"{self._path}: annotation {item.id!r} is of class {name!r}, which {classes_of} does not list; "
                        "rename the class, remove its annotations, or list it there"
                    )
                rows.append((numbers[name], item.iscrowd, item.area, item.segmentation))
            self._objects[image] = json.dumps(rows)

    def image_path(self, image_id: str) -> Path:
        """Return the path of the picture in the folder of the images."""
        found = self._pictures.find(image_id)
        return found[0] if found else self._pictures.folder / image_id

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of the picture as it is shown; without a picture, those of the JSON file."""
        (height, width), turn = self._frame(image_id)
        return (width, height) if turn >= 5 else (height, width)

    def _frame(self, image_id: str) -> tuple[tuple[int, int], int]:
        """Return the (H, W) that annotations have, and the EXIF orientation by which they must be turned.

        The latter is 1 where annotations lie as the picture is shown.
        """
        path, written = self.image_path(image_id), self._sizes[image_id]
        if written is not None and not path.is_file():
            return written, 1
        return drawing_frame(frame_of(path, "restore it"), written, self._annotated)

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true on the pixels of crowd regions that are in no object."""
        crowd = np.zeros(self.size(image_id), bool)
        for item in self.annotations(image_id):
            if item.iscrowd:
                crowd |= decode_rle(item.rle)
        return crowd & (self.instance_map(image_id) == 0) if crowd.any() else crowd

    @once_an_image
    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects and crowd regions that can be drawn, in the order of the file."""
        size, turn = self._frame(image_id)
        objects = []
        for class_id, is_crowd, area, segmentation in json.loads(self._objects[image_id]):
            try:
                rle = turned(rasterise(segmentation, size), turn)
            except ValueError:
                continue
            pixels = float(coco_mask.area(rle))
            if pixels:
                region = is_crowd and self._crowd == "ignore"
                objects.append(TrueObject(rle, class_id, pixels if area is None else area, region))
        return tuple(objects)


def classes_of_file(path: Path, document: CocoFile) -> list[Category]:
    """Return the categories that are classes, in the order of their ids: numbers first, then text.

    Raises:
        UserError: There is no category, or two have one id or one name. A category of id 0 that no annotation uses is
            not among them if it has the name of another or is the supercategory of all others.
    """
    table: dict[str, Category] = {}
    for number, item in enumerate(document.categories):
        if table.setdefault(key_of(item.id), item).name != item.name:
            raise UserError(f"{path}: categories[{number}] has the id {item.id!r} of another; {_REMEDY}")
    used = {key_of(item.category_id) for item in document.annotations}
    root = table.get("0")
    if root is not None and "0" not in used and len(table) > 1:
        others = [item for key, item in table.items() if key != "0"]
        parents = {_plain(item.supercategory) for item in others}
        if root.name in {item.name for item in others} or parents == {root.name}:
            del table["0"]
    names = [item.name for item in table.values()]
    if not names or len(set(names)) < len(names):
        twice = next((f", {name!r} twice" for name in names if names.count(name) > 1), "")
        raise UserError(f"{path}: has {len(names)} categories{twice}; expected some of different names; {_REMEDY}")
    return [table[key] for key in sorted(table, key=_order)]


def _order(key: str) -> tuple[int, int, str]:
    digits = key.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= 100:
        return 0, int(key), key
    return 1, 0, key


def _plain(supercategory: Any) -> str:
    return normalize("NFC", supercategory).strip() if isinstance(supercategory, str) else ""


def _unique_images(path: Path, document: CocoFile) -> dict[str, list[CocoObject]]:
    """Return the annotations of each file name; two images of one name are one if they agree.

    Raises:
        UserError: There is no image, images of one id or one name differ, or an annotation has an unknown image or
            category or all annotations are boxes.
    """
    by_key: dict[str, list[CocoObject]] = {key_of(image.id): [] for image in document.images}
    categories = {key_of(item.id) for item in document.categories}
    for number, item in enumerate(document.annotations):
        if key_of(item.image_id) not in by_key or key_of(item.category_id) not in categories:
            link = f"names image {item.image_id!r} and category {item.category_id!r}; one of them is not listed"
            raise _wrong(path, item, link, number)
        by_key[key_of(item.image_id)].append(item)
    boxes = [item for item in document.annotations if is_box_alone(item.segmentation, item.bbox)]
    if boxes and len(boxes) == len(document.annotations):
        raise UserError(f"{path}: all {len(boxes)} annotations are boxes without outlines; export outlines or masks")
    first: dict[str, CocoImage] = {}
    names: dict[str, str] = {}
    objects: dict[str, list[CocoObject]] = {}
    for image in document.images:
        key, name = key_of(image.id), image.file_name
        if image.height * image.width > _MOST_PIXELS:
            raise UserError(f"{path}: image {image.id!r} has more than 2^31 pixels; {_REMEDY}")
        same_size = _size(first.setdefault(name, image)) == _size(image)
        known = objects.setdefault(name, by_key[key])
        if names.setdefault(key, name) != name or not same_size or not _agree(known, by_key[key]):
            raise UserError(f"{path}: image {image.id!r}, {name!r}, is listed twice, and they differ; {_REMEDY}")
        objects[name] = known or by_key[key]
    if not objects:
        raise UserError(f"{path}: lists no image; expected one at least; {_REMEDY}")
    return objects


def _size(image: CocoImage) -> tuple[int, int] | None:
    return (image.height, image.width) if image.height and image.width else None


def _agree(first: list[CocoObject], second: list[CocoObject]) -> bool:
    """Return whether two lists of annotations are equal, or one of them is empty."""
    return first is second or not first or not second or list(map(_content, first)) == list(map(_content, second))


def _content(item: CocoObject) -> tuple[Any, ...]:
    try:
        shape = normalise(item.segmentation)
    except ValueError:
        shape = ("nothing", is_box_alone(item.segmentation, item.bbox))
    return key_of(item.category_id), item.iscrowd, shape


def _wrong(path: Path, item: CocoObject, fault: str, number: int) -> UserError:
    return UserError(f"{path}: annotations[{number}] (id {item.id!r}) {fault}; {_REMEDY}")
