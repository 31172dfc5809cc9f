"""Rows, columns and cells of a comparison table."""

from dataclasses import dataclass, field

from rsis.report.tables.published import Unit
from rsis.report.tables.quantities import format_difference, format_value


@dataclass(frozen=True)
class ComparisonColumn:
    """A scorer key, its label below the scorer's name, its unit, and whether its spread (`<key>_std`) is known."""

    key: str
    label: str
    unit: Unit
    spread: bool


@dataclass(frozen=True)
class ComparisonRow:
    """One method's numbers by scorer key (fractions and plain counts), and how they were obtained.

    Attributes:
        method: Name of the method, or of our run.
        ours: Whether it is a row of this project.
        group: What the rows of one group have in common: data set, split, number of images.
        remark: What is specific to this row: its source, its input size, differences of its protocol.
        citation: The source of the numbers.
        values: Number by scorer key.
        settings: The settings that an ablation varies, one text for each of `Comparison.settings`.
        reference: The paper's row that ours is compared with; "" for a published row, or if there is none.
        differences: Our numbers minus those of that row, by scorer key.
        approximate: Whether its numbers are rounded.
        over_seeds: Whether it is a mean over seeds, with spreads (`<key>_std`) over seeds and not over images.
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
        scorer: The scorer of all columns.
        benchmark: Title of the benchmark, or of the scorer if there are no published results.
        notes: Printed below the table.
        settings: Headings of the rows' `settings`.
        grouped: Whether rows are shown by group, under headings; otherwise they are shown in their order.
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
        """A sentence that explains the ± in its cells; "" if no cell has one."""
        images = any(column.spread for column in self.columns)
        if not any(row.over_seeds for row in self.rows):
            return "± is the standard deviation over images." if images else ""
        return f"± is the standard deviation over {'images, in the row of a mean over ' if images else ''}seeds."


def format_cell(row: ComparisonRow, column: ComparisonColumn) -> str:
    """Return a row's number in a column, with its spread if it has one."""
    text = format_value(row.values.get(column.key), column.unit)
    if row.approximate and text != "-":
        return f"about {text.removesuffix('.0')}"
    spread = format_value(spread_of(row, column), column.unit)
    return text if spread == "-" else f"{text} ± {spread}"


def spread_of(row: ComparisonRow, column: ComparisonColumn) -> float | None:
    """Return the standard deviation of a row's number, over images or over seeds; None if unknown."""
    return row.values.get(f"{column.key}_std") if column.spread or row.over_seeds else None


def format_gap(row: ComparisonRow, column: ComparisonColumn) -> str:
    """Return the difference of one of our rows to the paper's in a column, with its sign."""
    return format_difference(row.differences.get(column.key), column.unit)
