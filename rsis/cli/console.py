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


def print_table(
    heading: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False, err: bool = False
) -> None:
    """Print a table: framed, folded to the width of a terminal; in a file or a pipe plain, each row a whole line.

    Args:
        heading: Of the columns; none for a table without.
        rows: Their cells.
        numbers: Whether all columns but the first are flush right.
        err: On standard error, not on standard output.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=bool(heading))
    for column, name in enumerate(heading):
        table.add_column(Text(name), justify="right" if numbers and column else "left")
    for row in rows:
        table.add_row(*map(Text, row))  # a string would be read for marks of rich's own
    console = Console(stderr=err)
    if console.is_terminal:
        console.print(table, crop=False)
        return
    table.box, table.pad_edge, table.padding = None, False, (0, 2, 0, 0)
    plain = Console(width=1_000_000, color_system=None)
    with plain.capture() as captured:
        plain.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip(), file=console.file)


def fail(message: str, exit_code: int = 2) -> NoReturn:
    """Print the message as one line on standard error and exit."""
    _ERRORS.print(f"rsis: {' '.join(message.split())}", markup=False)
    sys.exit(exit_code)
