"""What is common to the truths of annotation tools: classes by name, objects of shapes, pictures by id."""

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

import numpy as np
from pycocotools import mask as coco_mask

from rsis.config.datasets import ExportDataset
from rsis.config.types import Split
from rsis.errors import UserError
from rsis.eval.truths.base import TrueObject, once_an_image
from rsis.eval.truths.drawn import DrawnTruth, drawing_frame, turned
from rsis.eval.truths.exports.shapes import Shape, Undrawn, draw_object
from rsis.eval.truths.images import PictureFrame, frame_of
from rsis.masks import decode_rle
from rsis.splits.own import OnLost, leave_out, refuse
from rsis.splits.share import select_share

REMEDY = "correct the file, or export it again"


@dataclass(frozen=True)
class ExportObject:
    """One annotated object.

    Attributes:
        place: Where it stands in its file, such as "shapes[3]"; for messages.
        class_name: As written; None where the file says none.
        shapes: Its parts.
        is_ignored: Whether it is no object, but a region that is not annotated.
    """

    place: str
    class_name: str | None
    shapes: tuple[Shape, ...]
    is_ignored: bool = False

    @property
    def is_box(self) -> bool:
        """Whether it is a box and nothing else."""
        return all(isinstance(shape, Undrawn) and shape.is_box for shape in self.shapes)


@dataclass(frozen=True)
class Annotation:
    """The objects of one image, in the order of the file.

    Attributes:
        path: The file.
        size: The (H, W) of the picture that the file says; None if it says none.
        objects: Its objects.
    """

    path: Path
    size: tuple[int, int] | None
    objects: tuple[ExportObject, ...]


class ExportTruth(DrawnTruth):
    """A split of an annotation tool's format; an image id is the picture's path in the folder of pictures.

    Objects that cannot be drawn, and those without a pixel in their image, are left out. A subclass lists the pictures
    by their ids, calls this class, and says what is annotated in each.

    Args:
        root: Folder of the raw data.
        dataset: The data set's section of params.yaml; with its `skip_bad`, pictures and annotations without each other
            are left out.
        split: Name of the split.
        pictures: Paths of the annotated pictures by image id; the split's share is taken of them.

    Raises:
        UserError: No image is left, or all objects are boxes. The methods raise it for a file that is damaged or says
            what has no sensible meaning, and for a class that the data set does not list.
    """

    def __init__(self, root: Path, dataset: ExportDataset, split: Split, pictures: dict[str, Path]) -> None:
        section = dataset.splits[split]
        where = root / section.annotations
        if not pictures:
            raise UserError(
                f"{where}: found no annotated picture in {root / section.images}; expected one at least; "
                "correct annotations and images of the split in params.yaml"
            )
        super().__init__(select_share(pictures, section, where), dataset.classes)
        self._where, self._annotated = where, dataset.annotated
        self._paths = {image_id: pictures[image_id] for image_id in self.image_ids}
        self._class_ids = {plain(name): k for k, name in reversed([*enumerate(dataset.classes, 1)])}

    def image_path(self, image_id: str) -> Path:
        """Return the path of the picture."""
        return self._paths[image_id]

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) of the picture as it is shown, from the header of its file."""
        return self.frame(image_id).shown

    def frame(self, image_id: str) -> PictureFrame:
        """Return how the picture lies in its file and how it is shown."""
        return frame_of(self._paths[image_id], "restore it")

    @abstractmethod
    def annotation(self, image_id: str) -> Annotation:
        """Return what is annotated in an image.

        Raises:
            UserError: The file is damaged or says what has no sensible meaning.
        """

    @once_an_image
    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return what can be drawn, in the order of the file.

        A region that is not annotated is a crowd region of each class, since a scorer looks at one class at a time.
        """
        found, frame = self.annotation(image_id), self.frame(image_id)
        if found.size is not None and not frame.has(found.size):
            raise UserError(
                f"{found.path}: says that {image_id} has {found.size} pixels (height, width), but the picture has "
                f"{frame.shown}; correct the file, or restore the picture"
            )
        size, turn = drawing_frame(frame, found.size, self._annotated)
        objects = []
        for item in found.objects:
            class_ids = range(1, len(self.class_names) + 1)
            if not item.is_ignored:
                class_id = self.class_of(found.path, item)
                class_ids = range(class_id, class_id + 1)
            try:
                rle = turned(draw_object(item.shapes, size), turn)
            except ValueError:
                continue
            area = float(coco_mask.area(rle))
            if area:
                objects += [TrueObject(rle, class_id, area, iscrowd=item.is_ignored) for class_id in class_ids]
        return tuple(objects)

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true in regions that are not annotated, but for the objects in them."""
        regions = [item.rle for item in self.annotations(image_id) if item.iscrowd and item.class_id == 1]
        if not regions:
            return np.zeros(self.size(image_id), bool)
        inside = np.any([decode_rle(rle) for rle in regions], axis=0)
        return np.asarray(inside & (self.instance_map(image_id) == 0))

    def class_of(self, path: Path, item: ExportObject) -> int:
        """Return the class of an object; raise UserError if the data set does not list it.

        Args:
            path: The annotation file.
            item: The object; without a class it is of the only one.
        """
        name = plain(item.class_name or "")
        if not name and len(self.class_names) == 1:
            return 1
        if name not in self._class_ids:
            known = ", ".join(self.class_names)
            found = f"is of class {name!r}" if name else "has no class"
            raise UserError(
                f"{path}: {item.place} {found}; expected one of {known}; name its class there, or add it to classes of "
                "the data set in params.yaml"
            )
        return self._class_ids[name]

    def refuse_boxes(self, found: Iterable[Annotation]) -> None:
        """Raise UserError if there are objects and all are boxes; the first other one ends the search."""
        count = 0
        for item in _objects_of(found):
            if not item.is_box:
                return
            count += 1
        if count:
            raise UserError(
                f"{self._where}: {count} of {count} annotations are boxes without outlines; export outlines or masks"
            )


def on_lost_of(dataset: ExportDataset) -> OnLost:
    """Return what happens to a picture or annotation without its partner."""
    return leave_out if dataset.skip_bad else refuse


def id_of(picture: Path, folder: Path) -> str:
    """Return the image id of a picture, its path relative to a folder."""
    return Path(os.path.relpath(picture, folder)).as_posix()


def plain(name: str) -> str:
    """Return a class name in the form in which names are compared."""
    return normalize("NFC", name).strip()


def _objects_of(found: Iterable[Annotation]) -> Iterator[ExportObject]:
    for annotation in found:
        yield from annotation.objects
