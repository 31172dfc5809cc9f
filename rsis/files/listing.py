"""The files under a folder that belong to a data set, and the check that their names can be written as text."""

import os
from pathlib import Path

from rsis.errors import UserError
from rsis.files.atomic import LITTER

MANIFEST = "MANIFEST.json"  # lies among the files that it lists, see `rsis.files.manifest`
_READMES = frozenset({"readme", "readme.md", "readme.txt", "readme.rst"})


def list_files(root: Path, only: tuple[str, ...] | None = None) -> list[str]:
    """Return the sorted relative paths of the files under `root`; links are followed, each folder is visited once.

    Raises:
        UserError: The name of one of them is not UTF-8.
    """
    seen = {root.resolve()}
    found: list[str] = []
    for folder, folders, names in os.walk(root, followlinks=True, onerror=_raise):
        kept = []
        for name in sorted(folders):
            real = Path(folder, name).resolve()
            if not name.startswith(".") and real not in seen:
                seen.add(real)
                kept.append(name)
        folders[:] = kept
        paths = (Path(folder, name).relative_to(root).as_posix() for name in names if not name.startswith("."))
        found.extend(path for path in paths if path != MANIFEST and not _is_no_data(path) and _counts(path, only))
    for path in found:
        check_text(path, root)
    return sorted(found)


def check_text(path: str | Path, folder: Path) -> None:
    """Raise UserError for a path whose name is not UTF-8, as unpacked from a zip file of another system."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        raise UserError(
            f"{folder}: the name of the file {shown} is not UTF-8; rename it (and where an annotation names it)"
        ) from error


def _counts(path: str, only: tuple[str, ...] | None) -> bool:
    return only is None or path in only or Path(path).suffix.lower() in only


def _is_no_data(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in LITTER or name.lower() in _READMES


def _raise(error: OSError) -> None:
    raise error
