"""The tables of a report as one long CSV: a line for each number."""

from collections.abc import Sequence

import pandas as pd

from rsis.report.comparison import Comparison
from rsis.report.experiments import Experiment
from rsis.report.published import Unit
from rsis.report.quantities import difference, unit_of

COLUMNS = (
    *("benchmark", "table", "method", "ours", "settings", "metric", "unit", "value", "spread"),
    *("reference_method", "reference", "difference", "data", "protocol", "source"),
)


def long_table(comparisons: Sequence[Comparison], experiments: Sequence[Experiment]) -> pd.DataFrame:
    """Return a row for each number of the tables, of the literature and ours, and of the experiments.

    Columns `COLUMNS`. Numbers are as in the report: percent where `unit` is "percent", objects per image where
    it is "count"; `difference` is ours minus `reference`, the number of `reference_method`. Methods without a
    number in a metric have no row for it.
    """
    records = [record for comparison in comparisons for record in _records(comparison)]
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
            spread = row.values.get(f"{column.key}_std") if column.spread else None
            theirs = None if gap is None or value is None else value - gap
            record: dict[str, object] = {"benchmark": comparison.benchmark, "table": comparison.title}
            record |= {"method": row.method, "ours": row.ours, "settings": ", ".join(row.settings)}
            record |= {"metric": column.key, "unit": _unit(column.unit), "value": _number(value, column.unit)}
            record |= {"spread": _number(spread, column.unit), "reference_method": row.reference or None}
            record |= {"reference": _number(theirs, column.unit), "difference": _number(gap, column.unit)}
            records.append(record | {"data": row.group, "protocol": row.remark, "source": row.citation})
    return records


def _number(value: float | None, unit: Unit) -> float | None:
    if value is None or value != value:  # NaN
        return None
    return round(100 * value if unit == "fraction" else value, 4)


def _unit(unit: Unit) -> str:
    return "percent" if unit == "fraction" else unit
