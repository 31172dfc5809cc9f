"""Single values of annotation files in JSON, read leniently where they have one sensible meaning."""

import math
import re
from typing import Any
from unicodedata import normalize

from rsis.errors import UserError


def get(entry: Any, key: str, where: str) -> Any:
    """Return `entry[key]`; raise UserError when `entry` has no such key, with `where` in the message."""
    if not isinstance(entry, dict):
        raise UserError(f"{where}: found {type(entry).__name__}, expected an object with {key!r}; correct it")
    if key not in entry:
        raise UserError(f"{where}: {key!r} is missing; add it")
    return entry[key]


def read_id(entry: Any, key: str, where: str) -> str:
    """Return an id as text, the same for 7, 7.0 and "7"."""
    value = get(entry, key, where)
    if _is_name(value):
        number = re.fullmatch(r"(0|-?[1-9][0-9]*)(\.0+)?", value.strip())
        return number[1] if number else value.strip()
    if _is_number(value) and value == int(value):
        return str(int(value))
    raise UserError(f"{where}: {key} is {show(value)}; expected a whole number or text; correct it")


def read_length(entry: dict[str, Any], key: str, where: str) -> int:
    """Return a width or a height in pixels; 0 if it is unknown: missing, null, NaN, 0 or below."""
    value = entry.get(key)
    number: Any = value.strip() if isinstance(value, str) else value
    if number is None or number == "" or number != number:  # pandas writes NaN for what is missing
        return 0
    if isinstance(number, str) and re.fullmatch(r"-?[0-9]{1,9}(\.0*)?", number):
        number = float(number)
    if _is_number(number) and abs(number) < 1e9 and number == int(number):
        return max(0, int(number))
    raise UserError(f"{where}: {key} is {show(value)}; expected a whole number of pixels; correct it")


def read_crowd(entry: dict[str, Any], where: str) -> bool:
    """Return the value of iscrowd."""
    value = entry.get("iscrowd")
    plain = value.strip().lower() if isinstance(value, str) else value
    if plain is None or plain in (0, "0", "0.0", "false", "") or plain != plain:
        return False
    if plain in (1, "1", "1.0", "true"):
        return True
    raise UserError(f"{where}: iscrowd is {show(value)}; expected 0 or 1; correct it")


def read_class_name(value: Any, where: str) -> str:
    """Return the name of a class, which may be a number."""
    if _is_number(value):
        return str(int(value) if value == int(value) else value)
    if _is_name(value):
        return normalize("NFC", value).strip()
    raise UserError(f"{where}: name is {show(value)}; expected the name of a class; correct it")


def read_file_name(entry: Any, where: str, key: str = "file_name") -> str:
    """Return the name of a picture's file, as written."""
    name = get(entry, key, where)
    if not _is_name(name) or "\0" in name:
        raise UserError(f"{where}: {key} is {show(name)}; expected the name of a picture's file; correct it")
    return str(name)


def show(value: Any) -> str:
    """Return a value for a message, at most 60 letters."""
    if isinstance(value, list | dict):
        return {list: "a list", dict: "an object"}[type(value)]  # its repr may be nested too deeply
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_name(value: Any) -> bool:
    """Return whether a value is text, not empty, that can be written as UTF-8: JSON can escape halves of characters."""
    if not isinstance(value, str) or not value.strip():
        return False
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
