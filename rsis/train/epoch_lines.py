"""How far a training is: a bar on a terminal, a line for each epoch in a file or a pipe.

    demo: epoch 3 of 40, 4 steps, training loss 0.8123, validation loss 0.9001, 12.3 s

Epochs are counted from 1 here, so that the last one is "40 of 40". Without a validation its loss is left out; the
time is the epoch's with its validation.
"""

import logging
import sys
import time

import lightning.pytorch as pl
from lightning.pytorch.callbacks import RichProgressBar

from rsis.train.callbacks import History
from rsis.train.module import TrainingModule

_LOG = logging.getLogger(__name__)


def progress_display(name: str, history: History) -> pl.Callback:
    """Return what shows how far the training `name` is, fit for where the program's output goes."""
    if sys.stdout.isatty() and sys.stderr.isatty():
        return RichProgressBar()
    return EpochLines(name, history)


class EpochLines(pl.Callback):
    """Says a line at each epoch's end; has no part in the training or its checkpoints.

    Args:
        name: Of the run.
        history: Has the epoch's figures; it stands before this callback.
    """

    def __init__(self, name: str, history: History) -> None:
        self._name, self._history = name, history
        self._since = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the time."""
        self._since = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say it; of several processes, the first one does."""
        assert isinstance(pl_module, TrainingModule)
        if not trainer.is_global_zero:
            return
        row = self._history.rows[-1]
        steps = int(row["schedule/num_steps"])
        parts = [
            _where(int(row["epoch"]) + 1, pl_module),
            f"{steps} step{'s' * (steps != 1)}",
            f"training loss {row['train/total']:.4f}",
        ]
        if "val/total" in row:
            parts.append(f"validation loss {row['val/total']:.4f}")
        _LOG.info("%s: %s, %.1f s", self._name, ", ".join(parts), time.monotonic() - self._since)


def _where(epoch: int, module: TrainingModule) -> str:
    if module.section.epochs is not None:
        return f"epoch {epoch} of {module.section.epochs}"
    return f"epoch {epoch}, {module.spent / 60:.1f} of {module.section.minutes:g} minutes"
