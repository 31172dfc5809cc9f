"""LabelMe's JSON: a file for each picture, with the picture's name and its shapes.

    {"imagePath": "a.jpg", "imageHeight": 48, "imageWidth": 64, "imageData": null,
     "shapes": [{"label": "cat", "points": [[3, 4], [9, 4], [6, 8]], "shape_type": "polygon", "group_id": null}]}

Shapes of one label and group_id are one object. A picture is looked for where imagePath says, seen from the JSON file;
then by its name in the folder of the pictures; then beside the JSON file, under the name of that; then in imageData.

Two labels are LabelMe's own, unless they are classes of the data set: what is called __ignore__ is not annotated, and
_background_ is no object. With numbered_labels, cat-1 is the object 1 of the class cat.
"""

import os
import re
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.exports.by_stem import PicturesByStem
from rsis.data.readers.exports.labelme_shapes import outline_of
from rsis.data.readers.exports.shapes import join_groups
from rsis.data.readers.exports.source import Gathered, Source
from rsis.data.readers.json_values import read_file_name, read_length
from rsis.data.readers.outline_reader import AnnotatedObject, AnnotatedPicture, AnnotationDocument
from rsis.data.readers.texts import read_json
from rsis.errors import UserError
from rsis.files.tree import files_below
from rsis.splits.own import is_picture
from rsis.splits.pictures import spellings

IGNORED, BACKGROUND = "__ignore__", "_background_"
NO_CLASSES = (IGNORED, BACKGROUND)
_NUMBERED = re.compile(r"(.+)-[0-9]+", re.DOTALL)
_Place = tuple[str, Path | None]  # image id, and the picture where that is not its path below the pictures


def read_labelme(source: Source) -> AnnotationDocument:
    """Read all files; raise UserError for faults of the data set."""
    gathered, search = Gathered(source), _Search(source)
    others, backgrounds = [], []
    for file in source.files(".json"):
        path = source.annotations / file
        try:
            content = read_json(path, "LabelMe annotations", BadSampleError)
            if not isinstance(content, dict) or "shapes" not in content:
                others.append(file)
                continue
            size, shapes = _checked(path, content)
        except BadSampleError as error:
            place = search.by_stem(file)
            if place is None:
                raise UserError(str(error)) from error
            gathered.add(place[0], AnnotatedPicture(file=file, picture=place[1], fault=str(error)), str(path))
            continue
        place = search.picture_of(file, content, gathered)
        if place is not None:
            objects = _objects(source, path, shapes)
            if len(objects) < len(shapes) and any(_special(source, shape) == BACKGROUND for shape in shapes):
                backgrounds.append(file)
            gathered.add(place[0], AnnotatedPicture(objects, size, file, place[1]), str(path))
    gathered.note_first("JSON files without shapes, which are passed by", others)
    gathered.note_first(f"files with shapes called {BACKGROUND}, which are no objects and left out", backgrounds)
    gathered.note_unannotated()
    return gathered.document()


def _special(source: Source, shape: dict[str, Any]) -> str | None:
    """Return the label of a shape if it is LabelMe's own and no class of the data set."""
    label = shape.get("label")
    return label if label in NO_CLASSES and label not in source.classes.names else None


def _checked(path: Path, content: dict[str, Any]) -> tuple[tuple[int, int] | None, list[dict[str, Any]]]:
    """Return the size of the picture, if the file has it, and the shapes."""
    try:
        height, width = (read_length(content, key, str(path)) for key in ("imageHeight", "imageWidth"))
    except UserError as error:
        raise BadSampleError(str(error)) from error
    shapes = content["shapes"]
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise BadSampleError(f"{path}: shapes is no list of objects; restore the file")
    return (height, width) if height and width else None, shapes


def _objects(source: Source, path: Path, shapes: list[dict[str, Any]]) -> list[AnnotatedObject]:
    objects, regions = [], []
    for number, shape in enumerate(shapes):
        where, group, label = f"shapes[{number}]", shape.get("group_id"), shape.get("label")
        if special := _special(source, shape):
            regions += [AnnotatedObject(where, 1, outline_of(shape), is_region=True)] if special == IGNORED else []
            continue
        key: Any = group if isinstance(group, int | float | str) else None
        if source.numbered_labels and isinstance(label, str) and (parts := _NUMBERED.fullmatch(label.strip())):
            key, label = (label.strip(), key), parts[1]
        class_id = source.classes.id_of(label, f"{path}: {where}")
        objects.append((key, AnnotatedObject(where, class_id, outline_of(shape))))
    return [*join_groups(objects), *regions]


class _Search:
    """Finds the picture of a JSON file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._images, self._folder = (Path(os.path.normpath(path)) for path in (source.images, source.annotations))

    def picture_of(self, file: str, content: dict[str, Any], gathered: Gathered) -> _Place | None:
        """Return the picture of a file; None if it is missing, and `on_missing` returned."""
        where = f"{self._source.annotations / file}: imagePath"
        try:
            written = read_file_name(content, where, "imagePath")
        except UserError:  # missing, or no text
            written = None
        found: list[str] = []
        if written is not None:
            for spelled in spellings(written):
                place = self._place(Path(os.path.normpath((self._folder / file).parent / spelled)))
                if place is not None:
                    return place
            base = PurePosixPath(spellings(written)[-1]).name
            for name in ((PurePosixPath(file).parent / base).as_posix(), written, base):
                paths = [path.relative_to(self._source.images).as_posix() for path in gathered.files.find(name)]
                if len(paths) == 1:
                    return paths[0], None
                found = paths or found
        place = self._beside_of(file)
        if place is None and isinstance(content.get("imageData"), str) and content["imageData"]:
            place = file, self._source.annotations / file
        if place is None:
            gathered.lose(written or PurePosixPath(file).stem, where, found)
        return place

    def by_stem(self, file: str) -> _Place | None:
        """Return the picture that has the name of a file, below the pictures or beside the file."""
        found = PicturesByStem(self._source.pictures).find(PurePosixPath(file).with_suffix("").as_posix())
        return (found[0], None) if len(found) == 1 else self._beside_of(file)

    def _beside_of(self, file: str) -> _Place | None:
        found = self._beside.find(PurePosixPath(file).with_suffix("").as_posix())
        return self._place(self._folder / found[0]) if len(found) == 1 else None

    @cached_property
    def _beside(self) -> PicturesByStem:
        return PicturesByStem(path for path in files_below(self._folder) if is_picture(self._folder / path))

    def _place(self, path: Path) -> _Place | None:
        """Return the image id of a picture below one of the two folders."""
        try:
            if not path.is_file():
                return None
        except OSError:  # for example a name that is too long
            return None
        if path.is_relative_to(self._images):
            return path.relative_to(self._images).as_posix(), None
        return (path.relative_to(self._folder).as_posix(), path) if path.is_relative_to(self._folder) else None
