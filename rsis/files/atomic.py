"""Writing files so that a reader finds the old one or the new one, never half of one; reading checked JSON.

A folder that is written whole carries a mark, `.rsis-folder.json`, that lists what rsis put there:

    {"files": ["objects.csv", "per_image.csv"], "made_by": "rsis"}

Only a folder that is absent, empty, or holds nothing but what its mark lists is ever replaced.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rsis.errors import UserError
from rsis.files.durable import UNFINISHED, remove_whole, replace_on_disk

Value = TypeVar("Value")
MARK = ".rsis-folder.json"
# what looking at a folder leaves in it
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".directory"})


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    The temporary name has the suffix of `path`, since some writers choose a format by it. When the block
    raises, the temporary file is removed and what stood at `path` stays.

    Raises:
        UserError: The folder cannot be made, the disk is full or not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}{UNFINISHED}", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; outputs are not secrets
        replace_on_disk(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` that takes its place, with a mark in it, when the block ends well.

    Of a link the folder it points to is replaced, not the link.

    Raises:
        UserError: `path` holds something that rsis did not put there (see `check_replaceable`), the folder cannot
            be made, the disk is full or not writable.
    """
    check_replaceable(path)
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}{UNFINISHED}", dir=path.parent))
    except OSError as error:
        raise _cannot_write(path, error) from error
    old = temporary.with_name(f"{temporary.name}.old")
    try:
        yield temporary
        write_json(temporary / MARK, {"made_by": "rsis", "files": sorted(_files_in(temporary))})
        temporary.chmod(0o777 & ~_umask())
        check_replaceable(path)  # again: the block may have taken hours
        if path.exists():
            path.replace(old)
        replace_on_disk(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
        remove_whole(old)
        remove_whole(temporary)


def check_replaceable(path: Path) -> None:
    """Refuse a folder that holds anything but what rsis wrote into it as a whole.

    A folder may be replaced when it is absent, is empty, or carries a mark that lists all its files. What file
    managers and notebooks leave behind (`LITTER`) does not count.

    Raises:
        UserError: Names the first foreign file, or says that `path` is a file or the working folder.
    """
    where = path.resolve()
    remedy = "name another folder, or move that away, then run again"
    try:
        if not where.exists():
            return
        if not where.is_dir():
            raise UserError(f"{path}: is a file; expected a folder to write; name another, or move it away")
        if Path.cwd().resolve().is_relative_to(where):
            raise UserError(f"{path}: the folder you are in is part of it and would be replaced; name another folder")
        listed = _listed_in(where)
        for name in _files_in(where):
            if name not in listed and name.rpartition("/")[2] not in LITTER:
                raise UserError(f"{path}: holds {name}, which rsis did not write there; {remedy}")
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); make it readable, or {remedy}") from error


def _listed_in(folder: Path) -> set[str]:
    """Return what the folder's mark lists, the mark included; nothing without a mark that can be read."""
    try:
        mark = json.loads((folder / MARK).read_bytes())
        return {MARK, *mark["files"]} if mark["made_by"] == "rsis" else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _files_in(folder: Path) -> Iterator[str]:
    """Yield the paths of files, links and empty folders, relative to the folder, with forward slashes."""
    for root, folders, files in os.walk(folder):
        here = Path(root)
        names = sorted([*files, *(name for name in folders if (here / name).is_symlink())])
        if not folders and not files and here != folder:
            yield here.relative_to(folder).as_posix()
        yield from ((here / name).relative_to(folder).as_posix() for name in names)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, atomically, the same bytes for the same value."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path, kind: type[Value], remedy: str) -> Value:
    """Read a JSON file that must have the shape of a pydantic model or a type.

    Args:
        path: The file.
        kind: What to read it as.
        remedy: What the user can do when it is missing or wrong; ends the error message.

    Raises:
        UserError: The file is missing or unreadable, is not JSON, or has another shape; names the first fault.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); {remedy}") from error
    try:
        return TypeAdapter(kind).validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "json_invalid":
            raise UserError(f"{path}: not valid JSON ({fault['ctx']['error']}); {remedy}") from error
        if fault["type"] == "missing":
            raise UserError(f"{path}: {where} is missing; {remedy}") from error
        found, expected = repr(fault["input"]), fault["msg"].removeprefix("Value error, ")
        found = found if len(found) <= 60 else found[:57] + "..."
        raise UserError(f"{path}: {where} is {found}, but {expected[0].lower()}{expected[1:]}; {remedy}") from error


def _cannot_write(path: Path, error: OSError) -> UserError:
    reason = error.strerror or str(error)
    return UserError(f"{path}: cannot write ({reason}); free the space or fix the permission, then run again")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
