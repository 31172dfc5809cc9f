"""How long work takes: the progress bar, and time spans in words.

The bar is on standard error, since results are printed on standard output.
"""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def shown(items: Iterable[Item], label: str, total: int, *, wanted: bool = True) -> Iterable[Item]:
    """Yield the items, and show their number so far and `total`, if `wanted`, on a terminal or in a notebook."""
    console = Console(stderr=True)
    return track(
        items, label, total, console=console, disable=not (wanted and (console.is_terminal or console.is_jupyter))
    )


def duration(seconds: float) -> str:
    """Return a time span in words, to the second, or from 120 s on to the minute: "48 s", "37 min", "3 h 20 min"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
