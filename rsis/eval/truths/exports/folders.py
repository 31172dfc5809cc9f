"""Formats with an annotation file for each picture: which files a folder has, and which picture one belongs to."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from PIL import Image

from rsis.errors import UserError
from rsis.files.tree import files_below
from rsis.splits.own import OnLost, is_picture


class Pictures:
    """The pictures below a folder, by their paths in it; names are compared in one Unicode form.

    Attributes:
        folder: The folder.
        names: Path of each, relative to the folder, sorted.

    Raises:
        UserError: The folder is missing or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = [name for name in listed(folder, "images") if is_picture(folder / name)]

    def of_stem(self, stem: str) -> list[str]:
        """Return the pictures of a name without its extension."""
        return self._by_stem.get(normalize("NFC", stem), [])

    def of_name(self, name: str) -> list[str]:
        """Return the pictures of a name with its extension."""
        known = has_picture_ending(name)
        return [found for found in self.of_stem(without_suffix(name)) if known and _is_same(found, name)]

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for name in self.names:
            groups.setdefault(normalize("NFC", without_suffix(name)), []).append(name)
        return groups


def listed(folder: Path, key: str) -> list[str]:
    """Return the paths of the files below a folder, relative to it and sorted.

    Args:
        folder: The folder.
        key: The split's key that names it.

    Raises:
        UserError: The folder is missing or cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; correct {key} of the split in params.yaml")
    return files_below(folder)


def one_of(found: list[str], path: Path, pictures: Pictures, on_lost: OnLost) -> str | None:
    """Return the picture of an annotation file; None if it is left out.

    Args:
        found: The pictures that its name tells.
        path: The annotation file.
        pictures: All pictures.
        on_lost: Called if its name tells no picture, or several.
    """
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} pictures, {found[0]} and {found[1]}," if found else "no picture"
    on_lost(path, f"{path}: has {what} of its name in {pictures.folder}; expected one; add, rename or remove a file")
    return None


def without_doubles(pairs: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Return the annotation file of each picture; raise UserError if a picture has two."""
    found: dict[str, Path] = {}
    for name, path in pairs:
        if (before := found.setdefault(name, path)) != path:
            raise UserError(f"{path}: annotates {name}, as {before} does; expected one file for a picture; remove one")
    return found


def without_suffix(name: str) -> str:
    """Return a path without its last extension."""
    path = PurePosixPath(name)
    return (path.parent / path.stem).as_posix()


def ending(name: str) -> str:
    """Return the last extension of a path, in lower case: files from Windows may be called A.TXT."""
    return PurePosixPath(name).suffix.lower()


def has_picture_ending(name: str) -> bool:
    """Return whether a name ends as a picture's does."""
    return ending(name) in Image.registered_extensions()


def _is_same(one: str, other: str) -> bool:
    return normalize("NFC", one) == normalize("NFC", other)
