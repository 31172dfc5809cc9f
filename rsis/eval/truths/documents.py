"""Reading of annotation files that are text; every kind of damage raises the same error, in one line."""

import codecs
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rsis.errors import UserError

Model = TypeVar("Model", bound=BaseModel)

# the longer marks first, since that of UTF-32 begins as that of UTF-16
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path, remedy: str) -> str:
    """Read a file as UTF-8 with or without byte order mark, or as UTF-16 or UTF-32 with one.

    Raises:
        UserError: The file is missing or unreadable, or is not in its encoding; the message ends with `remedy`.
    """
    content = _read(path, remedy)
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8-sig")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise _not_text(path, error, remedy) from error


def read_json(path: Path, remedy: str) -> Any:
    """Read a JSON file as UTF-8, UTF-16 or UTF-32, with or without byte order mark.

    Raises:
        UserError: The file is missing or unreadable, or is no JSON; the message ends with `remedy`.
    """
    content = _read(path, remedy)
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        raise _not_text(path, error, remedy) from error
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); {remedy}") from error
    except RecursionError as error:
        raise UserError(f"{path}: nested too deeply; {remedy}") from error


def validated(model: type[Model], content: Any, where: str, remedy: str) -> Model:
    """Return a part of a document as a model.

    Args:
        model: The model.
        content: The part.
        where: Start of the message: the file, and the part of it if it is not the whole.
        remedy: End of the message.

    Raises:
        UserError: It does not fit; names the first place.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise UserError(f"{where}: {_describe(fault)}; {remedy}") from error


def _describe(fault: Any) -> str:
    parts, value = fault["loc"], fault["input"]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    key = ascii(key.removeprefix(".")).strip("'")[:100] or "it"
    if fault["type"] == "missing":
        return f"{key} is missing"
    return f"{key} is {shown(value)}, but {fault['msg'].removeprefix('Value error, ')}"


def shown(value: Any) -> str:
    """Return a value as a message shows it, in one short line."""
    return f"a {type(value).__name__}" if isinstance(value, list | dict) else ascii(value)[:60]


def _read(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); {remedy}") from error


def _not_text(path: Path, error: UnicodeDecodeError, remedy: str) -> UserError:
    return UserError(f"{path}: byte {error.start} is not {error.encoding}; {remedy}")
