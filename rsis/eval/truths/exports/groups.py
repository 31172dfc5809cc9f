"""Objects of which a file has the parts as shapes of one class and one group."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from rsis.eval.truths.exports.base import ExportObject, plain


def joined(pairs: Iterable[tuple[ExportObject, Any]]) -> tuple[ExportObject, ...]:
    """Return the objects, those of one class and one group as one, which stands at the first of them.

    Args:
        pairs: Each object with its group, None for an object of its own.
    """
    found: dict[Any, ExportObject] = {}
    for number, (item, group) in enumerate(pairs):
        name = group if isinstance(group, int | float | str) else repr(group)
        key = number if group is None else (plain(item.class_name or ""), name)
        first = found.get(key)
        found[key] = item if first is None else replace(first, shapes=first.shapes + item.shapes)
    return tuple(found.values())
