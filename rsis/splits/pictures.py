r"""Find the pictures that an annotation file names, however the names are written.

An annotation tool may run on another system, and it may have copied the pictures. A name is tried in this order, and
the first step that finds a file decides:

1. as written, below the folder of the pictures: images/a.png
2. with Windows separators and percent signs decoded, whatever the case of letters and the Unicode form of accents, with
   or without the eight digits that Label Studio puts before a name: images\1a2b3c4d-a%20b.png is images/a b.png
3. by the last part of the name, if one file below the folder is called so: /home/mia/day1/a.png is day1/a.png. Of
   several files, the one with the most folders in common with the name counts. A name whose folder is there is not
   looked for elsewhere: if day3/ has no a.png, day1/a.png is another picture.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from unicodedata import normalize
from urllib.parse import unquote

from rsis.files.tree import files_below


class PictureFiles:
    """The files below a folder; they are listed when the first name is not found as written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> tuple[Path, ...]:
        """Return the file of a name; several if the name does not say which, and none if there is no such file.

        Raises:
            UserError: The folder cannot be read.
        """
        if is_inside(name) and _is_file(self.folder / name):
            return (self.folder / name,)
        if not self.folder.is_dir():
            return ()
        found = self.find_below("", name)
        return tuple(path for place in found if _is_file(path := self.folder / place))

    def find_below(self, place: str, name: str) -> list[str]:
        """Return the paths of `find`, relative to the folder, among the files below `place`, a path that ends in /."""
        return self.find_spelled(place, name) or self._find_by_last_part(place, name)

    def find_spelled(self, place: str, name: str) -> list[str]:
        """Return the paths that steps 1 and 2 find (see the top of the module)."""
        for spelled in _with_and_without_digits(name):
            if is_inside(spelled):
                path = (PurePosixPath(place) / spelled).as_posix()
                found = self._by_path.get(_fold(path), [])
                if found:
                    return [path] if path in found else _same_letters(found, path)
        return []

    def _find_by_last_part(self, place: str, name: str) -> list[str]:
        if any(self._has_folder(place, spelled) for spelled in spellings(name)):
            return []
        for spelled in _with_and_without_digits(name):
            parts = [part for part in _fold(spelled).split("/") if part]
            for first in range(max(0, len(parts) - self._depth), len(parts)):  # the longest end in common
                ends = self._by_end.get("/".join(parts[first:]), [])
                if found := [path for path in ends if path.startswith(place)]:
                    return found
        return []

    def _has_folder(self, place: str, name: str) -> bool:
        """Return whether a name has a folder in it, and that folder is there."""
        parent = PurePosixPath(name).parent
        inside = is_inside(name) and parent.parts
        return bool(inside) and _fold((PurePosixPath(place) / parent).as_posix()) in self._folders

    @cached_property
    def _folders(self) -> set[str]:
        return {parent.as_posix() for path in self._by_path for parent in PurePosixPath(path).parents}

    @cached_property
    def _depth(self) -> int:
        """Most parts that the path of a file has."""
        return max((path.count("/") + 1 for path in self._by_path), default=0)

    @cached_property
    def _by_path(self) -> dict[str, list[str]]:
        return _group((_fold(path), path) for path in files_below(self.folder))

    @cached_property
    def _by_end(self) -> dict[str, list[str]]:
        """The paths by each of their ends: a/b/c.png by c.png, b/c.png and a/b/c.png."""
        parts = ((path, _fold(path).split("/")) for group in self._by_path.values() for path in group)
        return _group(("/".join(part[first:]), path) for path, part in parts for first in range(len(part)))


def spellings(name: str) -> list[str]:
    """Return a name as written, then with Windows separators turned and percent signs decoded, without repetition."""
    turned = name.replace("\\", "/")
    plain = unquote(turned.rpartition("?d=")[2])  # Label Studio serves local files as /data/local-files/?d=PATH
    return list(dict.fromkeys((name, turned, plain, plain.replace("\\", "/"))))


def _with_and_without_digits(name: str) -> list[str]:
    """Return the spellings of a name, then those without the eight digits that Label Studio puts before it."""
    plain = spellings(name)
    return list(dict.fromkeys((*plain, *(re.sub(r"(^|/)[0-9a-f]{8}-([^/]*)$", r"\1\2", text) for text in plain))))


def is_inside(name: str) -> bool:
    """Return whether a name is a relative path that does not leave its folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and ".." not in path.parts and not path.is_absolute()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # for example a name that is too long
        return False


def _fold(text: str) -> str:
    return normalize("NFC", normalize("NFC", text).casefold())


def _same_letters(found: list[str], path: str) -> list[str]:
    """Return the paths that differ from `path` in no case of a letter; all of them if there are none."""
    return [item for item in found if normalize("NFC", item) == normalize("NFC", path)] or found


def _group(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
