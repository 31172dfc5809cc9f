"""Training of one run: find its data, resume or begin, and leave a checkpoint and a history.

Where things stand while it trains, out of DVC's sight so that DVC cannot delete them:

    state/<run>/<key>/last.ckpt            Lightning's checkpoint after each epoch
    state/<run>/<key>/best.safetensors     weights of the best validation (train.keep: best)
    state/<run>/<key>/history/             dvclive's plots so far
    state/<run>/<key>/model.safetensors    the result, once finished

<key> is a digest of all that the result depends on: parameters, data and source code. A killed run finds its
state again; a run with any of these changed never finds a foreign one.
"""

import hashlib
import logging
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from safetensors.torch import load_file

import rsis
from rsis.config import RunSection, digest_of
from rsis.data.hdf5 import PreparedSplit
from rsis.data.loader import EpochSampler, make_loader
from rsis.errors import UserError
from rsis.files import atomic_folder, atomic_path, write_json
from rsis.model.checkpoint import CheckpointInfo, read_info, save_checkpoint
from rsis.model.rsis import RSIS
from rsis.train.callbacks import History, Schedule
from rsis.train.module import TrainingModule

_LOG = logging.getLogger(__name__)
_SOURCES = ("structures.py", "masks.py", "data", "model", "loss", "train")


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
        UserError: The data is missing or unreadable, the loss is not finite, the disk is full.
    """
    splits = {split: PreparedSplit(paths.processed / f"{split}.h5") for split in ("train", "val")}
    key = run_key(run, {split: data.digest for split, data in splits.items()})
    state = paths.state / name / key
    if fresh:
        shutil.rmtree(state, ignore_errors=True)
    if paths.model.is_file() and paths.history.is_dir() and read_info(paths.model).key == key:
        _LOG.info("%s: already trained with these parameters, data and code; nothing to do", name)
        return
    result = state / "model.safetensors"
    if not result.is_file():
        state.mkdir(parents=True, exist_ok=True)
        # Saturated gates decay to denormals, which a CPU handles ten times slower. Threads inherit the
        # setting when they are made, so it comes first; the caller gets its own back.
        torch.set_flush_denormal(True)
        try:
            _fit(name, run, key, splits, state, progress)
        finally:
            torch.set_flush_denormal(False)
    with atomic_path(paths.model) as temporary:
        shutil.copyfile(result, temporary)
    with atomic_folder(paths.history) as temporary:
        shutil.copytree(state / "history", temporary, dirs_exist_ok=True)


def run_key(run: RunSection, data_digests: dict[str, str]) -> str:
    """Return the digest of all that a training's result depends on."""
    return digest_of(
        {
            "model": run.model.model_dump(mode="json"),
            "train": run.train.model_dump(mode="json"),
            "data": data_digests,
            "code": _source_digest(),
        }
    )


def _fit(name: str, run: RunSection, key: str, splits: dict[str, PreparedSplit], state: Path, progress: bool) -> None:
    section = run.train
    pl.seed_everything(section.seed, workers=True, verbose=False)
    data = splits["train"]
    module = TrainingModule(RSIS(run.model, len(data.class_names) + 1), section)
    train_loader, val_loader = (
        make_loader(
            splits[split],
            batch_size=section.batch_size,
            seed=section.seed,
            max_instances=section.max_instances,
            workers=section.workers if split == "train" else 0,
            augment=section.augment if split == "train" else None,
            shuffle=split == "train",
        )
        for split in ("train", "val")
    )
    history = History(state / "history")
    sampler = train_loader.sampler
    assert isinstance(sampler, EpochSampler)
    trainer = _trainer(run, state, [history, Schedule(state / "best.safetensors", sampler)], progress)
    last = state / "last.ckpt"
    if last.is_file():
        _LOG.info("%s: going on from %s", name, last)
    try:
        trainer.fit(module, train_loader, val_loader, ckpt_path=last if last.is_file() else None, weights_only=False)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{state}: cannot write ({reason}); free the space, then run again to go on") from error
    except SystemExit as error:  # Lightning's answer to Ctrl-C
        raise KeyboardInterrupt from error
    if section.keep == "best":
        module.network.load_state_dict(load_file(state / "best.safetensors"))
    metrics = {key: value for key, value in history.rows[-1].items() if key != "epoch"}
    write_json(state / "history" / "run.json", _facts(module, trainer, history.seconds))
    info = CheckpointInfo(
        run=name,
        dataset=run.dataset,
        class_names=data.class_names,
        size=data.size,
        model=run.model.model_dump(mode="json"),
        train=section.model_dump(mode="json"),
        metrics=metrics,
        key=key,
    )
    save_checkpoint(state / "model.safetensors", module.network, info)


def _trainer(run: RunSection, state: Path, callbacks: list[pl.Callback], progress: bool) -> pl.Trainer:
    section = run.train
    if section.average_decay is not None:
        callbacks.append(EMAWeightAveraging(decay=section.average_decay))
    if progress:
        callbacks.append(RichProgressBar())
    callbacks.append(
        ModelCheckpoint(state, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    )
    return pl.Trainer(
        max_epochs=section.epochs,
        accelerator="auto",
        devices=1,
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
    )


def _facts(module: TrainingModule, trainer: pl.Trainer, seconds: float) -> dict[str, Any]:
    """What a reader of the report wants to know of how a number came about."""
    return {
        "epochs": trainer.current_epoch,
        "seconds": round(seconds, 1),  # of finished epochs, in all processes that worked on them
        "parameters": sum(parameter.numel() for parameter in module.network.parameters()),
        "device": str(module.device),
        "precision": str(trainer.precision),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "rsis": rsis.__version__,
        "commit": _commit(),
        "best_epoch": module.schedule.best_epoch,
    }


def _source_digest() -> str:
    root = Path(rsis.__file__).parent
    digest = hashlib.sha256()
    for source in _SOURCES:
        files = [root / source] if source.endswith(".py") else sorted((root / source).rglob("*.py"))
        for file in files:
            digest.update(file.relative_to(root).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _commit() -> str | None:
    """Return the git commit of the working folder, with "+changes" when it has uncommitted ones."""
    try:
        revision = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return revision.stdout.strip()[:12] + ("+changes" if changes.stdout.strip() else "")
