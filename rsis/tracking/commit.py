"""Record Snakemake's results in DVC: then `dvc status` is clean, and `dvc metrics diff` compares them.

`dvc commit` assumes that the results were made from the present code, data and parameters. This is checked before it
runs, in two ways: Snakemake must have a record of each result and find it up to date; and the results must contain the
digests of the present inputs, since they may have been made by another engine in the meantime.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from rsis.config.params import Params
from rsis.errors import UserError
from rsis.files import paths
from rsis.tracking.sources import NOTE as SOURCES_NOTE
from rsis.tracking.status import status_of

_RUN_STAGES = ("train", "predict", "score", "report")
_NOTHING = "Nothing to be done"
_UNKNOWN = "missing provenance/metadata"


def commit(params: Params, names: Sequence[str], folder: Path = Path()) -> list[str]:
    """Record runs and their data sets in DVC.

    Args:
        params: The configuration.
        names: Runs of `default`; if empty, all of them that have a report.
        folder: The project's folder, with Snakefile and dvc.yaml; it must be the working directory.

    Returns:
        The recorded stages.

    Raises:
        UserError: A name is not a run of `default`, there is nothing to record, a result is out of date, or DVC or
            Snakemake failed. Unless the message says otherwise, nothing has been recorded.
    """
    for needed in ("Snakefile", "dvc.yaml"):
        if not (folder / needed).is_file():
            raise UserError(f"{needed}: not in this folder; run in the project's folder")
    for name in names:
        if name not in params.default.runs:
            known = ", ".join(params.default.runs)
            raise UserError(f"{name}: no run of default in params.yaml, so DVC has no stage for it; it has {known}")
    runs = list(names) or [run for run in params.default.runs if (folder / paths.REPORTS / f"{run}.html").is_file()]
    if not runs:
        raise UserError("reports: no run of default has one; run snakemake first")
    reports = [str(paths.REPORTS / f"{run}.html") for run in runs]
    outdated = _outdated(_snakemake(folder, "--dry-run", *reports))
    if outdated:
        shown = ", ".join(outdated[:4]) + (f" and {len(outdated) - 4} more" if len(outdated) > 4 else "")
        raise UserError(f"nothing recorded: Snakemake has still to run {shown}; run it, then commit again")
    foreign = [
        f"{stage} {status.run}"
        for status in status_of(params, runs)
        for stage in ("train", "predict", "score")
        if getattr(status, stage) != "done"
    ]
    if foreign:
        shown = ", ".join(foreign)
        raise UserError(f"nothing recorded: {shown}: made from other parameters or by another stage than now; run it")
    datasets = dict.fromkeys(params.default.runs[run] for run in runs)
    stages = [f"{stage}@{dataset}" for dataset in datasets for stage in ("download", "prepare")]
    stages += [f"{stage}@{run}" for run in runs for stage in _RUN_STAGES]
    if set(datasets) == set(params.default.datasets):  # all data is there, so `dvc repro` need not check it first
        (folder / paths.SOURCES_NOTE).parent.mkdir(exist_ok=True)
        (folder / paths.SOURCES_NOTE).write_text(SOURCES_NOTE)
        stages.insert(0, "sources")
    try:
        with Repo(str(folder)) as repo:
            for stage in stages:
                repo.commit(stage, force=True)
    except DvcException as error:
        raise UserError(f"dvc commit: {' '.join(str(error).split())}; put that right, then commit again") from error
    # DVC has replaced the results by its own copies, which are now newer than the results made from them
    try:
        _snakemake(folder, "--touch", *reports)
    except UserError as error:
        raise UserError(f"recorded in DVC, but not in Snakemake: {error}; run `snakemake --touch`") from error
    return stages


def _snakemake(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        reason = next((line for line in lines if "Error" in line or "rror:" in line), lines[-1] if lines else "-")
        raise UserError(f"snakemake {arguments[0]}: {reason}; put that right first")
    return output


def _outdated(output: str) -> list[str]:
    """Return the jobs in the output of a dry run, for example "train demo"; an empty list if all is up to date.

    Raises:
        UserError: Snakemake lacks the record of a result, or the output contains neither jobs nor that there are none.
    """
    if _UNKNOWN in output:
        raise UserError(
            "nothing recorded: Snakemake does not know how all of it was made; run `snakemake --forceall`, or, where "
            "`dvc status` is clean, `snakemake --touch`"
        )
    if _NOTHING in output:
        return []
    jobs = re.findall(r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    wildcards: \w+=(\S+)", output, re.MULTILINE)
    if not jobs:
        raise UserError("snakemake: its dry run says neither that all is up to date nor what is not; run it first")
    return [f"{rule.removesuffix('_distributed')} {name}" for rule, name in jobs]
