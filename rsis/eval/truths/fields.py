"""Values of annotation files that tools write in different ways, as functions for pydantic's BeforeValidator."""

import math
from typing import Any
from unicodedata import normalize

UNKNOWN = 0  # a side that the file does not say


def file_name(value: Any) -> Any:
    """Return the name of a file."""
    if not is_writable(value) or "\0" in value:
        raise ValueError("expected the name of a picture's file")
    return value


def class_name(value: Any) -> Any:
    """Return the name of a class, which may be a number, in the form in which names are compared."""
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not is_writable(value):
        raise ValueError("expected the name of a class")
    return normalize("NFC", value).strip()


def class_name_or_none(value: Any) -> Any:
    """Return the name of a class; None for null and for text without letters."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return class_name(value)


def side(value: Any) -> Any:
    """Return a side of a picture in pixels, `UNKNOWN` where it is not said."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN
    if isinstance(value, str):
        text = value.strip()
        whole, _, rest = text.partition(".")
        digits = whole.removeprefix("-")
        if text and (len(digits) > 9 or not digits.isascii() or not digits.isdigit() or rest.strip("0")):
            raise ValueError("expected a whole number of pixels")
        value = int(whole) if text else UNKNOWN
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e9 < value < 1e9 or value % 1:
        raise ValueError("expected a whole number of pixels")
    return max(int(value), UNKNOWN)


def is_writable(value: Any) -> bool:
    """Return whether a value is text with letters, none of them half a character."""
    try:
        return isinstance(value, str) and bool(value.strip()) and bool(value.encode())
    except UnicodeEncodeError:
        return False
