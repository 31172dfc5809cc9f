"""The progress bar of all long work; it is on standard error, since results are printed on standard output."""

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
