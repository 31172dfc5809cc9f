"""A training's sign of life: where it is, for `rsis status` and for whoever looks into its folder.

    state/<run>/<key>/alive.json
    {"epoch": 12, "epochs": 150, "batch": 40, "batches": 410, "best_loss": 0.31, "best_epoch": 10}

Written at most every few seconds; the file's age is the age of the sign. `best_loss` is null before the first
validation.
"""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from rsis.files import write_json
from rsis.train.module import TrainingModule

INTERVAL = 5.0  # seconds between two signs


@dataclass(frozen=True)
class Progress:
    """Where a training is: finished epochs of all, and finished batches of the running epoch."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    best_loss: float | None
    best_epoch: int | None


class SignOfLife(pl.Callback):
    """Writes `Progress`, at every epoch's end and every few seconds between.

    Args:
        path: The file to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = -math.inf

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Write, if the last sign is some seconds old."""
        if trainer.is_global_zero and time.monotonic() - self._last >= INTERVAL:
            self._write(trainer, pl_module, int(trainer.fit_loop.epoch_loop.batch_progress.current.completed))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write; the schedule has moved on to the next epoch."""
        if trainer.is_global_zero:
            self._write(trainer, pl_module, 0)

    def _write(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: int) -> None:
        assert isinstance(pl_module, TrainingModule)
        state = pl_module.schedule
        known = math.isfinite(state.best_loss)
        progress = Progress(
            epoch=state.epoch,
            epochs=pl_module.section.epochs,
            batch=batch,
            batches=int(trainer.num_training_batches),
            best_loss=state.best_loss if known else None,
            best_epoch=state.best_epoch if known else None,
        )
        write_json(self.path, asdict(progress))
        self._last = time.monotonic()
