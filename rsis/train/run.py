"""Training of one run: read its data, start or resume the training, write its checkpoint and its history.

The state of a training is not an output of the DVC stage, because DVC would delete it before the stage runs:

    state/<run>/events.log                 time and place of each start, resumption, stop and end; append-only
    state/<run>/<key>/last.ckpt            Lightning's checkpoint after each epoch
    state/<run>/<key>/previous.ckpt        the checkpoint of the epoch before
    state/<run>/<key>/precision.txt        the number format that `train.precision: auto` came to at the first start
    state/<run>/<key>/best.safetensors     weights of the best validation (train.keep: best)
    state/<run>/<key>/history/             metrics of the epochs so far
    state/<run>/<key>/alive.json           heartbeat: the progress, written every few seconds
    state/<run>/<key>/model.safetensors    the result, once finished
    state/<run>/<key>/<name>.sha256        digests of these files and of history/ (`rsis.train.state.files`)

<key> is a digest of everything that the result depends on: parameters, data and source code. A killed run finds its
state again; a run with other parameters, data or code has another key, and so another folder.
"""

import contextlib
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar
from torch.utils.data import DataLoader

from rsis.checkpoint.info import check_own
from rsis.config.runs import RunSection, TrainSection
from rsis.data.prepared.file import PreparedSplit
from rsis.errors import StoppedError, UserError
from rsis.files.atomic import check_replaceable
from rsis.files.durable import sweep
from rsis.machine.lock import locked
from rsis.machine.precision import denormals_flushed
from rsis.model.any import make_network
from rsis.train.averaging import RunningMean
from rsis.train.batches import EpochSampler, Share, make_loader
from rsis.train.budget import Budget
from rsis.train.callbacks import Heartbeat, History, Schedule
from rsis.train.epoch_lines import progress_display
from rsis.train.module import TrainingModule
from rsis.train.processes import (
    LeaderDecision,
    end_others,
    is_lost_connection,
    rank,
    share_batch_statistics,
    trainer_options,
    world_size,
)
from rsis.train.schedule import out_of_reach
from rsis.train.state.checkpoint_io import AtomicCheckpointIO
from rsis.train.state.key import run_key
from rsis.train.state.record import Training, note, publish, save_result, settle_precision
from rsis.train.state.resume import BEST, LAST, is_finished, is_published, newest_checkpoint, sweep_state
from rsis.train.stop import StopOnRequest, StopRequests, stopped
from rsis.train.validation import check_validation, open_splits

_LOG = logging.getLogger(__name__)
_NOTHING, _RESUME, _BEGIN = "nothing", "resume", "begin"  # the decisions of rank 0


@dataclass(frozen=True)
class TrainPaths:
    """The files and folders that a training reads and writes.

    Attributes:
        processed: Folder with train.h5 and, unless the data set has no split val, val.h5.
        model: The checkpoint to write.
        history: The folder of metrics to write.
        state: The folder for the resumable state of all runs.
    """

    processed: Path
    model: Path
    history: Path
    state: Path


def train(name: str, run: RunSection, paths: TrainPaths, *, progress: bool = True, fresh: bool = False) -> None:
    """Train a run to its end; resume it if there is state of an earlier start with the same key.

    Args:
        name: Name of the run.
        run: Its section of params.yaml.
        paths: Inputs and outputs.
        progress: Whether to show the progress, as a bar or as a line for each epoch.
        fresh: Delete the state of an earlier start with the same key, and start over.

    Raises:
        StoppedError: A signal stopped the training; the same call resumes it.
        UserError: The data is missing or unreadable, the loss is not finite, the disk is full, the machine has
            fewer devices than `train.devices`, or writing a result would replace a file that rsis did not write.
    """
    with StopRequests() as requests:
        decision = LeaderDecision(run.train)
        if rank(run.train) > 0:
            _follow(name, run, paths, decision, requests)
            return
        lock = paths.state / "locks" / f"train-{name}.lock"
        with locked(lock, f"training of {name}", lambda: requests.name is not None):
            try:
                _lead(name, run, paths, decision, requests, progress=progress, fresh=fresh)
            except UserError as error:
                if (paths.state / name).is_dir():
                    note(paths.state / name, str(error))
                raise


def _follow(name: str, run: RunSection, paths: TrainPaths, decision: LeaderDecision, requests: StopRequests) -> None:
    """Train as rank 0 decides, on a process of another rank; rank 0 alone writes."""
    decided = decision.wait()
    if decided == _NOTHING:
        return
    # after a signal, rank 0 reports the stop; a second non-zero exit code from here would count as a failure
    with contextlib.suppress(StoppedError):
        training = _training(name, run, paths)
        _fit(training, requests, progress=False, resume=training.state / LAST if decided == _RESUME else None)


def _lead(
    name: str,
    run: RunSection,
    paths: TrainPaths,
    decision: LeaderDecision,
    requests: StopRequests,
    *,
    progress: bool,
    fresh: bool,
) -> None:
    """Start or resume the training, as rank 0 or as a single process, and publish the result."""
    check_replaceable(paths.history, "train")  # fail now, and not after hours of training
    check_own(paths.model)
    training = _training(name, run, paths)
    check_validation(name, run, training.splits)
    state = training.state
    sweep(paths.model, paths.history)
    sweep_state(state)
    if fresh:
        shutil.rmtree(state, ignore_errors=True)
    elif is_published(paths.model, paths.history, training.key):
        decision.publish(_NOTHING)
        _LOG.info("%s: already trained with these parameters, data and code; nothing to do", name)
        return
    if is_finished(state):
        decision.publish(_NOTHING)
    else:
        last = newest_checkpoint(state, run.train.keep)
        state.mkdir(parents=True, exist_ok=True)
        settle_precision(training)  # the other processes read it
        decision.publish(_BEGIN if last is None else _RESUME)
        note(state.parent, f"{'begins' if last is None else 'goes on'}, key {training.key}")
        for fault in out_of_reach(run.train, validated="val" in training.splits):
            _LOG.warning("%s: %s", name, fault)
        _fit(training, requests, progress=progress, resume=last)
    publish(state, paths.model, paths.history)


def _training(name: str, run: RunSection, paths: TrainPaths) -> Training:
    splits = open_splits(paths.processed)
    key = run_key(run, {split: data.digest for split, data in splits.items()})
    return Training(name, run, splits, key, paths.state / name / key)


def _fit(training: Training, requests: StopRequests, *, progress: bool, resume: Path | None) -> None:
    with denormals_flushed():
        _fit_with_lightning(training, requests, progress=progress, resume=resume)


def _fit_with_lightning(training: Training, requests: StopRequests, *, progress: bool, resume: Path | None) -> None:
    training = settle_precision(training)
    section, state = training.run.train, training.state
    pl.seed_everything(section.seed, workers=True, verbose=False)
    module = TrainingModule(make_network(training.run.model, len(training.splits["train"].class_names) + 1), section)
    if world_size(section) > 1:
        share_batch_statistics(module.network)
    train_loader = _loader(training.splits["train"], section, training=True)
    val_loader = _loader(training.splits["val"], section, training=False) if "val" in training.splits else None
    sampler = train_loader.sampler
    assert isinstance(sampler, EpochSampler)
    schedule = Schedule(state / BEST, sampler)
    history = History(state / "history", schedule)
    callbacks = [Budget(section), history, schedule, Heartbeat(state / "alive.json")]
    shown = [progress_display(training.name, history)] if progress else []
    trainer = _trainer(section, state, [*callbacks, *shown, StopOnRequest(training.name, requests)])
    if resume is not None and trainer.is_global_zero:
        _LOG.info("%s: going on from %s", training.name, resume)
    try:
        trainer.fit(module, train_loader, val_loader, ckpt_path=resume, weights_only=True)
    except OSError as error:
        end_others(trainer)
        reason = error.strerror or error
        raise UserError(f"{state}: cannot write ({reason}); free the space, then run again to go on") from error
    except SystemExit as error:  # Lightning's answer to Ctrl-C, and to a SIGTERM before the first step
        if requests.name is not None:
            raise stopped(training.name, requests, module.schedule.epoch) from error
        raise KeyboardInterrupt from error
    except UserError as error:
        if not isinstance(error, StoppedError):  # which all processes raise at the same step
            end_others(trainer)
        raise
    except RuntimeError as error:
        end_others(trainer)
        if world_size(section) == 1 or not is_lost_connection(error):
            raise
        raise StoppedError(
            f"{training.name}: its processes lost each other ({str(error).splitlines()[0]}); see their messages, "
            "then run the same command again to go on from the last finished epoch"
        ) from error
    if trainer.is_global_zero:
        save_result(training, module, trainer, history)


def _loader(split: PreparedSplit, section: TrainSection, *, training: bool) -> DataLoader:
    return make_loader(
        split,
        batch_size=section.batch_size,
        seed=section.seed,
        max_instances=section.max_instances,
        order=section.order,
        workers=section.workers if training else 0,
        augment=section.augment if training else None,
        shuffle=training,
        share=Share(rank(section), world_size(section)),
    )


def _trainer(section: TrainSection, state: Path, callbacks: list[pl.Callback]) -> pl.Trainer:
    options = trainer_options(section)
    if section.average_decay is not None:
        callbacks.append(RunningMean(section.average_decay))
    callbacks.append(
        ModelCheckpoint(state, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    )
    return pl.Trainer(
        max_epochs=section.epochs or -1,  # -1: until `Budget` says so
        precision="bf16-mixed" if section.precision == "bf16" else "32-true",
        gradient_clip_val=section.clip_norm,
        check_val_every_n_epoch=section.validate_every,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=state,
        **{**options, "plugins": [*options["plugins"], AtomicCheckpointIO()]},
    )
