"""What a YOLO data set says of itself: names of the classes and folders of the splits, in data.yaml or in lists."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from rsis.errors import UserError
from rsis.own_data.facts import class_of, text_of
from rsis.own_data.scan import Scan

_LARGEST = 1 << 20  # bytes of a file with names
_MOST = 10_000  # classes
_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Description:
    """What a YOLO data set says of itself.

    Attributes:
        path: The file that names the classes, relative to the user's folder; "" without one.
        names: The classes, in the order of their numbers from 0; empty if no file names them.
        count: How many classes there are, where a file says only that.
        folders: Folders of pictures of the splits, relative to the user's folder; only those that are there.
        key_points: Whether the labels are key points.
    """

    path: str = ""
    names: tuple[str, ...] = ()
    count: int = 0
    folders: Mapping[str, str] = field(default_factory=dict)
    key_points: bool = False


def find_description(seen: Scan) -> Description:
    """Return what the first YAML file with names of classes says, else the first list of names.

    Raises:
        UserError: Two classes have one name.
    """
    paths = sorted(seen.files, key=lambda path: (path.count("/"), path))
    for path in paths:
        if PurePosixPath(path).suffix.lower() in (".yaml", ".yml"):
            content = _load(seen.folder / path)
            names, count = _names_of(content.get("names")), _whole(content.get("nc"))
            if names or count:
                folders, key_points = _folders_of(seen, path, content), "kpt_shape" in content
                return Description(path, _checked(seen.folder / path, names), count, folders, key_points)
    for path in paths:
        name = PurePosixPath(path).name.lower()
        if name in ("classes.txt", "labels.txt") or name.endswith(".names"):
            lines = _text(seen.folder / path).strip().splitlines()
            if lines:
                names = tuple(class_of(line) or f"class{number}" for number, line in enumerate(lines[:_MOST]))
                return Description(path, _checked(seen.folder / path, names))
    return Description()


def _text(path: Path) -> str:
    try:
        return text_of(path, _LARGEST)
    except OSError:
        return ""


def _load(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file, {} if broken; all values are text, so that a class may be called no or 1."""
    try:
        content = yaml.load(_text(path), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _names_of(value: Any) -> tuple[str, ...]:
    """Return the names of a list, or of a mapping from numbers; a number without a name becomes class2, for example."""
    if isinstance(value, list):
        value = {str(number): name for number, name in enumerate(value)}
    if not isinstance(value, dict):
        return ()
    by_number = {_whole(key): class_of(name) for key, name in value.items() if str(key).isdecimal()}
    if not by_number or max(by_number) >= _MOST:
        return ()
    return tuple(by_number.get(number) or f"class{number}" for number in range(max(by_number) + 1))


def _whole(value: Any) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


def _checked(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: two classes are called {twice!r}; expected a name for each; rename one")
    return names


def _folders_of(seen: Scan, path: str, content: dict[str, Any]) -> dict[str, str]:
    """Return the folders of pictures that a YAML file names; none if one of them is not there."""
    found = {}
    for key, split in _SPLITS.items():
        value = content.get(key)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if value in (None, "", []):
            continue
        folder = _place(seen, PurePosixPath(path).parent, str(content.get("path", "")), value)
        if folder is None:
            return {}
        found[split] = folder
    return found


def _place(seen: Scan, here: PurePosixPath, base: str, value: Any) -> str | None:
    """Return the folder of pictures that a value means, relative to the user's; None if there is none.

    Paths are those of the machine that wrote the file, such as ../train/images: dots are passed by, and of an absolute
    path the longest end that is there counts.
    """
    if not isinstance(value, str) or not PurePosixPath(value).parts:
        return None
    own = PurePosixPath(value.replace("\\", "/"))
    parts = [part for part in (PurePosixPath(base.replace("\\", "/")) / own).parts if part != ".."]
    kept = 2 if own.is_absolute() or ":" in own.parts[0] else sum(part != ".." for part in own.parts)
    folders = {parent.as_posix() for picture in seen.pictures for parent in PurePosixPath(picture).parents}
    for first in range(len(parts) - kept + 1):
        for start in (here, PurePosixPath()):
            folder = (start / PurePosixPath(*parts[first:])).as_posix()
            if folder in folders and not folder.startswith("/"):
                return folder
    return None
