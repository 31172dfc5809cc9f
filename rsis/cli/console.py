"""What a user sees of the program besides its results: log lines, and one line when it cannot go on."""

import logging
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import NoReturn

from rich.console import Console
from rich.logging import RichHandler

_ERRORS = Console(stderr=True, soft_wrap=True, highlight=False)


def set_up_logging() -> None:
    """Show log lines on standard error, those of libraries that only talk about themselves left out.

    On a terminal they are folded to its width; in a file or a pipe each stays a line.
    """
    if _ERRORS.is_terminal:
        shown: logging.Handler = RichHandler(console=_ERRORS, show_path=False, show_time=False)
    else:
        shown = logging.StreamHandler()
        shown.setFormatter(logging.Formatter("%(levelname)-8s %(message)s"))
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[shown])
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Lightning's own affair with torch's pytree, and its guess that every job on a machine with SLURM wants srun:
    # nothing a user can act on
    warnings.filterwarnings("ignore", message="The `srun` command is available")
    warnings.filterwarnings("ignore", message=".isinstance.treespec, LeafSpec", category=FutureWarning)


def print_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on standard output, whole, however narrow the terminal is."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(*heading)
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console()
    console.print(table, crop=False) if console.is_terminal else Console(width=240).print(table)


def fail(message: str, exit_code: int = 2) -> NoReturn:
    """Print the message as one line on standard error and exit."""
    _ERRORS.print(f"rsis: {' '.join(message.split())}", markup=False)
    sys.exit(exit_code)
