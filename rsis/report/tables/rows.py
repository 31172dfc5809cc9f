"""Rows, columns and cells of a comparison table."""

from dataclasses import dataclass, field

from rsis.report.tables.published import Unit
from rsis.report.tables.quantities import format_difference, format_value


@dataclass(frozen=True)
class ComparisonColumn:
    """A scorer's key, how it is printed below the scorer's name, and whether its spread (`<key>_std`) is known."""

    key: str
    label: str
    unit: Unit
    spread: bool


@dataclass(frozen=True)
class ComparisonRow:
    """One method's numbers by scorer key (fractions and plain counts), and how they were obtained.

    Attributes:
        group: What the rows around it share: data set, split, number of images.
        remark: What sets this row apart: its source, its input size, how its protocol differs.
        settings: What a table of several models varies, one text for each of `Comparison.settings`.
        reference: The paper's row that ours is compared with; "" for a published row, or where there is none.
        differences: Ours minus that row's numbers, by scorer key.
        approximate: Its numbers are round ones.
        over_seeds: It is the mean of several seeds, and its spreads (`<key>_std`) are over these, not over images.
    """

    method: str
    ours: bool
    group: str
    remark: str
    citation: str
    values: dict[str, float | None]
    settings: tuple[str, ...] = ()
    reference: str = ""
    differences: dict[str, float | None] = field(default_factory=dict)
    approximate: bool = False
    over_seeds: bool = False


@dataclass(frozen=True)
class Comparison:
    """One table: published rows and ours.

    Attributes:
        benchmark: Title of the benchmark, or of the scorer where nothing published is on it.
        settings: Headings of what the rows' `settings` say.
        grouped: Whether rows stand under headings of their groups; otherwise in the order they have.
    """

    scorer: str
    benchmark: str
    title: str
    columns: tuple[ComparisonColumn, ...]
    rows: tuple[ComparisonRow, ...]
    notes: tuple[str, ...]
    settings: tuple[str, ...] = ()
    grouped: bool = True

    @property
    def spread(self) -> str:
        """What stands behind ± in its cells, or "" where none has it."""
        images = any(column.spread for column in self.columns)
        if not any(row.over_seeds for row in self.rows):
            return "± is the standard deviation over images." if images else ""
        return f"± is the standard deviation over {'images, in the row of a mean over ' if images else ''}seeds."


def format_cell(row: ComparisonRow, column: ComparisonColumn) -> str:
    """Return a row's number in a column, with its spread where there is one."""
    text = format_value(row.values.get(column.key), column.unit)
    if row.approximate and text != "-":
        return f"about {text.removesuffix('.0')}"
    spread = format_value(spread_of(row, column), column.unit)
    return text if spread == "-" else f"{text} ± {spread}"


def spread_of(row: ComparisonRow, column: ComparisonColumn) -> float | None:
    """Return the standard deviation of a row's number, over images or over seeds, or None where it is not known."""
    return row.values.get(f"{column.key}_std") if column.spread or row.over_seeds else None


def format_gap(row: ComparisonRow, column: ComparisonColumn) -> str:
    """Return how far a row of ours is from the paper's in a column, with its sign."""
    return format_difference(row.differences.get(column.key), column.unit)
