"""One progress bar for all work that takes a while, on standard error, where no result is."""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def shown(items: Iterable[Item], label: str, total: int, *, wanted: bool = True) -> Iterable[Item]:
    """Yield the items, and show how many there were of `total`, if standard error is a terminal and it is wanted."""
    console = Console(stderr=True)
    return track(items, label, total, console=console, disable=not (wanted and console.is_terminal))
