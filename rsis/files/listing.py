"""The files under a folder that belong to a data set, and the check that their names can be written as text."""

from pathlib import Path

from rsis.files.atomic import LITTER
from rsis.files.tree import check_name, files_below

MANIFEST = "MANIFEST.json"  # lies among the files that it lists, see `rsis.files.manifest`
_READMES = frozenset({"readme", "readme.md", "readme.txt", "readme.rst"})


def list_files(root: Path, only: tuple[str, ...] | None = None) -> list[str]:
    """Return the sorted relative paths of the files under `root` that are data (see `files_below`).

    Args:
        root: The folder.
        only: Suffixes and relative paths of the files that count; None for all.

    Raises:
        UserError: A folder cannot be read, or a name is not UTF-8.
    """
    return [path for path in files_below(root) if path != MANIFEST and not _is_no_data(path) and _counts(path, only)]


def check_text(path: str | Path, folder: Path) -> None:
    """Raise UserError for a path whose name is not UTF-8, as unpacked from a zip file of another system."""
    check_name(folder / path)


def _counts(path: str, only: tuple[str, ...] | None) -> bool:
    return only is None or path in only or Path(path).suffix.lower() in only


def _is_no_data(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in LITTER or name.lower() in _READMES
