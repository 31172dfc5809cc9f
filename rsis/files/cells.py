"""Text in the cells of CSV files that a spreadsheet takes as text, and not as a formula to run."""

from typing import TypeVar

Value = TypeVar("Value")

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_cell(value: Value) -> Value | str:
    """Return the value; a text that a spreadsheet would run gets an apostrophe before it, as do those that have one.

    >>> as_cell("=1+1"), as_cell("leaf"), as_cell(-1)
    ("'=1+1", 'leaf', -1)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith((*_FORMULA, "'")) else value


def from_cell(text: str) -> str:
    """Return the text that `as_cell` made a cell of.

    >>> from_cell("'=1+1"), from_cell("leaf")
    ('=1+1', 'leaf')
    """
    return text.removeprefix("'")
