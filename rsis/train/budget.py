"""How much of a training is done: epochs of all epochs, or minutes of a budget (`train.minutes`)."""

import time
from typing import Any

import lightning.pytorch as pl

from rsis.config.runs import TrainSection
from rsis.train.module import TrainingModule


class Budget(pl.Callback):
    """Counts the time of training steps against `train.minutes`, and ends the training when it is spent.

    The processor time of all threads of this process on a CPU, so that a busy machine trains as long as an idle one;
    elapsed time on other devices. Validation does not count. What is spent is in the training checkpoint: a resumed run
    goes on with the rest. Of several processes the first one decides.

    Args:
        section: Of the run; with `epochs` in place of `minutes` nothing is counted.
    """

    def __init__(self, section: TrainSection) -> None:
        self.seconds = None if section.minutes is None else section.minutes * 60
        self._since = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count."""
        self._since = _now(pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Add a step's time; after the last one the epoch ends early, with its validation."""
        assert isinstance(pl_module, TrainingModule)
        if self.seconds is None:
            return
        now = _now(pl_module)
        spent, self._since = pl_module.spent + now - self._since, now
        pl_module.spent = float(trainer.strategy.broadcast(spent))
        if pl_module.spent >= self.seconds:
            trainer.should_stop = True
            trainer.check_val_every_n_epoch = 1

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Store the time."""
        assert isinstance(pl_module, TrainingModule)
        checkpoint["rsis_spent"] = pl_module.spent

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore the time."""
        assert isinstance(pl_module, TrainingModule)
        pl_module.spent = float(checkpoint.get("rsis_spent", 0.0))


def _now(module: pl.LightningModule) -> float:
    return time.process_time() if module.device.type == "cpu" else time.monotonic()
