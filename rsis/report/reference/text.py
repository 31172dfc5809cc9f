"""Reference results as text: the tables of README.md and the documentation, and the README of `reports/reference`."""

import re
from collections.abc import Sequence
from pathlib import Path

from rsis.errors import UserError
from rsis.files.atomic import atomic_path
from rsis.report.reference.results import Reference, Row, Training, reference_rows

BEGIN, END = "<!-- reference results: written by `rsis report --reference` -->", "<!-- end of reference results -->"


def table_of(reference: Reference) -> str:
    """Return the Markdown table of reference results."""
    lines = ["| run | figure | reference | mean (least to most) | trainings |", "|---|---|--:|--:|--:|"]
    rows = reference_rows(reference)
    for name, row in zip(_names(rows), rows, strict=True):
        lines.append(f"| {name} | `{row.figure}` | {_text(row.reference)} | {_spread(row)} | {row.trainings} |")
    return "\n".join(lines) + "\n"


def trainings_table(reference: Reference) -> str:
    """Return the Markdown table of how each training was made."""
    lines = ["| run | seed | epochs | seconds | threads | machine | commit |", "|---|--:|--:|--:|--:|---|---|"]
    for trainings in reference.runs.values():
        for item in trainings:
            where = item.machine if item.device == "cpu" else item.device
            lines.append(
                f"| {item.run} | {item.seed} | {item.epochs} | {item.seconds:.0f} | {item.threads} | {where} | "
                f"{item.commit or '-'} |"
            )
    return "\n".join(lines) + "\n"


def beside(rows: Sequence[Row]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return heading and rows of the table of the user's metrics, with the reference's if there are any."""
    heading = ["run", "figure", "yours", "reference", "mean (least to most) of trainings"]
    cells: list[tuple[str, ...]] = []
    for name, row in zip(_names(rows), rows, strict=True):
        spread = f"{_spread(row)} of {row.trainings}" if row.trainings > 1 else "-"
        cells.append((name, row.figure, _text(row.own), _text(row.reference), spread))
    if not any(row.trainings for row in rows):
        return heading[:3], [line[:3] for line in cells]
    return heading, cells


def put_tables(page: Path, reference: Reference) -> bool:
    """Write the table between the two marks of a page; return whether the page has the marks.

    Raises:
        UserError: The page cannot be read or written, or one of its marks is missing.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{page}: cannot read ({error.strerror or error}); make it readable") from error
    if BEGIN not in text and END not in text:
        return False
    new = with_tables(text, reference)
    if new is None:
        raise UserError(f"{page}: has one of two marks; restore the lines {BEGIN} and {END}")
    if new != text:
        with atomic_path(page) as temporary:
            temporary.write_text(new, encoding="utf-8")
    return True


def with_tables(text: str, reference: Reference) -> str | None:
    """Return a page's text with the present table between its marks; None if there is not exactly one pair of marks."""
    pattern = re.compile(rf"({re.escape(BEGIN)}\n).*?({re.escape(END)})", re.DOTALL)
    new, count = pattern.subn(lambda found: f"{found[1]}\n{table_of(reference)}\n{found[2]}", text)
    return new if count == text.count(BEGIN) == text.count(END) == 1 else None


def readme(reference: Reference, name: str, command: str) -> str:
    """Return the README of the folder of reference results.

    Args:
        reference: The reference results in the folder.
        name: Name of the report in the folder.
        command: The command that writes the folder.
    """
    first: Sequence[Training] = [trainings[0] for trainings in reference.runs.values()]
    machines = sorted({item.machine for item in first})
    return f"""# Reference results

What the runs below gave where they were made, for comparing your own with. `{command}` wrote this folder:
this page, [`{name}.md`]({name}.md) with its pictures (the report on these runs, with fewer images), and `results.json`,
all figures of all trainings. The tables of the README and the documentation come from `results.json` too.

Made on: {"; ".join(machines)}. "reference" is the run itself; mean, least and most are over it and the
same run with other seeds. Figures are fractions, but for `abs_dic`, a number of objects. A training of yours gives
other figures: other processors, numbers of threads and versions of torch round otherwise, and that changes a short
training about as much as another seed does. Expect figures in or near the range given here.

{table_of(reference)}
How each was trained; seconds are wall time, under whatever else the machine had to do:

{trainings_table(reference)}"""


def _names(rows: Sequence[Row]) -> list[str]:
    """Return the run of each row, or "" if it is that of the row before."""
    before = ["", *(row.run for row in rows)]
    return [row.run if row.run != last else "" for last, row in zip(before, rows, strict=False)]


def _spread(row: Row) -> str:
    return f"{_text(row.mean)} ({_text(row.least)} to {_text(row.most)})" if row.trainings > 1 else "-"


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
