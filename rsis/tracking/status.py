"""The status of every run: the state of each of its stages, and the progress of its training.

The states are read from the results themselves: checkpoints, prediction files and protocols contain the digests of
their inputs. They are therefore correct for every workflow engine, and without one. The states are:

    done      the result is up to date: that of `train` with the present parameters, data and code, that of a later
              stage with the present checkpoint and its own parameters (only the engines notice changes of its code)
    running   a process is working on the stage
    queued    SLURM has a pending job for the stage
    stopped   the training was interrupted, and resumes when it is started again
    stale     there is a result, but of other parameters, data or code
    waiting   there is no result yet
"""

import getpass
import json
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rsis.checkpoint.info import read_info
from rsis.config.datasets import AnyDataset
from rsis.config.params import Params
from rsis.config.runs import RunSection
from rsis.errors import UserError
from rsis.files import paths
from rsis.files.atomic import read_json
from rsis.files.digests import sha256_of
from rsis.machine.lock import holder_of
from rsis.prediction_file import PredictionFile, read_predictions
from rsis.tracking.origin import check_prepared
from rsis.train.state.heartbeat import Progress
from rsis.train.state.key import run_key
from rsis.train.validation import open_splits

State = Literal["done", "running", "queued", "stopped", "stale", "waiting"]
STAGES = ("train", "predict", "score", "report")


@dataclass(frozen=True)
class RunStatus:
    """The status of a run.

    Attributes:
        run: Its name.
        train, predict, score, report: Each stage's state.
        epoch: Finished epochs; None before the first sign of life.
        epochs: The most there will be; None where the training has minutes.
        minutes: For how long it trains, in place of `epochs`.
        best: Least validation loss since the objective last changed, or None.
        best_epoch: Its epoch, from 0, or None.
        age: Seconds since the last heartbeat, or None.
        holder: The process that has locked the training, or its pending SLURM job, as text; "" without one.
        fault: Why the prepared data cannot be used, though it is there, in one line; "" otherwise.
    """

    run: str
    train: State
    predict: State
    score: State
    report: State
    epoch: int | None
    epochs: int | None
    minutes: float | None
    best: float | None
    best_epoch: int | None
    age: float | None
    holder: str
    fault: str = ""


def status_of(params: Params, names: Sequence[str] = ()) -> list[RunStatus]:
    """Return the status of runs in the working directory.

    Args:
        params: The configuration.
        names: Names of runs; all runs by default.

    Raises:
        UserError: A name is not that of a run.
    """
    queued = _queued_jobs()
    return [_status_of(params, name, queued) for name in names or params.members]


def table_of(statuses: Sequence[RunStatus]) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the rows of a table with a row for each run."""
    rows = []
    for status in statuses:
        most = f" of {status.epochs}" if status.minutes is None else f", {status.minutes:g} minutes in all"
        epoch = "-" if status.epoch is None else f"{status.epoch}{most}"
        best = "-" if status.best is None else f"{status.best:.4f} in epoch {status.best_epoch}"
        age = "-" if status.age is None else _ago(status.age)
        states = [getattr(status, stage) for stage in STAGES]
        rows.append([status.run, *states, epoch, best, age, status.holder])
    return ["run", *STAGES, "epoch", "best validation loss", "heartbeat", ""], rows


def _status_of(params: Params, name: str, queued: Mapping[tuple[str, str], str]) -> RunStatus:
    run, report = params.run(name), params.origin(name)[0]  # runs that differ only in their seed share a report
    dataset = params.dataset(run.dataset)
    fault = _fault(run, dataset, "train", "val")
    key = "" if fault else run_key(run, _digests(run))
    unusable = fault or _fault(run, dataset, run.predict.split)  # what is predicted
    state = paths.STATE / name / key if key else None
    progress, age = _heartbeat(state)
    holder = holder_of(paths.lock_file("train", name))
    predictions = _predictions(name)
    train = _train(name, key, state)
    predict = _predict(name, run, predictions, "stale" if unusable else train)
    score = _score(name, run, predictions, predict)
    states = {"train": train, "predict": predict, "score": score, "report": _report(name, report, score)}
    for stage, now in states.items():
        if holder_of(paths.lock_file(stage, name)) is not None:
            states[stage] = "running"
        elif now != "done" and (stage, name) in queued:
            states[stage] = "queued"
    job = queued.get(("train", name))
    return RunStatus(
        run=name,
        **states,
        epoch=progress.epoch if progress else None,
        epochs=run.train.epochs,
        minutes=run.train.minutes,
        best=progress.best_loss if progress else None,
        best_epoch=progress.best_epoch if progress else None,
        age=age,
        holder=str(holder) if holder else f"SLURM job {job}" if job and train != "done" else "",
        fault=unusable if paths.processed_folder(run.dataset).is_dir() else "",
    )


def _fault(run: RunSection, dataset: AnyDataset, *splits: str) -> str:
    """Return why prepared splits cannot be used, in one line: missing, or made from something else; "" if they can."""
    try:
        check_prepared(run.dataset, dataset, paths.raw_folder(run.dataset), paths.processed_folder(run.dataset), splits)
    except UserError as error:
        return str(error)
    return ""


def _digests(run: RunSection) -> dict[str, str]:
    splits = open_splits(paths.processed_folder(run.dataset))
    return {name: split.digest for name, split in splits.items()}


def _heartbeat(state: Path | None) -> tuple[Progress | None, float | None]:
    """Return the progress in the last heartbeat and its age in seconds; None for both without one."""
    path = state / "alive.json" if state else None
    if path is None or not path.is_file():
        return None, None
    try:
        return read_json(path, Progress, "it is written anew when the run trains"), time.time() - path.stat().st_mtime
    except UserError:
        return None, None


def _train(name: str, key: str, state: Path | None) -> State:
    model = paths.model_file(name)
    if model.is_file():
        try:
            if key and read_info(model).key == key:
                return "done"
        except UserError:
            return "stale"
    if state is not None and (state / "last.ckpt").is_file():
        return "stopped"
    return "stale" if model.is_file() else "waiting"


def _predict(name: str, run: RunSection, predictions: PredictionFile | None, train: State) -> State:
    if predictions is None:
        return "stale" if paths.predictions_file(name).is_file() else "waiting"
    asked, written = run.predict.model_dump(mode="json"), dict(predictions.parameters)
    if asked["precision"] == "auto":  # the file says what that came to
        asked["precision"] = written.get("precision")
    current = train == "done" and predictions.checkpoint == sha256_of(paths.model_file(name))
    return "done" if current and written == asked else "stale"


def _score(name: str, run: RunSection, predictions: PredictionFile | None, predict: State) -> State:
    protocol = _json(paths.scores_folder(name) / "protocol.json")
    if not protocol or not paths.metrics_file(name).is_file():
        return "waiting"
    rules = run.score.model_dump(mode="json", exclude={"scorers"})
    same = predictions is not None and all(
        protocol.get(key) == value
        for key, value in (
            ("checkpoint", predictions.checkpoint),
            ("predict", dict(predictions.parameters)),
            ("rules", rules),
        )
    )
    judged = set(protocol.get("scorers", ())) == set(run.score.scorers)
    return "done" if predict == "done" and same and judged else "stale"


def _report(name: str, report: str, score: State) -> State:
    page, metrics = paths.REPORTS / f"{report}.html", paths.metrics_file(name)
    if not page.is_file():
        return "waiting"
    newer = metrics.is_file() and page.stat().st_mtime >= metrics.stat().st_mtime
    return "done" if score == "done" and newer else "stale"


def _predictions(name: str) -> PredictionFile | None:
    try:
        return read_predictions(paths.predictions_file(name))
    except UserError:
        return None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _queued_jobs() -> dict[tuple[str, str], str]:
    """Return the ids of this user's pending SLURM jobs in this folder, by stage and name; empty without SLURM.

    Snakemake's plugin identifies a job by its comment, for example "rule_train_wildcards_demo".
    """
    if shutil.which("squeue") is None:
        return {}
    command = ["squeue", "--noheader", f"--user={getpass.getuser()}", "--states=PENDING", "--format=%i|%Z|%k"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    found = {}
    for line in done.stdout.splitlines():
        job, folder, comment = line.split("|", 2)
        rule, _, name = comment.removeprefix("rule_").partition("_wildcards_")
        if Path(folder) == Path.cwd():
            found[rule.removesuffix("_distributed"), name] = job
    return found


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"
