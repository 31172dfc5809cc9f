"""The ground truth of LabelMe's JSON: a file for each annotated picture, with a list of shapes.

    {"imagePath": "a.jpg", "imageHeight": 48, "imageWidth": 64, "imageData": null,
     "shapes": [{"label": "cat", "shape_type": "polygon", "points": [[1, 2], [9, 2], [9, 7]], "group_id": null}]}

Shapes of one label and one group_id are one object. A picture without a file is not annotated yet. The label __ignore__
marks what is not annotated, _background_ what is no object, unless the data set has classes of these names. With its
key numbered_labels, a label is the name of a class, a hyphen and the number of the object.
"""

import base64
import math
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field

from rsis.config.datasets import ExportDataset
from rsis.config.types import Split
from rsis.errors import UserError
from rsis.eval.truths.documents import read_json, shown, validated
from rsis.eval.truths.exports.base import REMEDY, Annotation, ExportObject, ExportTruth, id_of, on_lost_of, plain
from rsis.eval.truths.exports.folders import Pictures, ending, listed, without_doubles, without_suffix
from rsis.eval.truths.exports.groups import joined
from rsis.eval.truths.exports.shapes import Shape, Undrawn, ellipse, outline_of, patch_of, points_of, rectangle
from rsis.eval.truths.fields import UNKNOWN, class_name_or_none, side
from rsis.eval.truths.images import PictureFrame, frame_within, read_image
from rsis.eval.truths.labels import Pixels, is_object
from rsis.splits.pictures import PictureFiles, spellings

# shapes whose four points are their corners: turned rectangles of LabelMe and X-AnyLabeling, and all of the latter
_OF_CORNERS = ("oriented_rectangle", "rotation", "rectangle")


class LabelmeShape(BaseModel):
    """An entry of `shapes`; a fault in points or mask concerns only its object."""

    label: Annotated[str | None, BeforeValidator(class_name_or_none)] = None
    shape_type: Any = None  # null in old versions, which know polygons alone
    points: Any = None
    mask: Any = None
    group_id: Any = None


class LabelmeFile(BaseModel):
    """The whole document; old versions do not say the size."""

    shapes: list[LabelmeShape]
    height: Annotated[int, BeforeValidator(side), Field(alias="imageHeight")] = UNKNOWN
    width: Annotated[int, BeforeValidator(side), Field(alias="imageWidth")] = UNKNOWN


class LabelmeTruth(ExportTruth):
    """A split of LabelMe's JSON files; see `ExportTruth` for arguments and errors.

    The path of a picture that stands in a JSON file is that of this file, and its image id is the path in the folder of
    annotations.
    """

    def __init__(self, root: Path, dataset: ExportDataset, split: Split) -> None:
        section = dataset.splits[split]
        self._folder, images = root / section.annotations, root / section.images
        self._has_numbers = dataset.numbered_labels
        names = [name for name in listed(self._folder, "annotations") if ending(name) == ".json"]
        self._beside, self._files = Pictures(self._folder), PictureFiles(images)
        self._images = Pictures(images) if images.is_dir() else self._beside
        found = [(self._picture_of(name, dataset), self._folder / name) for name in names]
        pairs = [(picture, path) for picture, path in found if picture is not None]
        self._documents = without_doubles((self._id_of(picture, path), path) for picture, path in pairs)
        super().__init__(root, dataset, split, {self._id_of(picture, path): picture for picture, path in pairs})
        del self._beside, self._files, self._images  # not needed in other processes

    def frame(self, image_id: str) -> PictureFrame:
        """Return the frame of the picture, perhaps inside of the JSON file."""
        path = self.image_path(image_id)
        if path != self._documents[image_id]:
            return super().frame(image_id)
        content = read_json(path, REMEDY)
        try:
            picture = _bytes(content.get("imageData") if isinstance(content, dict) else None)
        except ValueError as error:
            raise UserError(f"{path}: imageData is no picture in base64 ({error}); {REMEDY}") from error
        return frame_within(picture, path, REMEDY)

    def annotation(self, image_id: str) -> Annotation:
        """Return the shapes of the picture's file."""
        path = self._documents[image_id]
        document = validated(LabelmeFile, read_json(path, REMEDY), str(path), REMEDY)
        size = (document.height, document.width)
        pairs, ignored = [], []
        for k, item in enumerate(document.shapes):
            label, is_own = item.label, item.label not in self.class_names
            found = ExportObject(f"shapes[{k}]", label, (_shape(item, path),))
            if is_own and label == "__ignore__":
                ignored.append(replace(found, is_ignored=True))
            elif not is_own or label != "_background_":
                pairs.append(self._numbered(found, item.group_id))
        return Annotation(path, size if all(size) else None, (*joined(pairs), *ignored))

    def _numbered(self, item: ExportObject, group: Any) -> tuple[ExportObject, Any]:
        """Return an object by the class and with the group that its label says."""
        stem, hyphen, number = plain(item.class_name or "").rpartition("-")
        if not (self._has_numbers and stem and hyphen and number.isascii() and number.isdecimal()):
            return item, group
        return replace(item, class_name=stem), f"{number} of {group!r}"

    def _id_of(self, picture: Path, document: Path) -> str:
        """Return the path of the picture below the folder of pictures, or else below that of annotations."""
        inside = picture != document and not id_of(picture, self._files.folder).startswith("../")
        return id_of(picture, self._files.folder if inside else self._folder)

    def _picture_of(self, name: str, dataset: ExportDataset) -> Path | None:
        """Return the picture of a JSON file, or the file itself if the picture is in it; None if there is none."""
        path = self._folder / name
        try:
            content = read_json(path, REMEDY)
        except UserError:
            same = self._of_stem(name)  # the fault is raised again when this picture is scored
            if not same:
                raise
            return same[0]
        if not isinstance(content, dict) or "shapes" not in content:
            return None
        written = content.get("imagePath")
        for found in self._candidates(name, written if isinstance(written, str) else ""):
            if len(found) == 1:
                return found[0]
        if isinstance(content.get("imageData"), str) and content["imageData"]:
            return path
        on_lost_of(dataset)(
            path,
            f"{path}: names the picture {shown(written)}; found no such picture, or several, here and in "
            f"{self._files.folder}; add it, or remove the file",
        )
        return None

    def _candidates(self, name: str, written: str) -> list[list[Path]]:
        """Return the pictures that a JSON file may mean, the nearest first."""
        folder, last = (self._folder / name).parent, spellings(written)[-1].rpartition("/")[2]
        near = [Path(os.path.normpath(folder / spelled)) for spelled in spellings(written) if spelled]
        here = [path for path in near if self._is_inside(path) and _is_file(path)]
        same_place = PurePosixPath(name).with_name(last).as_posix() if last else ""  # as where json/ mirrors images/
        return [
            here[:1],
            *(list(self._files.find(spelled)) if spelled else [] for spelled in (same_place, written, last)),
            [self._folder / found for found in self._beside.of_stem(without_suffix(name))],
        ]

    def _is_inside(self, path: Path) -> bool:
        folders = (self._folder, self._files.folder)
        return any(path.is_relative_to(os.path.normpath(folder)) for folder in folders)

    def _of_stem(self, name: str) -> list[Path]:
        stem = without_suffix(name)
        beside = [self._folder / found for found in self._beside.of_stem(stem)]
        return beside + [self._images.folder / found for found in self._images.of_stem(stem)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # for example a name that is too long
        return False


def _shape(item: LabelmeShape, path: Path) -> Shape:
    kind = item.shape_type or "polygon"
    if kind == "polygon":
        return outline_of(item.points)
    try:
        if kind in _OF_CORNERS and len(item.points) == 4:
            return outline_of(item.points)
        (x0, y0), (x1, y1) = points_of(item.points).tolist()
        if kind == "rectangle":
            return rectangle(x0, y0, x1, y1)
        if kind == "circle":
            radius = math.hypot(x1 - x0, y1 - y0)
            return ellipse(x0, y0, radius, radius)
        if kind == "mask":
            return _mask(item.mask, (int(x0), int(y0)), (int(x1), int(y1)), path)
    except (TypeError, ValueError, OverflowError, UserError):
        pass
    return Undrawn()


def _mask(written: Any, first: tuple[int, int], last: tuple[int, int], path: Path) -> Shape:
    """Return the mask of a box, whose first and last pixel are given as column and row."""
    extent = (last[1] - first[1] + 1, last[0] - first[0] + 1)
    pixels = is_object(Pixels(np.asarray(read_image(path, REMEDY, _bytes(written))), is_turned=False))
    if pixels.shape != extent:
        raise ValueError(f"has a mask of {pixels.shape} pixels in a box of {extent}")
    return patch_of(pixels, first)


def _bytes(written: Any) -> bytes:
    """Return what a text in base64 stands for; raise ValueError if it is none."""
    if not isinstance(written, str):
        raise ValueError("it is no text")
    return base64.b64decode(written.rpartition(",")[2])  # a comma ends the start of an address data:image/png;base64,
