"""Store the runs of a report as reference results."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rsis.config.params import Params
from rsis.files import paths
from rsis.files.atomic import read_json
from rsis.machine.cores import describe_machine
from rsis.report.page import RunInputs, load_run
from rsis.report.reference.results import Reference, Training, read_reference, seeds_of, training_of
from rsis.report.reference.text import put_tables
from rsis.report.run import write_reference

PAGES = (Path("README.md"), Path("docs/demos.md"))  # pages of the project that contain the table


def keep_as_reference(
    params: Params, name: str, inputs: Sequence[RunInputs], inputs_of: Callable[[str], RunInputs], folder: Path
) -> Reference:
    """Write the folder of reference results and the tables of `PAGES`.

    Args:
        params: The configuration. The runs with other seeds and the runs of `default` are stored too, if they were
            trained and scored on this machine. Other runs of `default` keep what the folder has of them.
        name: Name of the report.
        inputs: The runs to store and to report.
        inputs_of: Returns the files of a run by its name.
        folder: The folder of the reference results.

    Returns:
        The reference results.

    Raises:
        UserError: A file of a run is missing or malformed, or a file cannot be written.
    """
    earlier = read_reference(folder).runs
    given = {item.run: item for item in inputs}
    runs: dict[str, Sequence[Training]] = {}
    for run in dict.fromkeys([*given, *params.default.runs]):
        if run in given or _is_scored(run):
            seeds = [inputs_of(seed) for seed in seeds_of(params, run) if _is_scored(seed)]
            runs[run] = tuple(_training(each) for each in (given.get(run) or inputs_of(run), *seeds))
        elif run in earlier:
            runs[run] = earlier[run]
    reference = Reference(runs)
    write_reference(name, inputs, folder, reference)
    for page in PAGES:
        if page.is_file():
            put_tables(page, reference)
    return reference


def _is_scored(run: str) -> bool:
    """Return whether a run was predicted and scored here; a metrics file alone may come from the repository."""
    return paths.metrics_file(run).is_file() and paths.predictions_file(run).is_file()


def _training(item: RunInputs) -> Training:
    run, _ = load_run(item)
    history = read_json(item.history_folder / "run.json", dict[str, Any], f"run rsis train {item.run} again")
    return training_of(run, history, describe_machine())
