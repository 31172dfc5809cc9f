"""Annotation files that are text: UTF-8, with or without byte order mark, or UTF-16 or UTF-32 with one."""

import codecs
import json
from pathlib import Path
from typing import Any

from rsis.errors import UserError

_MARKS = {  # the longest first, since that of UTF-32 begins as that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}


def read_text(path: Path, kind: str, fault: type[UserError] = UserError) -> str:
    """Return the content of a text file.

    Args:
        path: The file.
        kind: What it was to hold, for messages, such as "LabelMe annotations".
        fault: The error to raise.

    Raises:
        UserError: Or `fault`: the file cannot be read, or is not text.
    """
    content = read_bytes(path, kind, fault)
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise _not_text(path, error, fault) from error


def read_json(path: Path, kind: str, fault: type[UserError] = UserError) -> Any:
    """Return the content of a JSON file, which may be UTF-16 or UTF-32 without a mark too; see `read_text`."""
    content = read_bytes(path, kind, fault)
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        raise _not_text(path, error, fault) from error
    except ValueError as error:
        raise fault(f"{path}: not valid JSON ({error}); restore the file, or export it again") from error
    except RecursionError as error:
        raise fault(f"{path}: nested too deeply for {kind}; restore the file") from error


def read_bytes(path: Path, kind: str, fault: type[UserError] = UserError) -> bytes:
    """Return the content of a file; see `read_text`."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise fault(f"{path}: no such file; it was to hold {kind}; correct the path") from error
    except OSError as error:
        raise fault(f"{path}: cannot read ({error.strerror}); make it readable") from error


def _not_text(path: Path, error: UnicodeDecodeError, fault: type[UserError]) -> UserError:
    return fault(f"{path}: byte {error.start} is not {error.encoding}; save the file as UTF-8")
