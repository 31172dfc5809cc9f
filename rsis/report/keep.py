"""Keeping a report's runs as reference results."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rsis.config import Params
from rsis.cores import describe_machine
from rsis.files import read_json
from rsis.report.page import RunInputs, load_run
from rsis.report.reference import Reference, Training, seeds_of, training_of
from rsis.report.reference_text import put_tables
from rsis.report.write import write_reference

PAGES = (Path("README.md"), Path("docs/demos.md"))  # that have the table, in the project's folder


def keep_as_reference(
    params: Params, name: str, inputs: Sequence[RunInputs], inputs_of: Callable[[str], RunInputs], folder: Path
) -> Reference:
    """Write the folder of reference results and the tables of `PAGES`.

    Args:
        params: The configuration, which names the runs with other seeds; those that were scored are taken along.
        name: Of the report.
        inputs: The runs to keep.
        inputs_of: Says where the files of a run are.
        folder: Of the reference results.

    Raises:
        UserError: Something of a run is missing or malformed, or a file cannot be written.
    """
    runs: dict[str, tuple[Training, ...]] = {}
    for item in inputs:
        seeds = [inputs_of(run) for run in seeds_of(params, item.run)]
        scored = [seed for seed in seeds if seed.metrics_path.is_file()]
        runs[item.run] = tuple(_training(each) for each in (item, *scored))
    reference = Reference(runs)
    write_reference(name, inputs, folder, reference)
    for page in PAGES:
        if page.is_file():
            put_tables(page, reference)
    return reference


def _training(item: RunInputs) -> Training:
    run, _ = load_run(item)
    history = read_json(item.history_folder / "run.json", dict[str, Any], f"run rsis train {item.run} again")
    return training_of(run, history, describe_machine())
