"""What the modules of the formats read from, and what they find: the classes, the pictures, the annotations of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

from rsis.data.readers.base import OnMissing
from rsis.data.readers.json_values import read_class_name
from rsis.data.readers.outline_reader import AnnotatedPicture, AnnotationDocument
from rsis.data.readers.outlines import refuse_boxes
from rsis.errors import UserError
from rsis.files.tree import files_below
from rsis.splits.own import is_picture
from rsis.splits.pictures import PictureFiles, is_inside

_SHOWN = 5  # most names that a message has


class Classes:
    """The classes of a data set, compared in one Unicode form and without spaces around them.

    Args:
        names: Names of classes 1..K-1.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._ids = {normalize("NFC", name).strip(): number for number, name in enumerate(self.names, start=1)}

    def id_of(self, label: Any, where: str) -> int:
        """Return the class id of an object.

        Args:
            label: Name of its class, text or a number; None or empty for an object without a class.
            where: The file and the object's place in it, for messages.

        Raises:
            UserError: There is no such class, or the object has none and the data set has more than one.
        """
        if label is None or (isinstance(label, str) and not label.strip()):
            if len(self.names) == 1:
                return 1
            raise UserError(f"{where}: has no class; expected one of {self.known}; give it one")
        name = read_class_name(label, where)
        if name not in self._ids:
            raise UserError(
                f"{where}: has the class {name!r}; expected one of {self.known}; correct it, or add the class to "
                "classes of the data set"
            )
        return self._ids[name]

    @property
    def known(self) -> str:
        """The first names, for messages."""
        return _first([repr(name) for name in self.names])


@dataclass(frozen=True)
class Source:
    """Where the annotations of a split are.

    Attributes:
        annotations: The file, or the folder of files.
        images: Folder of the pictures.
        classes: The data set's classes.
        on_missing: Called for each picture or annotation file that is missing.
        class_key: Of VIA: which attribute of a region names its class.
        numbered_labels: Of LabelMe: whether labels end in the number of the object.
        trains: Whether it is the split to train with, which has objects.
    """

    annotations: Path
    images: Path
    classes: Classes
    on_missing: OnMissing
    class_key: str | None = None
    numbered_labels: bool = False
    trains: bool = True

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        """The pictures below `images`, relative to it, sorted."""
        _check_folder(self.images, "images")
        return tuple(path for path in files_below(self.images) if is_picture(self.images / path))

    def files(self, *suffixes: str) -> list[str]:
        """Return the files below `annotations` with one of the suffixes in lower case, relative to it, sorted."""
        _check_folder(self.annotations, "annotations")
        return [path for path in files_below(self.annotations) if PurePosixPath(path).suffix.lower() in suffixes]


class Gathered:
    """The annotated pictures that were found so far.

    Args:
        source: Where the annotations are.
    """

    def __init__(self, source: Source) -> None:
        self.source, self.notes = source, list[str]()
        self.files = PictureFiles(source.images)
        self.pictures: dict[str, AnnotatedPicture] = {}
        self._places: dict[str, str] = {}

    def add(self, image_id: str, picture: AnnotatedPicture, where: str) -> None:
        """Add the annotations of a picture; raise UserError if it has some from another place."""
        if image_id in self.pictures:
            raise UserError(
                f"{where}: annotates the picture {image_id}, as {self._places[image_id].rpartition(': ')[2]} does; "
                "remove one of the two"
            )
        self.pictures[image_id] = picture
        self._places[image_id] = where

    def find(self, name: str, where: str) -> str | None:
        """Return the image id of a picture that an annotation file names.

        Args:
            name: The name as written.
            where: The file and the place of the name in it, for messages.

        Returns:
            The picture's path relative to `images`; None if there is no such picture, and `on_missing` returned.
        """
        found = self.files.find(name)
        if len(found) == 1:
            return found[0].relative_to(self.source.images).as_posix()
        self.lose(name, where, [path.relative_to(self.source.images).as_posix() for path in found])
        return None

    def lose(self, name: str, where: str, found: Sequence[str]) -> None:
        """Call `on_missing` for a picture that is missing, or that could be each of the files that were found."""
        is_path = is_inside(name) and ":" not in name  # and neither an address nor a path of another system
        path = self.source.images / (name if is_path else PurePosixPath(name.replace("\\", "/")).name)
        if found:
            message = (
                f"{where}: the picture {name!r} could be {' or '.join(found[:3])} in {self.source.images}; write which"
            )
        else:
            shown = path if str(path).isprintable() else ascii(str(path))  # XML and JSON names may have line breaks
            message = f"{shown}: no such file, but {where} names it; add it or remove the entry"
        self.source.on_missing(path, message)

    def note_first(self, what: str, names: Sequence[str]) -> None:
        """Add a note about files, with their number and the first names, if there are any."""
        if names:
            self.notes.append(f"{self.source.annotations}: {what}: {len(names)} (the first: {_first(names)})")

    def note_unannotated(self) -> None:
        """Add a note about the pictures without annotations, which are not annotated yet."""
        left = [name for name in self.source.pictures if name not in self.pictures]
        self.note_first("pictures without annotations yet, which are left out", left)

    def document(self) -> AnnotationDocument:
        """Return the annotations of all pictures.

        Raises:
            UserError: There is no picture, or all annotations are boxes.
        """
        source = self.source
        if not self.pictures:
            raise UserError(f"{source.annotations}: annotates no picture in {source.images}; correct the split's paths")
        refuse_boxes(
            source.annotations, (item.outline for picture in self.pictures.values() for item in picture.objects)
        )
        return AnnotationDocument(source.annotations, source.images, source.classes.names, self.pictures, self.notes)


def without_suffix(path: str) -> str:
    """Return a relative path without its last suffix, in one Unicode form."""
    return normalize("NFC", PurePosixPath(path).with_suffix("").as_posix())


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _check_folder(folder: Path, key: str) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; correct {key} of the split in params.yaml")
