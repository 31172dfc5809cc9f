"""Rows of results: as a table, as JSON, and compared with those of an earlier run.

The JSON file is one object:

    schema_version   1
    machine          fields of `benchmarks.machine.Machine`
    quick            whether the sizes were tiny ones; their results mean nothing
    rows             a list of the fields of `Row`; `ours` and `baseline` are fields of `Measurement`
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Measurement

SCHEMA_VERSION = 1
Unit = Literal["s", "MiB", "GFLOP", "GB/s", "GFLOP/s"]


class ResultsError(Exception):
    """A file of results cannot be used, or a name matches no case; the message is one line."""


@dataclass(frozen=True)
class Row:
    """One measurement, and the baseline that it is compared with.

    Attributes:
        subject: The part of the project, such as "training".
        case: What was measured, such as "resnet34 128x128 B8 T10 bf16".
        ours: Seconds or MiB of our implementation.
        unit: Unit of `ours` and `baseline`.
        against: Name of the baseline, such as "literal fp32"; empty = there is none.
        baseline: The same for the baseline, measured in turn with ours.
        items: Number of images (or steps, or samples) in one repetition; None if a rate is not meaningful.
        note: Further remarks.
    """

    subject: str
    case: str
    ours: Measurement
    unit: Unit = "s"
    against: str = ""
    baseline: Measurement | None = None
    items: int | None = None
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The identity of the row, by which it is compared with another run's."""
        return self.subject, self.case, self.against

    @property
    def ratio(self) -> float | None:
        """The baseline divided by ours: above 1 ours is faster, or smaller; None without a baseline."""
        return None if self.baseline is None or not self.ours.median else self.baseline.median / self.ours.median

    @property
    def rate(self) -> float | None:
        """Items per second; None without a number of items."""
        return None if self.items is None or not self.ours.median else self.items / self.ours.median


def write_results(path: Path, machine: dict[str, Any], rows: Sequence[Row], *, quick: bool) -> None:
    """Write the JSON file."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "machine": machine,
        "quick": quick,
        "rows": [asdict(row) for row in rows],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read_results(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """Read a JSON file of `write_results`: the machine and the rows.

    Raises:
        ResultsError: There is no such file, or it is not a file of `write_results`.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}; name a file that `make bench` wrote") from error
    except ValueError as error:
        raise ResultsError(f"{path}: not JSON ({error}); name a file that `make bench` wrote") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise ResultsError(f"{path}: schema version {version}, expected {SCHEMA_VERSION}; measure again")
    try:
        return document["machine"], [_row(fields) for fields in document["rows"]]
    except (KeyError, TypeError) as error:
        raise ResultsError(f"{path}: not as `make bench` writes it ({error}); measure again") from error


def _row(fields: dict[str, Any]) -> Row:
    baseline = fields["baseline"]
    return Row(
        **{
            **fields,
            "ours": Measurement(**fields["ours"]),
            "baseline": None if baseline is None else Measurement(**baseline),
        }
    )


def print_machine(console: Console, machine: dict[str, Any]) -> None:
    """Print the facts about the machine that the results depend on."""
    flags = " ".join(machine["flags"]) or "none of those that matter"
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads; {flags}; "
        f"torch {machine['torch']} ({machine['torch_capability']}), device {machine['device']}",
        highlight=False,
    )


def print_rows(console: Console, rows: Sequence[Row], before: Sequence[Row] = ()) -> None:
    """Print a table for each subject; with the rows of an earlier run, also the comparison with it.

    "then / now" is the earlier value divided by the present one: above 1 a row has become faster, or smaller.
    """
    earlier = {row.key: row for row in before}
    for subject in dict.fromkeys(row.subject for row in rows):
        table = Table(title=subject, title_justify="left")
        table.add_column("case")
        for name in ("ours", "least", "against", "median", "ratio", "a second", *(["then / now"] if before else [])):
            table.add_column(name, justify="left" if name == "against" else "right", no_wrap=True)
        table.add_column("note", no_wrap=True)
        notes: dict[str, int] = {}
        for row in (row for row in rows if row.subject == subject):
            number = notes.setdefault(row.note, len(notes) + 1) if row.note else None
            compared = [_compared(row, earlier.get(row.key))] if before else []
            table.add_row(*_cells(row), *compared, "" if number is None else str(number))
        console.print(table)
        for note, number in notes.items():
            console.print(f"  {number}  {note}", highlight=False, markup=False)


def _cells(row: Row) -> list[str]:
    return [
        row.case,
        _number(row.ours.median, row.unit),
        _number(row.ours.minimum, row.unit),
        row.against,
        "" if row.baseline is None else _number(row.baseline.median, row.unit),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.rate is None else f"{row.rate:.3g}",
    ]


def _compared(row: Row, then: Row | None) -> str:
    if then is None or min(row.ours.median, then.ours.median) <= 0:
        return "-"
    factor = then.ours.median / row.ours.median
    return f"{1 / factor if row.unit.endswith('/s') else factor:.2f}"


def _number(value: float, unit: Unit) -> str:
    if value == 0:
        return "-"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:.0f} {unit}"
