"""Atomic writing of files and folders (a reader finds the old or the new one, never a part), and reading of JSON.

A folder that is written atomically contains a mark, `.rsis-folder.json`, which names the command that wrote it and
lists the files that it put there:

    {"command": "score", "files": ["objects.csv", "per_image.csv"], "made_by": "rsis"}

A folder is only replaced when it is absent, is empty, or was written by the same command and contains no file that its
mark does not list. A mark without "command" is one of an earlier version, and of any command.
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
# files that file managers leave in a folder
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".directory"})


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which is renamed to `path` when the block ends without an error.

    The temporary name has the suffix of `path`, since some writers choose a format by it. When the block
    raises, the temporary file is removed and the old file at `path` stays.

    Raises:
        UserError: The folder cannot be made, the disk is full, or the disk is not writable.
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
def atomic_folder(path: Path, command: str = "") -> Iterator[Path]:
    """Yield a temporary folder beside `path`, which replaces `path` when the block ends without an error.

    The new folder gets a mark. When the block raises, the new folder is removed and the old one at `path` stays. When
    `path` is a link, the folder it points to is replaced and the link stays.

    Args:
        path: The folder.
        command: The command of rsis that writes it, such as "score"; "" takes a folder of any command.

    Raises:
        UserError: `path` contains a file that rsis did not put there (see `check_replaceable`), the folder cannot
            be made, the disk is full, or the disk is not writable.
    """
    check_replaceable(path, command)
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}{UNFINISHED}", dir=path.parent))
    except OSError as error:
        raise _cannot_write(path, error) from error
    old = temporary.with_name(f"{temporary.name}.old")
    try:
        yield temporary
        named = {"command": command} if command else {}
        write_json(temporary / MARK, {"made_by": "rsis", **named, "files": sorted(_files_in(temporary))})
        temporary.chmod(0o777 & ~_umask())
        check_replaceable(path, command)  # again: the block may have run for hours, and files may have been added since
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


def check_replaceable(path: Path, command: str = "") -> None:
    """Refuse a folder that contains files which `atomic_folder` did not write for this command.

    A folder may be replaced when it is absent, is empty, or has a mark of the same command that lists all its files.
    Files that file managers leave behind (`LITTER`) are ignored.

    Args:
        path: The folder.
        command: See `atomic_folder`.

    Raises:
        UserError: The folder contains a foreign file (the message names the first), another command wrote it, `path`
            is a file, or the working folder is `path` or lies in it.
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
        listed, writer = _mark_in(where)
        if command and writer and writer != command:
            raise UserError(f"{path}: `rsis {writer}` wrote this folder, not `rsis {command}`; {remedy}")
        for name in _files_in(where):
            if name not in listed and name.rpartition("/")[2] not in LITTER:
                raise UserError(f"{path}: holds {name}, which rsis did not write there; {remedy}")
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); make it readable, or {remedy}") from error


def _mark_in(folder: Path) -> tuple[set[str], str]:
    """Return the files that a folder's mark lists, with the mark, and its command; nothing without a mark."""
    try:
        mark = json.loads((folder / MARK).read_bytes())
        return ({MARK, *mark["files"]}, str(mark.get("command", ""))) if mark["made_by"] == "rsis" else (set(), "")
    except (OSError, ValueError, KeyError, TypeError):
        return set(), ""


def _files_in(folder: Path) -> Iterator[str]:
    """Yield the paths of all files, links and empty folders, relative to `folder`, with forward slashes."""
    for root, folders, files in os.walk(folder):
        here = Path(root)
        names = sorted([*files, *(name for name in folders if (here / name).is_symlink())])
        if not folders and not files and here != folder:
            yield here.relative_to(folder).as_posix()
        yield from ((here / name).relative_to(folder).as_posix() for name in names)


def write_json(path: Path, value: Any) -> None:
    """Write `value` atomically as indented JSON with sorted keys; equal values give equal bytes."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path, kind: type[Value], remedy: str) -> Value:
    """Read a JSON file and validate it against a type.

    Args:
        path: The file.
        kind: The expected type: a pydantic model, a dataclass or any other type that pydantic can validate.
        remedy: What the user can do when the file is missing or wrong; ends the error message.

    Raises:
        UserError: The file is missing or unreadable, is not JSON, or is not of that type; names the first fault.
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
