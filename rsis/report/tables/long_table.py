"""The tables of a report as one long CSV: a line for each number."""

from collections.abc import Sequence

import pandas as pd

from rsis.report.tables.experiments import Experiment
from rsis.report.tables.published import Unit
from rsis.report.tables.quantities import difference, unit_of
from rsis.report.tables.rows import Comparison, spread_of
from rsis.report.tables.seeds import SeedTable

COLUMNS = (
    *("benchmark", "table", "method", "ours", "settings", "metric", "unit", "value", "spread"),
    *("reference_method", "reference", "difference", "data", "protocol", "source"),
)


def long_table(
    comparisons: Sequence[Comparison], experiments: Sequence[Experiment], seeds: Sequence[SeedTable] = ()
) -> pd.DataFrame:
    """Return a row for each number in the comparisons, in the tables over seeds, and of the experiments.

    The columns are `COLUMNS`. Numbers are as in the report: percent if `unit` is "percent", objects per image if it
    is "count". `difference` is our number minus `reference`, the number of `reference_method`. A method that lacks a
    metric has no row for it. `spread` is the standard deviation over images, or over seeds if `method` ends in
    "mean of <n> seeds"; `protocol` says which. In the table "Over seeds", `settings` is the seed of a value, or the
    seeds of a mean.
    """
    records = [record for comparison in comparisons for record in _records(comparison)]
    records += [record for table in seeds for record in _seed_records(table)]
    baseline = experiments[0] if experiments else None
    for item in experiments:
        for key, value in item.metrics.items():
            theirs = baseline.metrics.get(key) if baseline and item is not baseline else None
            unit = unit_of(key.rpartition(":")[2])
            numbers = {"value": _number(value, unit), "reference": _number(theirs, unit)}
            numbers["difference"] = _number(difference(value, theirs), unit)
            where = {"table": "Experiments", "method": item.name, "ours": True, "metric": key, "unit": _unit(unit)}
            versus = baseline.name if baseline and theirs is not None else None
            records.append({**where, **numbers, "reference_method": versus})
    return pd.DataFrame.from_records(records, columns=list(COLUMNS))


def _records(comparison: Comparison) -> list[dict[str, object]]:
    records = []
    for row in comparison.rows:
        for column in comparison.columns:
            value, gap = row.values.get(column.key), row.differences.get(column.key)
            if _number(value, column.unit) is None:
                continue
            spread = spread_of(row, column)
            theirs = None if gap is None or value is None else value - gap
            record: dict[str, object] = {"benchmark": comparison.benchmark, "table": comparison.title}
            record |= {"method": row.method, "ours": row.ours, "settings": ", ".join(row.settings)}
            record |= {"metric": column.key, "unit": _unit(column.unit), "value": _number(value, column.unit)}
            record |= {"spread": _number(spread, column.unit), "reference_method": row.reference or None}
            record |= {"reference": _number(theirs, column.unit), "difference": _number(gap, column.unit)}
            records.append(record | {"data": row.group, "protocol": row.remark, "source": row.citation})
    return records


def _seed_records(table: SeedTable) -> list[dict[str, object]]:
    records, group = [], table.group
    shared = {"table": "Over seeds", "ours": True, "data": group.runs[0].data, "source": "this report"}
    for figure in table.figures:
        unit = unit_of(figure.key)
        measured = {**shared, "metric": figure.key, "unit": _unit(unit)}
        for run, value in zip(group.runs, figure.values, strict=True):
            where = {"method": f"RSIS, run {run.run}", "settings": f"seed {run.run_config.train.seed}"}
            records.append({**measured, **where, "value": _number(value, unit)})
        where = {"method": group.method, "settings": f"seeds {group.seeds}", "protocol": table.note}
        numbers = {"value": _number(figure.mean, unit), "spread": _number(figure.deviation, unit)}
        records.append({**measured, **where, **numbers})
    return [record for record in records if record["value"] is not None]


def _number(value: float | None, unit: Unit) -> float | None:
    if value is None or value != value:  # NaN
        return None
    return round(100 * value if unit == "fraction" else value, 4)


def _unit(unit: Unit) -> str:
    return "percent" if unit == "fraction" else unit
