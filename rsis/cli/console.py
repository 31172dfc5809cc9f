"""Log lines, tables and error messages on the user's terminal."""

import atexit
import io
import logging
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import NoReturn

import typer
from rich.console import Console
from rich.logging import RichHandler

_ERRORS = Console(stderr=True, soft_wrap=True, highlight=False)


def set_up_logging() -> None:
    """Send log lines to standard error, without messages of libraries that do not concern the user.

    On a terminal, lines are wrapped to its width; in a file or a pipe, each message is one line.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # the name of a file may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
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
    warnings.filterwarnings("ignore", message="You defined a `validation_step` but have no `val_dataloader`")
    warnings.filterwarnings("ignore", message=".isinstance.treespec, LeafSpec", category=FutureWarning)


def print_table(
    heading: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False, err: bool = False
) -> None:
    """Print a table without cutting it off, even if the terminal is narrow.

    On a terminal, the table has a frame, and its cells are wrapped to the terminal's width; in a file or a pipe, it has
    no frame, and each row is one line.

    Args:
        heading: Names of the columns; empty for a table without a heading.
        rows: Cells of each row.
        numbers: Whether all columns but the first are aligned to the right.
        err: Whether to print on standard error instead of standard output.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=bool(heading))
    for column, name in enumerate(heading):
        table.add_column(Text(name), justify="right" if numbers and column else "left")
    for row in rows:
        table.add_row(*map(Text, row))  # rich would interpret brackets in a string as markup
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


def note_missing_val(splits: Iterable[str]) -> None:
    """Print a line on standard error if a data set has no split val."""
    if "val" not in splits:
        typer.echo(
            "note: no split val: a training on it has no validation, and keeps its last weights (train.keep: last)",
            err=True,
        )


def fail(message: str, exit_code: int = 2) -> NoReturn:
    """Print the message as one line on standard error, and exit with this code.

    Characters that are not printable, such as a terminal's control codes in a file's name, are escaped.
    """
    line = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in " ".join(message.split()))
    _ERRORS.print(f"rsis: {line}", markup=False)
    atexit.register(logging.disable, logging.CRITICAL)  # runs first: some libraries log at exit
    sys.exit(exit_code)
