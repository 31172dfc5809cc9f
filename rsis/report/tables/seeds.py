"""Tables of runs that differ only in their seed: their metrics, with mean and standard deviation over the seeds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rsis.files.digests import digest_of
from rsis.report.tables.protocol import ScoredRun
from rsis.report.tables.quantities import HEADLINES, MINUS, format_headline, label_of, unit_of, value_of

OF_ONE_RUN = frozenset({"run", "checkpoint"})  # the keys of a protocol that differ for every run


@dataclass(frozen=True)
class SeedGroup:
    """Runs that differ only in their seed: one run for each seed, at least two.

    Attributes:
        name: The runs' common name without "-seed<seed>"; the name of the first run if they have no common one.
        runs: The runs.
    """

    name: str
    runs: tuple[ScoredRun, ...]

    @property
    def seeds(self) -> str:
        """The seeds as text."""
        return ", ".join(str(run.run_config.train.seed) for run in self.runs)

    @property
    def method(self) -> str:
        """The name of the mean in tables with other methods."""
        return f"RSIS, {self.name}, mean of {len(self.runs)} seeds"


@dataclass(frozen=True)
class SeedFigure:
    """One metric of a group, a fraction or a count.

    Attributes:
        key: Its scorer key.
        values: Value of each run, in the group's order; None if a run lacks the metric.
        mean: See `mean_of`.
        deviation: See `deviation_of`.
    """

    key: str
    values: tuple[float | None, ...]
    mean: float | None
    deviation: float | None

    @property
    def label(self) -> str:
        """Label with unit."""
        return f"{label_of(self.key)}{', %' if unit_of(self.key) == 'fraction' else ''}"

    @property
    def cells(self) -> tuple[str, ...]:
        """The value of each seed, the mean and the deviation, as text."""
        return tuple(format_headline(value, unit_of(self.key)) for value in (*self.values, self.mean, self.deviation))


@dataclass(frozen=True)
class SeedTable:
    """The table of a group: a row for each metric of `HEADLINES` that any of its runs has."""

    group: SeedGroup
    figures: tuple[SeedFigure, ...]

    @property
    def note(self) -> str:
        """A sentence on what the mean and the deviation are over."""
        names = ", ".join(run.run for run in self.group.runs)
        deviation = f"sample standard deviation (n {MINUS} 1)"
        return (
            f"Runs {names} differ in their seed alone. Mean and {deviation} are over these {len(self.group.runs)} "
            "seeds, not over images."
        )


def seed_tables(runs: Sequence[ScoredRun]) -> tuple[SeedTable, ...]:
    """Return the table of each group of `seed_groups`."""
    return tuple(SeedTable(group, _figures(group)) for group in seed_groups(runs))


def seed_groups(runs: Sequence[ScoredRun]) -> tuple[SeedGroup, ...]:
    """Return the groups of runs that differ only in their seed, with at least two seeds each.

    Runs of a group are equal in the configurations of run and data set, and in the recorded protocol of prediction and
    scoring: metrics of different splits or thresholds have no common mean. Names do not matter. Of runs with the same
    seed only the first is taken, since that seed would otherwise count twice.
    """
    found: dict[str, dict[int, ScoredRun]] = {}
    for run in runs:
        found.setdefault(_all_but_the_seed(run), {}).setdefault(run.run_config.train.seed, run)
    members = [tuple(by_seed.values()) for by_seed in found.values()]
    return tuple(SeedGroup(_common_name(group), group) for group in members if len(group) > 1)


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean; None if any value is missing, since the mean must be over all seeds of the group."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def deviation_of(values: Sequence[float | None]) -> float | None:
    """Return the sample standard deviation, sqrt(sum (x - mean)^2 / (n - 1)).

    None if `mean_of` is None or there is only one value.
    """
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) > 1 and len(known) == len(values) else None


def _figures(group: SeedGroup) -> tuple[SeedFigure, ...]:
    figures = []
    for key in HEADLINES:
        values = tuple(value_of(run.scores, key) for run in group.runs)
        if any(value is not None for value in values):
            figures.append(SeedFigure(key, values, mean_of(values), deviation_of(values)))
    return tuple(figures)


def _all_but_the_seed(run: ScoredRun) -> str:
    """Return a digest that is equal exactly for runs of one group."""
    section = run.run_config.model_dump(mode="json")
    del section["train"]["seed"]
    measured = {key: value for key, value in run.scores.protocol.items() if key not in OF_ONE_RUN}
    return digest_of({"run": section, "data": run.dataset_config.model_dump(mode="json"), "measured": measured})


def _common_name(runs: Sequence[ScoredRun]) -> str:
    names = {run.run.removesuffix(f"-seed{run.run_config.train.seed}") for run in runs}
    return names.pop() if len(names) == 1 else runs[0].run
