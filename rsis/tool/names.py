"""The names of the files that are written for pictures: unique on every file system, text, and short enough."""

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_LONGEST = 180  # bytes: file systems take 255, and a temporary file has a longer name


@dataclass(frozen=True)
class OutputName:
    """The names of the files that are written for a picture.

    Attributes:
        flat: A name in one folder for all pictures (`output_names`).
        tree: The picture's path below a folder that the user named, without its suffix, with "_" and its number for a
            page; where another picture has the same, or a file system could not hold it, the flat name.
    """

    flat: str
    tree: str


def text_of(path: Path) -> str:
    r"""Return a path as text; a byte that is not UTF-8 becomes \xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def output_names(pictures: Sequence[tuple[Path, int | None]]) -> list[str]:
    """Return a name for each picture that no other has, also not where a file system ignores case or composition.

    Args:
        pictures: The file of each, and the position of its page in a stack, from 0, or None.

    It is the file's name without its suffix, or as much of its path as tells it from the others. Bytes that are not
    UTF-8 become "_". What is then still equal or too long for a file system is the file's name with a digest of its
    path.
    """
    ends = ["" if page is None else f"_{page + 1}" for _, page in pictures]
    names = [_plain(path.stem) + end for (path, _), end in zip(pictures, ends, strict=True)]
    parts = [path.resolve().parts[1:] for path, _ in pictures]
    for depth in range(1, max(map(len, parts)) + 1):
        repeated = _repeated(names)
        for i in range(len(names)):
            if _key(names[i]) in repeated:
                names[i] = _plain("_".join(parts[i][-depth:])).replace(".", "_") + ends[i]  # a.png and a.jpg differ
    repeated = _repeated(names)
    return [
        _with_digest(path.stem, path) + end if _key(name) in repeated or len(name.encode()) > _LONGEST else name
        for (path, _), end, name in zip(pictures, ends, names, strict=True)
    ]


def names_of(pictures: Sequence[tuple[Path, int | None, Path]]) -> list[OutputName]:
    """Return the names for each picture: its file, the position of its page or None, and a folder that it lies in."""
    flat = output_names([(path, page) for path, page, _ in pictures])
    below = [path.relative_to(root).with_suffix("") for path, _, root in pictures]
    trees = [
        _plain(str(path)) + ("" if page is None else f"_{page + 1}")
        for path, (_, page, _) in zip(below, pictures, strict=True)
    ]
    repeated = _repeated(trees)
    return [
        OutputName(name, name if _key(tree) in repeated or not _can_be_written(path) else tree)
        for name, tree, path in zip(flat, trees, below, strict=True)
    ]


def _can_be_written(path: Path) -> bool:
    return ".." not in path.parts and all(len(os.fsencode(part)) <= _LONGEST for part in path.parts)


def _repeated(names: Iterable[str]) -> set[str]:
    return {key for key, times in Counter(map(_key, names)).items() if times > 1}


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _plain(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace").replace("\N{REPLACEMENT CHARACTER}", "_")


def _with_digest(name: str, path: Path) -> str:
    digest = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:8]
    return f"{_plain(name).encode()[:_LONGEST].decode('utf-8', 'ignore')}-{digest}"
