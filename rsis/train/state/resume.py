"""Find the newest undamaged checkpoint or result in the state of a training."""

import logging
import pickle
import shutil
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError, safe_open

from rsis.checkpoint.file import load_checkpoint
from rsis.checkpoint.info import read_info
from rsis.errors import UserError
from rsis.files.atomic import read_json
from rsis.files.durable import sweep
from rsis.train.state.files import forget, is_whole, put_back

_LOG = logging.getLogger(__name__)
LAST, PREVIOUS, BEST, RESULT = "last.ckpt", "previous.ckpt", "best.safetensors", "model.safetensors"
PRECISION = "precision.txt"
_FILES = (LAST, PREVIOUS, BEST, RESULT, PRECISION, "history", "alive.json")


def sweep_state(state: Path) -> None:
    """Remove the temporary files that killed processes left in a state; the caller must have locked the run."""
    sweep(*(state / f"{name}{end}" for name in _FILES for end in ("", ".sha256")))


def is_published(model: Path, history: Path, key: str) -> bool:
    """Return whether a run's outputs exist, can be read, and belong to the training with this key."""
    if not model.is_file() or not history.is_dir():
        return False
    try:
        if (history / "run.json").exists():
            _read_facts(history)
        return read_info(model).key == key
    except UserError as error:
        _LOG.warning("%s; it counts as not there", error)
        return False


def is_finished(state: Path) -> bool:
    """Return whether the result and its history are in the state and undamaged; both are read."""
    if not is_whole(state / RESULT) or not is_whole(state / "history"):
        return False
    try:
        load_checkpoint(state / RESULT)
        _read_facts(state / "history")
    except UserError as error:
        _LOG.warning("%s; it counts as not there", error)
        return False
    return True


def newest_checkpoint(state: Path, keep: str) -> Path | None:
    """Return the path of the checkpoint to resume from, or None to start from the beginning.

    It is the last checkpoint, or the previous one if the last is damaged; that one is then moved to the path of the
    last. With `train.keep: best` the best weights must be undamaged too, unless the checkpoint is older than the first
    of them. If no checkpoint can be used, the state is removed.

    Args:
        state: The folder of the training's state.
        keep: `train.keep` of the run.
    """
    for path in (state / LAST, state / PREVIOUS):
        schedule = _schedule_of(path)
        if schedule is None:
            continue
        if keep == "best" and schedule["best_epoch"] >= 0 and not _best_is_whole(state / BEST):
            continue
        if path.name == PREVIOUS:
            _LOG.warning("%s: going on from the epoch before", path)
            put_back(path, state / LAST)
        return state / LAST
    if any((state / name).exists() for name in (LAST, PREVIOUS)):
        _LOG.warning("%s: no checkpoint can be used; the training begins anew", state)
    for name in (LAST, PREVIOUS, BEST, RESULT, PRECISION):
        forget(state / name)
    shutil.rmtree(state / "history", ignore_errors=True)
    return None


def _schedule_of(path: Path) -> dict[str, Any] | None:
    """Return the state of the schedule in a checkpoint, or None if that is missing or damaged."""
    if not is_whole(path):
        return None
    try:
        # memory-mapped, since most of the file is not needed
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        schedule = found["rsis_schedule"]
        if "pytorch-lightning_version" in found and isinstance(schedule["best_epoch"], int):
            return dict(schedule)
        reason = "it is none of a training"
    except (
        OSError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        pickle.UnpicklingError,
        BadZipFile,
    ) as e:
        reason = " ".join(str(e).split())[:120]
    _LOG.warning("%s: cannot be read (%s); it counts as not there", path, reason)
    return None


def _best_is_whole(path: Path) -> bool:
    if not path.exists():
        _LOG.warning("%s: is missing", path)
        return False
    if not is_whole(path):
        return False
    try:
        with safe_open(path, framework="pt") as file:
            return bool(file.keys())
    except (SafetensorError, OSError) as error:
        _LOG.warning("%s: cannot be read (%s); it counts as not there", path, error)
        return False


def _read_facts(history: Path) -> None:
    read_json(history / "run.json", dict[str, Any], "it is written when the training ends")
