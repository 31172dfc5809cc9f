"""Write the result of a training, the facts of how it was obtained, and its log of events."""

import contextlib
import math
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import WeightAveraging
from safetensors.torch import load_file

import rsis
from rsis.checkpoint.file import checkpoint_bytes
from rsis.checkpoint.info import PREPROCESSING_OF, CheckpointInfo
from rsis.config.runs import RunSection
from rsis.data.prepared.file import PreparedSplit
from rsis.data.readers.rules import PictureRules
from rsis.errors import UserError
from rsis.files.atomic import atomic_folder, atomic_path, write_json
from rsis.files.digests import sha256_of
from rsis.files.durable import sync
from rsis.machine.cores import describe_machine
from rsis.machine.precision import settle
from rsis.machine.revision import revision_of
from rsis.train.callbacks import History
from rsis.train.module import NonFiniteLossError, TrainingModule
from rsis.train.state.files import seal, write_state
from rsis.train.state.resume import BEST, PRECISION, RESULT


@dataclass(frozen=True)
class Training:
    """A run with everything that its result depends on.

    Attributes:
        name: Name of the run.
        run: Its section of params.yaml.
        splits: The prepared splits "train" and, unless the data set has none, "val".
        key: See `rsis.train.state.key`.
        state: The folder of its state, state/<run>/<key>.
    """

    name: str
    run: RunSection
    splits: dict[str, PreparedSplit]
    key: str
    state: Path


def settle_precision(training: Training) -> Training:
    """Return the training with the number format that it computes in, if that is "auto": the faster one here.

    It is written down at the first start, and a training that goes on keeps to it, on another machine as well.
    """
    train = training.run.train
    if train.precision != "auto":
        return training
    path = training.state / PRECISION
    known = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    if known not in ("fp32", "bf16"):
        known = settle("auto", torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        write_state(path, f"{known}\n".encode())
    run = training.run.model_copy(update={"train": train.model_copy(update={"precision": known})})
    return replace(training, run=run)


def save_result(training: Training, module: TrainingModule, trainer: pl.Trainer, history: History) -> None:
    """Write the checkpoint, the history and the facts of a finished training into its state.

    Raises:
        NonFiniteLossError: A weight is not finite; or `train.keep` is "best", and no validation had a finite loss.
    """
    run, state, data = training.run, training.state, training.splits["train"]
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, WeightAveraging):  # Lightning calls this only if there was an epoch left to train
            callback.on_train_end(trainer, module)
    if run.train.keep == "best":
        _check_validated(training.name, history.rows)
        module.network.load_state_dict(load_file(state / BEST))
    if not all(bool(torch.isfinite(value).all()) for value in module.network.state_dict().values()):
        raise NonFiniteLossError(f"{training.name}: the weights are not finite; lower train.lr or set train.clip_norm")
    history.write_files()  # a killed process may have left truncated files
    write_json(state / "history" / "run.json", _facts(module, trainer, history.seconds) | {"reading": data.reading})
    info = CheckpointInfo(
        run=training.name,
        dataset=run.dataset,
        class_names=data.class_names,
        size=data.size,
        model=run.model.model_dump(mode="json"),
        train=run.train.model_dump(mode="json"),
        predict=run.predict.model_dump(mode="json"),
        metrics={key: value for key, value in history.rows[-1].items() if key != "epoch"},
        key=training.key,
        pictures=PictureRules.from_reading(data.reading),
        preprocessing=PREPROCESSING_OF[run.model.normalization],
    )
    sync(state / "history")
    seal(state / "history")
    write_state(state / RESULT, checkpoint_bytes(module.network, info))
    note(state.parent, f"done after {trainer.current_epoch} epochs")


def _check_validated(name: str, rows: Sequence[Mapping[str, float]]) -> None:
    validated = [row for row in rows if "val/total" in row]
    if any(math.isfinite(row["val/total"]) for row in validated):
        return
    last = {key.removeprefix("val/"): value for key, value in validated[-1].items() if key.startswith("val/")}
    terms = ", ".join(f"{term} {last[term]:.4g}" for term in sorted(last, key=lambda term: term != "total"))
    raise NonFiniteLossError(
        f"{name}: no validation loss was finite (the last: {terms}), so no weights are the best; lower train.lr, set "
        "train.clip_norm, use precision fp32, or keep the last weights with keep: last"
    )


def publish(state: Path, model: Path, history: Path) -> None:
    """Copy the result and the history of a finished training to the outputs of the stage.

    Args:
        state: The folder of its state.
        model: The checkpoint to write.
        history: The folder of metrics to write.

    Raises:
        UserError: They cannot be written, or the copy of the checkpoint differs from the original.
    """
    with atomic_folder(history, "train") as temporary:
        shutil.copytree(state / "history", temporary, dirs_exist_ok=True)
    with atomic_path(model) as temporary:  # last: a run counts as trained when its checkpoint exists
        shutil.copyfile(state / RESULT, temporary)
        if sha256_of(temporary) != sha256_of(state / RESULT):
            raise UserError(f"{model}: the copy differs from {state / RESULT}; check disk and memory, then run again")


def note(folder: Path, event: str) -> None:
    """Append a line to the run's events.log; a job's own log is deleted when the job is submitted again."""
    job = os.environ.get("SLURM_JOB_ID")
    where = f"{socket.gethostname()}, process {os.getpid()}{f', SLURM job {job}' if job else ''}"
    # if the disk is full, writing the state reports it
    with contextlib.suppress(OSError), (folder / "events.log").open("a", encoding="utf-8") as file:
        file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {where}: {event}\n")


def _facts(module: TrainingModule, trainer: pl.Trainer, seconds: float) -> dict[str, Any]:
    """Return the facts for the report on how the result was obtained."""
    return {
        "epochs": trainer.current_epoch,
        "seconds": round(seconds, 1),  # wall-clock time of the finished epochs, also before a resumption
        "parameters": sum(parameter.numel() for parameter in module.network.parameters()),
        "device": str(module.device),
        "precision": str(trainer.precision),
        "devices": module.section.devices,
        "nodes": module.section.nodes,
        "batch_size": module.section.batch_size,  # of all devices on all nodes together
        "threads": torch.get_num_threads(),
        "machine": describe_machine(),
        "torch": torch.__version__,
        "rsis": rsis.__version__,
        "commit": _commit(),
        "best_epoch": module.schedule.best_epoch,
    }


def _commit() -> str | None:
    """Return the git commit of the working directory, with "+changes" if tracked files differ from it."""
    found = revision_of(Path.cwd())
    return None if found is None else found.commit[:12] + ("+changes" if found.changed else "")
