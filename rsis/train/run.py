"""Training of one run: find its data, resume or begin, and leave a checkpoint and a history.

Where things stand while it trains, out of DVC's sight so that DVC cannot delete them:

    state/<run>/events.log                 when and where it began, went on, was stopped and ended; only grows
    state/<run>/<key>/last.ckpt            Lightning's checkpoint after each epoch
    state/<run>/<key>/best.safetensors     weights of the best validation (train.keep: best)
    state/<run>/<key>/history/             dvclive's plots so far
    state/<run>/<key>/alive.json           where it is, every few seconds
    state/<run>/<key>/model.safetensors    the result, once finished

<key> is a digest of all that the result depends on: parameters, data and source code. A killed run finds its
state again; a run with any of these changed never finds a foreign one.
"""

import contextlib
import logging
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from safetensors.torch import load_file
from torch.distributed import DistBackendError
from torch.utils.data import DataLoader

import rsis
from rsis.data.hdf5 import PreparedSplit
from rsis.data.loader import EpochSampler, Share, make_loader
from rsis.errors import StoppedError, UserError
from rsis.files import atomic_folder, atomic_path, write_json
from rsis.lock import held
from rsis.model.checkpoint import CheckpointInfo, read_info, save_checkpoint
from rsis.model.rsis import RSIS
from rsis.run_config import RunSection, TrainSection
from rsis.train.callbacks import History, Schedule, SignOfLife
from rsis.train.checkpoint_io import AtomicCheckpointIO
from rsis.train.key import run_key
from rsis.train.module import TrainingModule
from rsis.train.processes import rank, share_batch_statistics, trainer_options, world_size
from rsis.train.signals import StopOnRequest, StopRequests, stopped

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainPaths:
    """Where a run reads and writes.

    Attributes:
        processed: Folder with train.h5 and val.h5.
        model: The checkpoint to write.
        history: The folder of figures to write.
        state: The folder for resumable state.
    """

    processed: Path
    model: Path
    history: Path
    state: Path


def train(name: str, run: RunSection, paths: TrainPaths, *, progress: bool = True, fresh: bool = False) -> None:
    """Train a run to its end, from where it stands.

    Args:
        name: Name of the run.
        run: Its section of params.yaml.
        paths: Inputs and outputs.
        progress: Whether to show a progress bar.
        fresh: Forget state of an earlier start with the same key.

    Raises:
        StoppedError: A signal asked the training to stop; called again, it goes on.
        UserError: The data is missing or unreadable, the loss is not finite, the disk is full, or the machine
            does not have the devices asked for.
    """
    is_first = rank(run.train) == 0
    if not is_first:
        _train(name, run, paths, is_first=False, progress=progress, fresh=fresh)
        return
    with held(paths.state / "locks" / f"train-{name}.lock", f"training of {name}"):
        try:
            _train(name, run, paths, is_first=True, progress=progress, fresh=fresh)
        except UserError as error:
            if (paths.state / name).is_dir():
                _note(paths.state / name, str(error))
            raise


def _train(name: str, run: RunSection, paths: TrainPaths, *, is_first: bool, progress: bool, fresh: bool) -> None:
    """Train as `train` does, alone at it; of several processes, the first one writes."""
    splits = {split: PreparedSplit(paths.processed / f"{split}.h5") for split in ("train", "val")}
    key = run_key(run, {split: data.digest for split, data in splits.items()})
    state = paths.state / name / key
    if fresh and is_first:
        shutil.rmtree(state, ignore_errors=True)
    if not fresh and paths.model.is_file() and paths.history.is_dir() and read_info(paths.model).key == key:
        _LOG.info("%s: already trained with these parameters, data and code; nothing to do", name)
        return
    result = state / "model.safetensors"
    if not result.is_file():
        state.mkdir(parents=True, exist_ok=True)
        # Saturated gates decay to denormals, which a CPU handles ten times slower. Threads inherit the
        # setting when they are made, so it comes first; the caller gets its own back.
        torch.set_flush_denormal(True)
        try:
            with StopRequests() as requests:
                _fit(_Training(name, run, splits, key, state), requests, progress=progress, resume=not fresh)
        finally:
            torch.set_flush_denormal(False)
    if not is_first:
        return
    with atomic_path(paths.model) as temporary:
        shutil.copyfile(result, temporary)
    with atomic_folder(paths.history) as temporary:
        shutil.copytree(state / "history", temporary, dirs_exist_ok=True)


@dataclass(frozen=True)
class _Training:
    """One run with what its result depends on, and the folder of its state."""

    name: str
    run: RunSection
    splits: dict[str, PreparedSplit]
    key: str
    state: Path


def _fit(training: _Training, requests: StopRequests, *, progress: bool, resume: bool) -> None:
    section, state = training.run.train, training.state
    pl.seed_everything(section.seed, workers=True, verbose=False)
    module = TrainingModule(RSIS(training.run.model, len(training.splits["train"].class_names) + 1), section)
    if world_size(section) > 1:
        share_batch_statistics(module.network)
    train_loader = _loader(training.splits["train"], section, training=True)
    val_loader = _loader(training.splits["val"], section, training=False)
    history = History(state / "history")
    sampler = train_loader.sampler
    assert isinstance(sampler, EpochSampler)
    callbacks = [history, Schedule(state / "best.safetensors", sampler), SignOfLife(state / "alive.json")]
    trainer = _trainer(section, state, [*callbacks, StopOnRequest(training.name, requests)], progress)
    last = state / "last.ckpt"
    found = last if resume and last.is_file() else None
    if found is not None:
        _LOG.info("%s: going on from %s", training.name, last)
    if rank(section) == 0:
        _note(state.parent, f"{'begins' if found is None else 'goes on'}, key {training.key}")
    try:
        trainer.fit(module, train_loader, val_loader, ckpt_path=found, weights_only=False)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{state}: cannot write ({reason}); free the space, then run again to go on") from error
    except RuntimeError as error:
        if world_size(section) == 1 or not ("gloo" in str(error) or isinstance(error, DistBackendError)):
            raise
        raise StoppedError(
            f"{training.name}: another of its {world_size(section)} processes ended (see its messages); "
            "run the same command again to go on from the last finished epoch"
        ) from error
    except SystemExit as error:  # Lightning's answer to Ctrl-C, and to a SIGTERM before the first step
        if requests.name is not None:
            raise stopped(training.name, requests, module.schedule.epoch) from error
        raise KeyboardInterrupt from error
    if trainer.is_global_zero:
        _save(training, module, trainer, history)


def _loader(split: PreparedSplit, section: TrainSection, *, training: bool) -> DataLoader:
    return make_loader(
        split,
        batch_size=section.batch_size,
        seed=section.seed,
        max_instances=section.max_instances,
        workers=section.workers if training else 0,
        augment=section.augment if training else None,
        shuffle=training,
        share=Share(rank(section), world_size(section)),
    )


def _save(training: _Training, module: TrainingModule, trainer: pl.Trainer, history: History) -> None:
    run, state, data = training.run, training.state, training.splits["train"]
    if run.train.keep == "best":
        module.network.load_state_dict(load_file(state / "best.safetensors"))
    write_json(state / "history" / "run.json", _facts(module, trainer, history.seconds))
    info = CheckpointInfo(
        run=training.name,
        dataset=run.dataset,
        class_names=data.class_names,
        size=data.size,
        model=run.model.model_dump(mode="json"),
        train=run.train.model_dump(mode="json"),
        metrics={key: value for key, value in history.rows[-1].items() if key != "epoch"},
        key=training.key,
    )
    save_checkpoint(state / "model.safetensors", module.network, info)
    _note(state.parent, f"done after {trainer.current_epoch} epochs")


def _trainer(section: TrainSection, state: Path, callbacks: list[pl.Callback], progress: bool) -> pl.Trainer:
    options = trainer_options(section)
    if section.average_decay is not None:
        callbacks.append(EMAWeightAveraging(decay=section.average_decay))
    if progress:
        callbacks.append(RichProgressBar())
    callbacks.append(
        ModelCheckpoint(state, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    )
    return pl.Trainer(
        max_epochs=section.epochs,
        precision="bf16-mixed" if section.precision == "bf16" else "32-true",
        gradient_clip_val=section.clip_norm,
        check_val_every_n_epoch=section.validate_every,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=progress,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=state,
        **{**options, "plugins": [*options["plugins"], AtomicCheckpointIO()]},
    )


def _facts(module: TrainingModule, trainer: pl.Trainer, seconds: float) -> dict[str, Any]:
    """What a reader of the report wants to know of how a number came about."""
    return {
        "epochs": trainer.current_epoch,
        "seconds": round(seconds, 1),  # of finished epochs, in all processes that worked on them
        "parameters": sum(parameter.numel() for parameter in module.network.parameters()),
        "device": str(module.device),
        "precision": str(trainer.precision),
        "devices": module.section.devices,
        "nodes": module.section.nodes,
        "batch_size": module.section.batch_size,  # of all devices on all nodes together
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "rsis": rsis.__version__,
        "commit": _commit(),
        "best_epoch": module.schedule.best_epoch,
    }


def _note(folder: Path, event: str) -> None:
    """Append to the run's events; the log of a cluster's job is deleted when the job is submitted again."""
    job = os.environ.get("SLURM_JOB_ID")
    where = f"{socket.gethostname()}, process {os.getpid()}{f', SLURM job {job}' if job else ''}"
    # the disk may be full, which is said where it matters
    with contextlib.suppress(OSError), (folder / "events.log").open("a", encoding="utf-8") as file:
        file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {where}: {event}\n")


def _commit() -> str | None:
    """Return the git commit of the working folder, with "+changes" when it has uncommitted ones."""
    try:
        revision = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return revision.stdout.strip()[:12] + ("+changes" if changes.stdout.strip() else "")
