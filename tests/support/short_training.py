"""A training of some seconds on random images, its outputs, and a callback that kills it."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from support.fake_reader import FakeReader

from rsis.config.runs import RunSection
from rsis.data.prepared.writer import SplitOrigin, write_split
from rsis.train.run import TrainPaths, train

RUN: dict[str, Any] = {
    "dataset": "plants",
    "model": {"backbone": "resnet18", "stride": 8, "hidden_widths": (8, 4), "dropout": 0.2},
    "train": {
        "epochs": 4,
        "batch_size": 2,
        "num_steps": 4,
        "workers": 0,
        "lr": 1e-3,
        "lr_encoder": 1e-4,
        "lr_schedule": "one_cycle",
        "clip_norm": 1.0,
        "augment": {"flip": True, "rotation": 10.0, "brightness": 0.2},
        "objective": {"stop_from_epoch": 2, "class_patience": 1},
        "curriculum": {"start": 2, "every": 1, "stop_after": 0},
    },
    "predict": {"num_steps": 4},
    "score": {"scorers": ("cvppp",)},
}


def run_with(**changes: Any) -> RunSection:
    return RunSection.model_validate({**RUN, "train": {**RUN["train"], **changes}})


def write_processed(folder: Path) -> Path:
    """Write a prepared data set of random images; return its folder."""
    for split, count in (("train", 6), ("val", 3)):
        origin = SplitOrigin("plants", split, "made up")
        write_split(FakeReader(count, objects=4), folder / f"{split}.h5", (32, 32), origin)
    return folder


def paths_in(folder: Path, processed: Path) -> TrainPaths:
    return TrainPaths(processed, folder / "models/demo.safetensors", folder / "history/demo", folder / "state")


def train_quietly(run: RunSection, paths: TrainPaths) -> None:
    train("demo", run, paths, progress=False)


def outputs(paths: TrainPaths) -> dict[str, bytes]:
    """Return the bytes of all outputs of a training that must not depend on interruptions."""
    files = [paths.model, *sorted((paths.history / "plots").rglob("*.tsv")), paths.history / "metrics.json"]
    return {str(path.relative_to(paths.state.parent)): path.read_bytes() for path in files}


class Killed(BaseException):
    """A stand-in for SIGKILL, which no code catches."""


class KillAtEnd(pl.Callback):
    """A callback that raises `Killed` after the first batch of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.current_epoch == self.epoch:
            raise Killed


def train_until(epoch: int, run: RunSection, paths: TrainPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train, and stop in the middle of an epoch as if killed."""
    build = pl.Trainer.__init__

    def with_killer(self: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **{**kwargs, "callbacks": [*kwargs["callbacks"], KillAtEnd(epoch)]})

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(pl.Trainer, "__init__", with_killer)
        train_quietly(run, paths)
