"""The table that compares DVC experiments: their metrics, and the parameters in which they differ.

`rsis.report.tables.dvc_revisions` reads the experiments.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rsis.report.tables.quantities import difference, format_difference, format_value, label_of, unit_of

Parameter = str | int | float | bool | None


@dataclass(frozen=True)
class Experiment:
    """A named state of the project in DVC: an experiment or a git revision.

    Attributes:
        name: Its name.
        metrics: Value by file and key, for example "metrics/demo.json:cvppp/sbd".
        parameters: Value by key path, for example "runs.demo.train.lr".
    """

    name: str
    metrics: dict[str, float]
    parameters: dict[str, Parameter]


@dataclass(frozen=True)
class ExperimentTable:
    """The texts of a table with a column for each experiment; the first one is the baseline."""

    names: tuple[str, ...]
    metrics: tuple[tuple[str, tuple[str, ...]], ...]
    parameters: tuple[tuple[str, tuple[str, ...]], ...]


def tabulate(experiments: Sequence[Experiment]) -> ExperimentTable | None:
    """Return the table of experiments; None if there are none.

    It has a line for each metric that any experiment has, except spreads, and for each parameter that is not the same
    in all experiments.
    """
    if not experiments:
        return None
    keys = dict.fromkeys(key for item in experiments for key in item.metrics if not key.endswith("_std"))
    files = len({key.rpartition(":")[0] for key in keys})
    paths = sorted({path for item in experiments for path in item.parameters})
    missing = object()
    differing = [p for p in paths if len({repr(item.parameters.get(p, missing)) for item in experiments}) > 1]
    return ExperimentTable(
        names=tuple(item.name for item in experiments),
        metrics=tuple((_label(key, files > 1), _cells(key, experiments)) for key in keys),
        parameters=tuple((path, tuple(_text(item, path) for item in experiments)) for path in differing),
    )


def _label(key: str, with_run: bool) -> str:
    file, _, metric = key.rpartition(":")
    run = file.removeprefix("metrics/").removesuffix(".json")
    label = label_of(metric) if "/" in metric else metric
    unit = ", %" if "/" in metric and unit_of(metric) == "fraction" else ""
    return f"{run}: {label}{unit}" if with_run else f"{label}{unit}"


def _cells(key: str, experiments: Sequence[Experiment]) -> tuple[str, ...]:
    metric, first = key.rpartition(":")[2], experiments[0]
    cells = []
    for item in experiments:
        value, gap = item.metrics.get(key), difference(item.metrics.get(key), first.metrics.get(key))
        if "/" not in metric:  # not a metric of this package: its unit is unknown
            cells.append("-" if value is None else f"{value:.6g}")
            continue
        unit = unit_of(metric)
        change = f" ({format_difference(gap, unit)})" if item is not first and gap is not None else ""
        cells.append(f"{format_value(value, unit)}{change}")
    return tuple(cells)


def _text(item: Experiment, path: str) -> str:
    if path not in item.parameters:
        return "-"
    value = item.parameters[path]
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
