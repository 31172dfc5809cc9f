"""params.yaml as typed, frozen models: every key, its type, its range.

The file has two lists by name, `datasets` and `runs`, and `default`, which of them a bare `dvc repro`
builds. Unknown keys, wrong types and values out of range end in one line that names the key path.
"""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from rsis.config.bounded_yaml import read_yaml
from rsis.config.datasets import AnyDataset, Dataset
from rsis.config.faults import explain
from rsis.config.runs import RunSection
from rsis.config.types import Name, Section
from rsis.errors import UserError


class DefaultSection(Section):
    """What a bare `dvc repro` builds: names of data sets, and of runs with the data set of each."""

    datasets: tuple[str, ...]
    """Names under `datasets`."""
    runs: dict[str, str]
    """Names under `runs`, each with the name of its data set: dvc.yaml can look up a name, but not through one."""


class Params(Section):
    """The whole of params.yaml."""

    datasets: dict[Name, Dataset]
    """What there is to train on, by name."""
    runs: dict[Name, RunSection]
    """What to train, by name."""
    default: DefaultSection
    """What a bare `dvc repro` or `snakemake` builds."""
    comparisons: dict[Name, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Reports of several runs, by name: `rsis report NAME`."""

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        for name, run in self.runs.items():
            if run.dataset not in self.datasets:
                known = ", ".join(self.datasets)
                raise ValueError(f"runs.{name}.dataset is {run.dataset!r}; datasets has {known}")
        for name, dataset in self.default.runs.items():
            if name not in self.runs or self.runs[name].dataset != dataset:
                raise ValueError(
                    f"default.runs.{name}: no run of that name on data set {dataset!r}; correct one of them"
                )
            if dataset not in self.default.datasets:
                raise ValueError(f"default.datasets: {dataset} is missing, the data set of default.runs.{name}; add it")
            if self.runs[name].seeds is not None:
                raise ValueError(
                    f"default.runs.{name}: DVC has no stage for each of its seeds; leave it out here and build it by "
                    f"`snakemake reports/{name}.html`"
                )
        repeated = [name for name in self.members if self.members.count(name) > 1]
        if repeated:
            raise ValueError(f"runs: {repeated[0]} stands for two of them; change a name, or seeds to different ones")
        for name, members in self.comparisons.items():
            if name in self.runs or name in self.members:
                raise ValueError(f"comparisons.{name}: there is a run of that name; choose another")
            unknown = [member for member in members if member not in self.runs]
            if unknown:
                raise ValueError(f"comparisons.{name}: no run {unknown[0]!r}; runs has {', '.join(self.runs)}")
        return self

    @property
    def members(self) -> tuple[str, ...]:
        """The names of all runs that can be trained: a run with seeds stands for one of each seed."""
        return tuple(member for name in self.runs for member in self._members_of(name))

    @property
    def compared(self) -> dict[str, tuple[str, ...]]:
        """What one report can show together, by its name: the seeds of a run, the runs of a comparison."""
        found = {name: self._members_of(name) for name, run in self.runs.items() if run.seeds is not None}
        for name, runs in self.comparisons.items():
            found[name] = tuple(member for run in runs for member in self._members_of(run))
        return found

    def dataset(self, name: str) -> AnyDataset:
        """Return the data set of that name, or raise UserError naming those there are."""
        if name not in self.datasets:
            raise UserError(f"params.yaml has no data set {name!r}; it has {', '.join(self.datasets)}")
        return self.datasets[name]

    def run(self, name: str) -> RunSection:
        """Return the run of that name, one of `members`.

        Raises:
            UserError: There is none; names those there are.
        """
        origin, seed = self.origin(name)
        if origin not in self.runs:
            raise UserError(f"params.yaml has no run {name!r}; it has {', '.join(self.members)}")
        run = self.runs[origin]
        if run.seeds is None:
            return run
        if seed is None:
            raise UserError(f"run {name} has several seeds; name one of {', '.join(self._members_of(name))}")
        return run.model_copy(update={"seeds": None, "train": run.train.model_copy(update={"seed": seed})})

    def origin(self, name: str) -> tuple[str, int | None]:
        """Return the run in the file that a name stands for, and its seed if it is one of several."""
        for run, section in self.runs.items():
            for seed in section.seeds or ():
                if name == _member(run, seed):
                    return run, seed
        return name, None

    def _members_of(self, name: str) -> tuple[str, ...]:
        seeds = self.runs[name].seeds
        return (name,) if seeds is None else tuple(_member(name, seed) for seed in seeds)


def _member(run: str, seed: int) -> str:
    return f"{run}-seed{seed}"


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: The file is missing, is no YAML (`read_yaml`), or breaks the schema; the first faults in one line.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; run in the folder that holds params.yaml, or name it with --params")
    raw = read_yaml(path)
    try:
        return Params.model_validate(_tuples(raw))
    except ValidationError as error:
        raise UserError(f"{path}: {explain(Params, error.errors())}") from error


def _tuples(value: Any) -> Any:
    """Strict pydantic wants tuples where YAML has only lists."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
