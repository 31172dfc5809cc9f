"""Ours beside the literature's numbers, each row with the protocol it was measured under.

A run scored by `cvppp` stands beside the published CVPPP A1 results whatever its data, and says so when
its data are others; a run scored by `coco` stands beside published numbers only on the same data set,
since COCO's AP of another data set says nothing. No number is named without its scorer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from rsis.config import RunSection
from rsis.dataset_config import AnyDataset, PlantSource
from rsis.eval.scores import Scores
from rsis.report.published import Published, PublishedRow, PublishedTable, Unit

TIMES = "\u00d7"
SCORERS = {"cvppp": "CVPPP leaf segmentation scorer", "coco": "COCO scorer"}
LABELS = {
    "cvppp/sbd": "SBD",
    "cvppp/abs_dic": "|DiC|",
    "cvppp/dic": "DiC",
    "cvppp/fg_bg_dice": "FgBgDice",
}
COUNTS = frozenset({"cvppp/dic", "cvppp/abs_dic", "cvppp/dic_std", "cvppp/abs_dic_std"})
VERSIONS = {"v1": "v1", "v4": "v4, through a review", "secondary": "secondary source"}


@dataclass(frozen=True)
class ScoredRun:
    """A run with what was asked of it and what it scored."""

    run: str
    run_config: RunSection
    dataset_config: AnyDataset
    scores: Scores

    @property
    def scorers(self) -> tuple[str, ...]:
        """Scorers with at least one number, in the order of the run's configuration."""
        scored = {key.partition("/")[0] for key in self.scores.metrics}
        return tuple(scorer for scorer in self.run_config.score.scorers if scorer in scored)

    @property
    def num_images(self) -> int | None:
        """Number of images scored, where the protocol states it."""
        images = self.scores.protocol.get("images")
        return images if isinstance(images, int) else None


@dataclass(frozen=True)
class ComparisonColumn:
    """A scorer's key, how it is printed, and whether its spread over images (`<key>_std`) is known."""

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
        approximate: Its numbers are round ones.
    """

    method: str
    ours: bool
    group: str
    remark: str
    citation: str
    values: dict[str, float | None]
    approximate: bool = False


@dataclass(frozen=True)
class Comparison:
    """The table of one scorer: published rows first, then ours."""

    scorer: str
    title: str
    columns: tuple[ComparisonColumn, ...]
    rows: tuple[ComparisonRow, ...]
    notes: tuple[str, ...]


def compare(runs: Sequence[ScoredRun], published: Published) -> tuple[Comparison, ...]:
    """Return one table per scorer that judged any of the runs, in the order the scorers first appear."""
    scorers = dict.fromkeys(scorer for run in runs for scorer in run.scorers)
    return tuple(_compare(scorer, [run for run in runs if scorer in run.scorers], published) for scorer in scorers)


def label_of(key: str) -> str:
    """Return how a scorer key is printed: with its scorer, unless the name exists in that scorer alone."""
    scorer, _, name = key.partition("/")
    return LABELS.get(key, f"{name.replace('_', ' ')} ({scorer.upper() if scorer != 'cityscapes' else 'Cityscapes'})")


def unit_of(key: str) -> Unit:
    """Return the unit of one of our metrics: a count per image, or a fraction."""
    return "count" if key in COUNTS else "fraction"


def format_value(value: float | None, unit: Unit) -> str:
    """Return a fraction times 100 or a count, to one decimal; a missing number is "-"."""
    if value is None or math.isnan(value):
        return "-"
    return {"fraction": f"{100 * value:.1f}", "count": f"{value:.1f}", "tau": f"{value:.3f}"}[unit]


def format_cell(row: ComparisonRow, column: ComparisonColumn) -> str:
    """Return a row's number in a column, with its spread over images where there is one."""
    text = format_value(row.values.get(column.key), column.unit)
    if row.approximate and text != "-":
        return f"about {text.removesuffix('.0')}"
    spread = format_value(row.values.get(f"{column.key}_std"), column.unit) if column.spread else "-"
    return text if spread == "-" else f"{text} ± {spread}"


def to_frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Return all tables as one: a row per method and scorer, a column per number, x100 where a fraction.

    Columns: scorer, method, ours, data, protocol, source, then `<scorer key> (x100)` or `<scorer key>`.
    """
    records = []
    for comparison in comparisons:
        keys = [k for c in comparison.columns for k in ([c.key, f"{c.key}_std"] if c.spread else [c.key])]
        for row in comparison.rows:
            record: dict[str, object] = {"scorer": comparison.scorer, "method": row.method, "ours": row.ours}
            record |= {"data": row.group, "protocol": row.remark, "source": row.citation}
            for key in keys:
                value, fraction = row.values.get(key), unit_of(key) == "fraction"
                name = f"{key} (x100)" if fraction else key
                record[name] = None if value is None else round(100 * value if fraction else value, 4)
            records.append(record)
    return pd.DataFrame.from_records(records)


def _compare(scorer: str, runs: Sequence[ScoredRun], published: Published) -> Comparison:
    tables = [table for table in published.tables.values() if _belongs(table, scorer, runs, published)]
    columns = _columns(tables, runs, scorer)
    known = {c.key for c in columns} | {f"{c.key}_std" for c in columns}
    rows = [_published_row(table, row, published) for table in tables for row in table.rows]
    rows += [_our_row(run, scorer, known, tables, published) for run in runs]
    notes = [f"{row.method}: {row.remark}." for row in rows if row.ours and tables]
    notes += [table.note for table in tables if table.note]
    cited = dict.fromkeys((t.source_of(r).version, t.source_of(r).citation) for t in tables for r in t.rows)
    notes += [f"{version}: {citation}." for version, citation in cited if version != "secondary"]
    if not tables:
        notes.append("No published result is on this data set with this scorer, so none stands beside ours.")
    title = tables[0].title if tables else SCORERS.get(scorer, scorer)
    return Comparison(scorer, title, columns, tuple(rows), tuple(notes))


def _belongs(table: PublishedTable, scorer: str, runs: Sequence[ScoredRun], published: Published) -> bool:
    if table.scorer != scorer or table.kind not in ("results", "field"):
        return False
    if scorer == "cvppp":
        return True
    return any(_same_data(run, published.benchmarks[table.benchmark].dataset) for run in runs)


def _same_data(run: ScoredRun, dataset: str) -> bool:
    return run.run_config.dataset == dataset and not isinstance(run.dataset_config.source, PlantSource)


def _columns(tables: Sequence[PublishedTable], runs: Sequence[ScoredRun], scorer: str) -> tuple[ComparisonColumn, ...]:
    """The published tables' columns; without any, all of ours."""
    units: dict[str, Unit] = {key: unit for table in tables for key, unit in table.columns.items()}
    if not units:
        units = {k: unit_of(k) for run in runs for k in run.scores.metrics if k.startswith(f"{scorer}/")}
    shown = [key for key in units if not key.endswith("_std")]
    return tuple(ComparisonColumn(key, label_of(key), units[key], f"{key}_std" in units) for key in shown)


def _published_row(table: PublishedTable, row: PublishedRow, published: Published) -> ComparisonRow:
    source = table.source_of(row)
    remark = [source.citation if source.version == "secondary" else VERSIONS[source.version]]
    if row.input_size is not None:
        remark.append(f"input {_by(row.input_size)}")
    if row.note:
        remark.append(row.note)
    group = [f"Published, {published.benchmarks[table.benchmark].title}", f"{table.split or 'split not stated'}"]
    if table.images is not None:
        group.append(f"{table.images} images")
    shared, own, values = ", ".join(group), "; ".join(remark), table.values_of(row)
    return ComparisonRow(row.method, False, shared, own, source.citation, values, row.approximate)


def _our_row(
    run: ScoredRun, scorer: str, known: set[str], tables: Sequence[PublishedTable], published: Published
) -> ComparisonRow:
    values: dict[str, float | None] = {k: v for k, v in run.scores.metrics.items() if k in known}
    generated = isinstance(run.dataset_config.source, PlantSource)
    group = [f"This project, {'generated ' if generated else ''}{run.run_config.dataset}", _split(run)]
    if run.num_images is not None:
        group.append(f"{run.num_images} images")
    remark = protocol_difference(run, tables[0], published) if tables else f"input {_by(run.dataset_config.size)}"
    return ComparisonRow(f"RSIS, run {run.run}", True, ", ".join(group), remark, "this report", values)


def protocol_difference(run: ScoredRun, table: PublishedTable, published: Published) -> str:
    """Say how a run's protocol differs from a published table's, in words fit for its row.

    Other data are never comparable; another split, number of images or input size is named.
    """
    benchmark, name = published.benchmarks[table.benchmark], run.run_config.dataset
    size = f"input {_by(run.dataset_config.size)}"
    if isinstance(run.dataset_config.source, PlantSource):
        return f"generated {name}, not {benchmark.title}: shown for form, not comparable; {size}"
    if name != benchmark.dataset:
        return f"data set {name}, not {benchmark.title}: shown for form, not comparable; {size}"
    differences = []
    if table.split is not None and _split(run) != table.split:
        differences.append(f"{_split(run)} split, not {table.split}")
    if table.images is not None and run.num_images not in (None, table.images):
        differences.append(f"{run.num_images} images, not {table.images}")
    sizes = dict.fromkeys(row.input_size for row in table.rows if row.input_size is not None)
    if sizes and run.dataset_config.size not in sizes:
        differences.append(f"{size}, not {' or '.join(_by(s) for s in sizes)}")
    return f"protocol differs: {'; '.join(differences)}" if differences else f"same data, split and scorer; {size}"


def _split(run: ScoredRun) -> str:
    return str(run.scores.protocol.get("split", run.run_config.predict.split))


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} {TIMES} {size[1]}"
