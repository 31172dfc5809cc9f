"""Log lines, tables and error messages on the user's terminal."""

import logging
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import NoReturn

from rich.console import Console
from rich.logging import RichHandler

_ERRORS = Console(stderr=True, soft_wrap=True, highlight=False)


def set_up_logging() -> None:
    """Send log lines to standard error, without messages of libraries that do not concern the user.

    On a terminal, lines are wrapped to its width; in a file or a pipe, each message is one line.
    """
    if _ERRORS.is_terminal:
        shown: logging.Handler = RichHandler(console=_ERRORS, show_path=False, show_time=False)
    else:
        shown = logging.StreamHandler()
        shown.setFormatter(logging.Formatter("%(levelname)-8s %(message)s"))
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[shown])
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # a warning about Lightning's use of torch's pytree, and the advice to use srun on every machine with SLURM: the
    # user can do nothing about them
    warnings.filterwarnings("ignore", message="The `srun` command is available")
    warnings.filterwarnings("ignore", message=".isinstance.treespec, LeafSpec", category=FutureWarning)


def print_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on standard output without cutting it off, even if the terminal is narrow."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(*heading)
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console()
    console.print(table, crop=False) if console.is_terminal else Console(width=240).print(table)


def fail(message: str, exit_code: int = 2) -> NoReturn:
    """Print the message as one line on standard error, and exit with this code."""
    _ERRORS.print(f"rsis: {' '.join(message.split())}", markup=False)
    sys.exit(exit_code)
