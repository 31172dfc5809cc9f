"""Tables of our results beside published ones; each row states the protocol of its measurement.

A run with the scorer of a benchmark (`cvppp`, `voc`, `cityscapes`) is shown beside that benchmark's published results,
even if its data are others in the benchmark's layout; its row then says so. A run on a user's own data (formats coco,
maps, masks and those of annotation tools) is shown beside none. A run with scorer `coco` is shown beside published
results only on the same data set, since COCO's AP on another data set cannot be compared. Every metric is named with
its scorer. A run on the data set and split of the paper's own row shows its difference to that row. So does the mean of
runs that differ only in their seed, which follows the last of them.
"""

from collections.abc import Sequence
from dataclasses import replace

from rsis.report.tables.protocol import (
    ScoredRun,
    by,
    data_difference,
    is_benchmark,
    is_comparable,
    is_own_data,
    settings_differences,
)
from rsis.report.tables.published import Published, PublishedRow, PublishedTable, Unit
from rsis.report.tables.quantities import (
    MINUS,
    SCORERS,
    differences,
    short_label_of,
    unit_of,
    value_of,
)
from rsis.report.tables.rows import Comparison, ComparisonColumn, ComparisonRow
from rsis.report.tables.seeds import SeedGroup, deviation_of, mean_of, seed_groups

VERSIONS = {"v1": "v1", "v4": "v4, through a review", "secondary": "secondary source"}


def compare(runs: Sequence[ScoredRun], published: Published) -> tuple[Comparison, ...]:
    """Return the tables of each scorer of the runs, in the order in which the scorers first appear.

    A scorer has one table for each published table of results with its metrics; without any, a table of our runs alone.
    """
    found = []
    for scorer in dict.fromkeys(scorer for run in runs for scorer in run.scorers):
        judged = [run for run in runs if scorer in run.scorers]
        own = [run for run in judged if is_own_data(run, published.benchmarks.values())]
        beside = [run for run in judged if not is_own_data(run, published.benchmarks.values())]
        tables = _tables(scorer, beside, published) if beside else []
        for number, group in enumerate(tables):
            has_notes_above = any(group[0].benchmark == other[0].benchmark for other in tables[:number])
            found.append(_compare(beside, group, published, has_notes_above))
        alone = own if tables else judged
        if alone:
            found.append(_own(scorer, alone))
    return tuple(found)


def published_row(table: PublishedTable, row: PublishedRow, published: Published) -> ComparisonRow:
    """Return the row of a published result."""
    source = table.source_of(row)
    remark = [source.citation if source.version == "secondary" else VERSIONS[source.version]]
    if row.input_size is not None:
        remark.append(f"input {by(row.input_size)}")
    if row.note:
        remark.append(row.note)
    group = [f"Published, {published.benchmarks[table.benchmark].title}", f"{table.split or 'split not stated'}"]
    if table.images is not None:
        group.append(f"{table.images} images")
    shared, own, values = ", ".join(group), "; ".join(remark), table.values_of(row)
    return ComparisonRow(row.method, False, shared, own, source.citation, values, approximate=row.approximate)


def our_row(run: ScoredRun, keys: Sequence[str], remark: str) -> ComparisonRow:
    """Return a run's row, without a difference to a published one."""
    values = {key: value_of(run.scores, key) for key in keys}
    return ComparisonRow(f"{run.method}, run {run.run}", True, run.group, remark, "this report", values)


def beside_published(
    run: ScoredRun, table: PublishedTable, reference: PublishedRow | None, published: Published
) -> ComparisonRow:
    """Return a run's row in a published table, with its difference to `reference` where both are of the same images.

    A peer's row has none: it is no run of the paper's network.
    """
    benchmark = published.benchmarks[table.benchmark]
    row = our_row(run, tuple(table.columns), data_difference(run, table, benchmark))
    if reference is None or run.run_config.model.peer is not None or not is_comparable(run, table, benchmark):
        return row
    gaps = differences(row.values, table.values_of(reference))
    return replace(row, reference=reference.method, differences=gaps)


def with_means(runs: Sequence[ScoredRun], rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    """Return the rows of runs and, after the last run of each group of `seed_groups`, a row of the group's mean."""
    groups, found = seed_groups(runs), []
    for run, row in zip(runs, rows, strict=True):
        found.append(row)
        for group in (group for group in groups if group.runs[-1] is run):
            of_group = [r for member, r in zip(runs, rows, strict=True) if any(member is m for m in group.runs)]
            found.append(_mean_row(group, of_group))
    return found


AS_ABOVE = "How the runs' protocols differ from the paper's is said below the first table of this benchmark."


def protocol_notes(runs: Sequence[ScoredRun], table: PublishedTable, published: Published) -> list[str]:
    """Return lines on how the runs' protocols differ from the paper's; runs with equal differences share a line."""
    benchmark = published.benchmarks[table.benchmark]
    lines: dict[str, list[str]] = {}
    for run in runs:
        text, settings = data_difference(run, table, benchmark), settings_differences(run, benchmark)
        if settings:
            text += f". Not as the paper's own run: {', '.join(settings)}"
        lines.setdefault(text, []).append(run.run)
    return [f"Run{'s' if len(names) > 1 else ''} {', '.join(names)}: {text}." for text, names in lines.items()]


def columns_of(units: dict[str, Unit]) -> tuple[ComparisonColumn, ...]:
    """Return the columns of a table; a spread has no column of its own, but is shown with its metric."""
    shown = [key for key in units if not key.endswith("_std")]
    return tuple(ComparisonColumn(key, short_label_of(key), units[key], f"{key}_std" in units) for key in shown)


def _mean_row(group: SeedGroup, rows: Sequence[ComparisonRow]) -> ComparisonRow:
    """Return the mean of the rows of a group's runs, which are equal in everything but their values."""
    first, values = rows[0], dict[str, float | None]()
    for key in (key for key in first.values if not key.endswith("_std")):
        over_seeds = [row.values[key] for row in rows]
        values |= {key: mean_of(over_seeds), f"{key}_std": deviation_of(over_seeds)}
    gaps = {key: mean_of([row.differences[key] for row in rows]) for key in first.differences}
    remark = f"± over seeds {group.seeds} (n {MINUS} 1), not over images; {first.remark}"
    return replace(first, method=group.method, remark=remark, values=values, differences=gaps, over_seeds=True)


def _tables(scorer: str, runs: Sequence[ScoredRun], published: Published) -> list[list[PublishedTable]]:
    """Return the published tables of a scorer; tables of other methods are grouped with one of the same columns."""
    tables = [table for table in published.tables.values() if table.scorer == scorer]
    if scorer == "coco":
        tables = [t for t in tables if any(is_benchmark(run, published.benchmarks[t.benchmark]) for run in runs)]
    field_tables = [table for table in tables if table.kind == "field"]
    groups = [[table] for table in tables if table.kind == "results"]
    for table in field_tables:
        same = [g for g in groups if g[0].benchmark == table.benchmark and set(table.columns) <= set(g[0].columns)]
        if same:
            same[0].append(table)
        else:
            groups.append([table])
    return groups


def _compare(
    runs: Sequence[ScoredRun], tables: Sequence[PublishedTable], published: Published, has_notes_above: bool
) -> Comparison:
    """Return a table of a benchmark; `has_notes_above`: an earlier table has the notes on the runs' protocols."""
    first = tables[0]
    benchmark = published.benchmarks[first.benchmark]
    rows = [published_row(table, row, published) for table in tables for row in table.rows]
    rows += with_means(runs, [beside_published(run, first, first.reference, published) for run in runs])
    notes = [AS_ABOVE] if has_notes_above else protocol_notes(runs, first, published)
    notes += [table.note for table in tables if table.note]
    cited = dict.fromkeys((t.source_of(r).version, t.source_of(r).citation) for t in tables for r in t.rows)
    notes += [f"{version}: {citation}." for version, citation in cited if version != "secondary"]
    columns = columns_of(dict(first.columns))
    return Comparison(first.scorer, benchmark.title, first.title, columns, tuple(rows), tuple(notes))


def _own(scorer: str, runs: Sequence[ScoredRun]) -> Comparison:
    """Return the table of a scorer without published results that the runs could be compared with."""
    keys = dict.fromkeys(k for run in runs for k in run.scores.metrics if k.startswith(f"{scorer}/"))
    columns = columns_of({key: unit_of(key) for key in keys})
    rows = [our_row(run, tuple(keys), f"input {by(run.dataset_config.size)}") for run in runs]
    title = f"{SCORERS.get(scorer, scorer)} scorer"
    note = "No published result is on this data set with this scorer, so none stands beside ours."
    return Comparison(scorer, title, title, columns, tuple(with_means(runs, rows)), (note,))
