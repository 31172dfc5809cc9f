"""Read DVC experiments through DVC's Python interface."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo
from dvc.scm import SCMError

from rsis.errors import UserError
from rsis.report.tables.experiments import Experiment, Parameter

BASELINE = "HEAD"


def load_experiments(names: Sequence[str], folder: Path) -> tuple[Experiment, ...]:
    """Read the current commit, which is the baseline, and experiments by name.

    Args:
        names: Names of experiments of `dvc exp run` or `dvc exp save`; git revisions are accepted too.
        folder: A folder in a DVC repository with git.

    Returns:
        Metrics and parameters of each, the baseline first; files that a revision lacks are left out.

    Raises:
        UserError: The folder is not in such a repository, a name is not known, or DVC cannot read it.
    """
    try:
        with Repo(str(folder)) as repo:
            return tuple(_load(name, repo) for name in dict.fromkeys((BASELINE, *names)))
    except NotDvcRepoError as error:
        raise UserError(
            f"{folder.resolve()}: in no DVC repository, and DVC keeps the experiments; run in the project's folder"
        ) from error


def _load(name: str, repo: Repo) -> Experiment:
    try:
        metrics, parameters = (part.show(revs=[name], on_error="return") for part in (repo.metrics, repo.params))
    except SCMError as error:
        if name == BASELINE:
            raise UserError(f"{repo.root_dir}: has no git commit; experiments are compared with one") from error
        raise UserError(f"no DVC experiment is called {name!r}; `dvc exp list` names those there are") from error
    except DvcException as error:
        raise UserError(f"experiment {name}: DVC cannot read it ({' '.join(str(error).split())})") from error
    figures = {f"{file}:{key}": value for file, content in _files(metrics) for key, value in _flat(content).items()}
    return Experiment(
        name=name,
        metrics={key: float(value) for key, value in figures.items() if isinstance(value, int | float)},
        parameters={key: value for _, content in _files(parameters) for key, value in _flat(content).items()},
    )


def _files(shown: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield name and content of each file in DVC's output for one revision, without the working tree's, also in it."""
    for revision, result in shown.items():
        if revision != "workspace":
            yield from ((file, item["data"]) for file, item in result.get("data", {}).items() if "data" in item)


def _flat(values: Mapping[str, Any], start: str = "") -> dict[str, Parameter]:
    """Return the leaves of nested mappings by their dotted paths; a list is one leaf, as JSON."""
    found: dict[str, Parameter] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{start}{key}.")
        else:
            found[f"{start}{key}"] = json.dumps(value) if isinstance(value, list | tuple) else value
    return found
