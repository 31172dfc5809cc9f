"""Training of one run: find its data, resume or begin, and leave a checkpoint and a history.

Where things stand while it trains, out of DVC's sight so that DVC cannot delete them:

    state/<run>/events.log                 when and where it began, went on, was stopped and ended; only grows
    state/<run>/<key>/last.ckpt            Lightning's checkpoint after each epoch
    state/<run>/<key>/previous.ckpt        that of the epoch before
    state/<run>/<key>/best.safetensors     weights of the best validation (train.keep: best)
    state/<run>/<key>/history/             figures of the epochs so far
    state/<run>/<key>/alive.json           where it is, every few seconds
    state/<run>/<key>/model.safetensors    the result, once finished
    state/<run>/<key>/<name>.sha256        digests of these files and of history/ (`rsis.train.state.files`)

<key> is a digest of all that the result depends on: parameters, data and source code. A killed run finds its
state again; a run with any of these changed never finds a foreign one.
"""

import contextlib
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint, ProgressBar
from torch.utils.data import DataLoader

from rsis.checkpoint.file import check_own
from rsis.config.runs import RunSection, TrainSection
from rsis.data.prepared.file import PreparedSplit
from rsis.errors import StoppedError, UserError
from rsis.files.atomic import check_replaceable
from rsis.files.durable import sweep
from rsis.machine.lock import locked
from rsis.model.any import make_network
from rsis.train.batches import EpochSampler, Share, make_loader
from rsis.train.budget import Budget
from rsis.train.callbacks import History, Schedule, SignOfLife
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
from rsis.train.state.record import Training, note, publish, save_result
from rsis.train.state.resume import BEST, LAST, is_finished, is_published, newest_checkpoint, sweep_state
from rsis.train.stop import StopOnRequest, StopRequests, stopped

_LOG = logging.getLogger(__name__)
# decisions of the first of several processes
_NOTHING, _RESUME, _BEGIN = "nothing", "resume", "begin"


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
        progress: Whether to show how far it is, by a bar or a line for each epoch.
        fresh: Forget state of an earlier start with the same key.

    Raises:
        StoppedError: A signal asked the training to stop; called again, it goes on.
        UserError: The data is missing or unreadable, the loss is not finite, the disk is full, the machine
            does not have the devices asked for, or a result's place is taken by what rsis did not write.
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
    """Do what the first of several processes decides; messages and files are its task."""
    decided = decision.wait()
    if decided == _NOTHING:
        return
    # the first one's answer to a signal is the training's: another exit code here would count as a failure
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
    """Find out where the run stands, train it from there and publish the result."""
    check_replaceable(paths.history)  # before hours of training
    check_own(paths.model)
    training = _training(name, run, paths)
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
        decision.publish(_BEGIN if last is None else _RESUME)
        note(state.parent, f"{'begins' if last is None else 'goes on'}, key {training.key}")
        for fault in out_of_reach(run.train):
            _LOG.warning("%s: %s", name, fault)
        _fit(training, requests, progress=progress, resume=last)
    publish(state, paths.model, paths.history)


def _training(name: str, run: RunSection, paths: TrainPaths) -> Training:
    splits = {split: PreparedSplit(paths.processed / f"{split}.h5") for split in ("train", "val")}
    key = run_key(run, {split: data.digest for split, data in splits.items()})
    return Training(name, run, splits, key, paths.state / name / key)


def _fit(training: Training, requests: StopRequests, *, progress: bool, resume: Path | None) -> None:
    # Saturated gates decay to denormals, which a CPU handles ten times slower. Threads inherit the setting when
    # they are made, so it comes first; the caller gets its own back.
    torch.set_flush_denormal(True)
    try:
        _fit_with_lightning(training, requests, progress=progress, resume=resume)
    finally:
        torch.set_flush_denormal(False)


def _fit_with_lightning(training: Training, requests: StopRequests, *, progress: bool, resume: Path | None) -> None:
    section, state = training.run.train, training.state
    pl.seed_everything(section.seed, workers=True, verbose=False)
    module = TrainingModule(make_network(training.run.model, len(training.splits["train"].class_names) + 1), section)
    if world_size(section) > 1:
        share_batch_statistics(module.network)
    train_loader = _loader(training.splits["train"], section, training=True)
    val_loader = _loader(training.splits["val"], section, training=False)
    sampler = train_loader.sampler
    assert isinstance(sampler, EpochSampler)
    schedule = Schedule(state / BEST, sampler)
    history = History(state / "history", schedule)
    callbacks = [Budget(section), history, schedule, SignOfLife(state / "alive.json")]
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
    except StoppedError:  # the others have agreed to it
        raise
    except UserError:
        end_others(trainer)
        raise
    except RuntimeError as error:
        end_others(trainer)
        if world_size(section) == 1 or not is_lost_connection(error):
            raise
        reason = str(error).splitlines()[0]
        raise StoppedError(
            f"{training.name}: its {world_size(section)} processes lost each other ({reason}); see their messages, "
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
        callbacks.append(EMAWeightAveraging(decay=section.average_decay))
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
