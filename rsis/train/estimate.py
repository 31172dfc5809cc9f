"""How long a training takes on this machine, measured by a few of its steps, whose result is thrown away.

The steps are those at full length: all decoder steps and all loss terms, with the backbone trained. An epoch takes
steps times seconds a step; a validated one also takes the forward pass of the validation images, for which a third of
a training step's time is assumed (docs/cost.md). Checkpoints are not part of the estimate.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from rsis.config.runs import RunSection, TrainSection
from rsis.data.prepared.file import PreparedSplit
from rsis.machine.precision import denormals_flushed, settle
from rsis.machine.progress import duration
from rsis.model.any import make_network
from rsis.structures import Batch
from rsis.train.batches import make_loader
from rsis.train.module import TrainingModule
from rsis.train.processes import trainer_options, world_size

_FORWARD_SHARE = 1 / 3  # of a step's time, for images that are only validated; assumed


@dataclass(frozen=True)
class Pace:
    """The pace of a training.

    Attributes:
        step: Seconds of an optimiser step, with the loading of its batch.
        steps: Number of steps in an epoch.
        epochs: Number of epochs; None for a training of `minutes`.
        minutes: Length of the training in minutes; None for a training of `epochs`.
        timed: Number of steps that were timed.
        validation: Seconds of a validation; 0 if it is not known.
        validate_every: Epochs from one validation to the next.
        memory: Peak memory of the process so far, in MiB: resident memory, on a GPU the memory that torch allocated;
            None if it is not known.
    """

    step: float
    steps: int
    epochs: int | None
    minutes: float | None
    timed: int
    validation: float = 0.0
    validate_every: int = 1
    memory: float | None = None

    @property
    def epoch(self) -> float:
        """Seconds of an epoch, with its part of a validation."""
        return self.step * self.steps + self.validation / self.validate_every

    @property
    def total(self) -> float:
        """Seconds of the whole training."""
        return self.epoch * self.epochs if self.epochs is not None else 60 * (self.minutes or 0.0)

    def rows(self) -> dict[str, str]:
        """Return the estimate as text, by label."""
        length = "train.minutes" if self.epochs is None else f"{self.epochs} epochs"
        plural = "" if self.steps == 1 else "s"
        checked = ""
        if self.validation:
            every = "" if self.validate_every == 1 else f" every {self.validate_every} epochs"
            checked = f" and {duration(self.validation)} of validation{every}"
        return {
            "a step": f"{self.step:.2f} s, mean of {self.timed}",
            "an epoch": f"{duration(self.epoch)}, {self.steps} step{plural}{checked}",
            "the training": f"{duration(self.total)}, {length}",
            **({} if self.memory is None else {"peak memory": f"{self.memory / 1024:.1f} GiB"}),
        }


def estimate(run: RunSection, split: PreparedSplit, steps: int = 20, validated: int = 0) -> Pace:
    """Time the first steps of a training on its prepared pictures.

    Args:
        run: The run's section of params.yaml. Of more than one process, the part of a batch of one is timed.
        split: The prepared split train.
        steps: How many steps are timed, after one that is not.
        validated: Number of validation images.

    Raises:
        UserError: A picture cannot be read, or the pictures do not suit `train.augment`.
    """
    alone = _alone(run.train)
    loader = make_loader(
        split,
        batch_size=alone.batch_size,
        seed=alone.seed,
        max_instances=alone.max_instances,
        order=alone.order,
        workers=alone.workers,
        augment=alone.augment,
        shuffle=True,
    )
    times = _time(run, alone, loader, len(split.class_names) + 1, steps + 1, float("inf"))
    return _pace(run, times, len(split), validated)


def estimate_without_data(
    run: RunSection,
    size: tuple[int, int],
    num_classes: int,
    num_images: int,
    num_objects: int,
    *,
    steps: int = 3,
    seconds: float = 10.0,
) -> Pace:
    """Time the first steps of a training on random pictures; no data is needed.

    Args:
        run: The run's section of params.yaml.
        size: (H, W) of the network's input.
        num_classes: K, the data set's classes and class 0.
        num_images: Number of images to train on.
        num_objects: Objects of the fullest image of a usual batch, at least 1.
        steps: Most steps; the first one is not timed unless it is the only one.
        seconds: After these no further step begins.
    """
    alone = _alone(run.train)
    num_objects = max(1, min(num_objects, alone.max_instances))
    batch = _random_batch(min(alone.batch_size, num_images), num_objects, size, num_classes)
    times = _time(run, alone, DataLoader([batch] * steps, batch_size=None), num_classes, steps, seconds)  # type: ignore[arg-type]
    return _pace(run, times, num_images)


class _Stopwatch(pl.Callback):
    """Times each step from the end of the one before, and ends the training after some steps or seconds."""

    def __init__(self, steps: int, seconds: float) -> None:
        self.times: list[float] = []
        self._steps, self._seconds, self._since = steps, seconds, 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # the step may still be running on the GPU
        now = time.monotonic()
        self.times.append(now - self._since)
        self._since = now
        trainer.should_stop = len(self.times) >= self._steps or sum(self.times) >= self._seconds


def _time(
    run: RunSection, alone: TrainSection, loader: Iterable[Batch], num_classes: int, steps: int, seconds: float
) -> list[float]:
    """Return the seconds of each step of a training that ends after so many steps or seconds."""
    module = TrainingModule(make_network(run.model, num_classes, pretrained=False), alone)
    module.schedule = replace(
        module.schedule, num_steps=alone.num_steps, use_class=True, use_stop=True, update_encoder=True
    )
    stopwatch = _Stopwatch(steps, seconds)
    in_bf16 = settle(alone.precision, torch.device("cuda" if torch.cuda.is_available() else "cpu")) == "bf16"
    trainer = pl.Trainer(
        max_steps=steps,
        precision="bf16-mixed" if in_bf16 else "32-true",
        gradient_clip_val=alone.clip_norm,
        limit_val_batches=0,
        callbacks=[stopwatch],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **trainer_options(alone),
    )
    try:
        with denormals_flushed():
            trainer.fit(module, loader)
    except SystemExit as error:  # Lightning's answer to Ctrl-C
        raise KeyboardInterrupt from error
    return stopwatch.times


def _alone(section: TrainSection) -> TrainSection:
    """Return the part of one process in a training."""
    part = max(1, section.batch_size // world_size(section))
    return section.model_copy(update={"devices": 1, "nodes": 1, "batch_size": part})


def _pace(run: RunSection, times: list[float], num_images: int, validated: int = 0) -> Pace:
    """Return the pace by timed steps; the first step also allocates memory, and counts only if there is no other."""
    known = times[1:] or times
    steps = max(1, num_images // run.train.batch_size)
    step = sum(known) / len(known)
    return Pace(
        step=step,
        steps=steps,
        epochs=run.train.epochs,
        minutes=run.train.minutes,
        timed=len(known),
        validation=_FORWARD_SHARE * step * validated / run.train.batch_size,
        validate_every=run.train.validate_every,
        memory=_peak_mib(),
    )


def _peak_mib() -> float | None:
    """Return the largest memory of this process so far, in MiB, on a GPU that of torch there; None on Windows."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    if sys.platform == "win32":
        return None
    import resource  # not on Windows

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10  # bytes there, KiB elsewhere


def _random_batch(num_images: int, num_objects: int, size: tuple[int, int], num_classes: int) -> Batch:
    """Return images of noise; the objects are upright strips that share the width of the image."""
    generator = torch.Generator().manual_seed(0)
    owner = torch.arange(size[1]) * num_objects // size[1]  # [W]
    strips = (owner == torch.arange(num_objects)[:, None])[:, None, :].expand(num_objects, *size)
    shape = (num_images, num_objects)
    return Batch(
        images=torch.randint(0, 256, (num_images, 3, *size), dtype=torch.uint8, generator=generator),
        target_masks=strips.expand(num_images, *strips.shape).clone(),
        class_ids=torch.randint(1, num_classes, shape, generator=generator),
        num_instances=torch.full((num_images,), num_objects),
        valid=torch.ones(num_images, *size, dtype=torch.bool),
    )
