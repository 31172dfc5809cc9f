"""The progress of a training: a progress bar on a terminal, a line for each epoch in a file or a pipe.

    demo: epoch 3 of 40, 4 steps, training loss 0.8123, validation loss 0.9001, 12.3 s

Epochs are counted from 1 here, so that the last one is "40 of 40". An epoch without validation has no validation
loss; the time is that of the epoch with its validation.
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
    """Return the callback that shows the progress of the run `name`: a bar if the output is a terminal, else lines."""
    if sys.stdout.isatty() and sys.stderr.isatty():
        return RichProgressBar()
    return EpochLines(name, history)


class EpochLines(pl.Callback):
    """Logs a line at the end of each epoch; it has no effect on the training or its checkpoints.

    Args:
        name: Name of the run.
        history: Source of the epoch's metrics; it must come before this callback in the trainer's list.
    """

    def __init__(self, name: str, history: History) -> None:
        self._name, self._history = name, history
        self._since = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the time at which the epoch starts."""
        self._since = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the line; only the process of rank 0 does."""
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
