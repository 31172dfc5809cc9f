"""Writing files so that a reader finds the old one or the new one, never half of one; reading checked JSON."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rsis.errors import UserError

Value = TypeVar("Value")


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
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; outputs are not secrets
        temporary.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` that takes its place when the block ends well.

    Raises:
        UserError: The folder cannot be made, the disk is full or not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, atomically, the same bytes for the same value."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
