"""Lightning callbacks: the schedule with the best weights, the history, and the heartbeat."""

import math
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from safetensors.torch import save

from rsis.files.atomic import write_json
from rsis.train.batches import EpochSampler
from rsis.train.figures import FigureFiles
from rsis.train.module import TrainingModule
from rsis.train.schedule import ScheduleState, advance
from rsis.train.state.files import write_state
from rsis.train.state.heartbeat import Progress

_INTERVAL = 5.0  # least seconds between two heartbeats


class Schedule(pl.Callback):
    """Advances `TrainingModule.schedule` after each epoch, and keeps the weights of the best validation.

    Its whole state is in the training checkpoint, so a resumed run continues exactly as an uninterrupted one.

    Args:
        best_path: The file for the best weights so far.
        sampler: Sampler of the training data. In a resumed run the workers prefetch before Lightning has set the
            sampler's epoch, so this callback sets it first.
    """

    def __init__(self, best_path: Path, sampler: EpochSampler) -> None:
        self.best_path = best_path
        self.sampler = sampler
        self.has_validated = False  # whether the running epoch ended with a validation
        self._validated: dict[str, torch.Tensor] | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Apply the schedule and seed the random numbers of the epoch."""
        assert isinstance(pl_module, TrainingModule)
        # Lightning reads this at the end of each epoch; the last epoch is always validated
        last = pl_module.current_epoch + 1 == pl_module.section.epochs
        trainer.check_val_every_n_epoch = 1 if last else pl_module.section.validate_every
        self.has_validated = False
        pl_module.network.backbone.requires_grad_(pl_module.schedule.update_encoder)
        # dropout draws from the global generator: a seed for each epoch makes a resumed run equal an uninterrupted one
        torch.manual_seed(
            pl_module.section.seed * 100_003 + pl_module.current_epoch + pl_module.global_rank * 1_000_003
        )

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep a copy of the validated weights (with weight averaging, of the averaged ones)."""
        assert isinstance(pl_module, TrainingModule)
        self.has_validated = True
        if not trainer.sanity_checking and pl_module.section.keep == "best":
            self._validated = {
                k: v.detach().cpu().contiguous().clone() for k, v in pl_module.network.state_dict().items()
            }

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Advance the schedule with the epoch's validation loss; stop the trainer when the schedule is finished."""
        assert isinstance(pl_module, TrainingModule)
        before = pl_module.schedule
        loss = float(trainer.callback_metrics["val/total"]) if self.has_validated else None
        after = advance(before, loss, pl_module.section)
        if pl_module.section.minutes is not None and pl_module.fraction >= 1:
            after = replace(after, finished=True)
        improved = loss is not None and loss < before.best_loss - pl_module.section.min_delta
        if improved and self._validated is not None and trainer.is_global_zero:
            write_state(self.best_path, save(self._validated))
        pl_module.schedule = after
        if after.finished:
            trainer.should_stop = True

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Store the schedule's state."""
        assert isinstance(pl_module, TrainingModule)
        checkpoint["rsis_schedule"] = asdict(pl_module.schedule)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore the schedule's state."""
        assert isinstance(pl_module, TrainingModule)
        pl_module.schedule = ScheduleState(**checkpoint["rsis_schedule"])
        self.sampler.set_epoch(pl_module.schedule.epoch)
        if pl_module.schedule.finished:  # the process was killed after the last epoch, before it wrote the result
            trainer.should_stop = True


class History(pl.Callback):
    """A row of metrics for each epoch, and the training time; both are stored in the training checkpoint.

    The rows are also written to files for DVC's plots. A resumed run drops the rows that a killed process wrote after
    its last checkpoint, so its files equal those of an uninterrupted run.

    Args:
        folder: Of the files (`FigureFiles`); made anew at the start.
        schedule: Knows whether an epoch was validated.
    """

    def __init__(self, folder: Path, schedule: Schedule) -> None:
        self.folder = folder
        self._schedule = schedule
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0  # wall-clock time of the epochs in `rows`, also of those before the training was resumed
        self._since = 0.0
        self._files: FigureFiles | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the rows of the epochs already done; only the process of rank 0 writes."""
        self._since = time.monotonic()
        if trainer.is_global_zero:
            self.write_files()

    def write_files(self) -> None:
        """Replace the files by those of all rows."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._files = FigureFiles(self.folder)
        for row in self.rows:
            self._write(row)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the epoch's row: losses, schedule and learning rate."""
        assert isinstance(pl_module, TrainingModule)
        state = pl_module.schedule
        row = {key: float(value) for key, value in trainer.callback_metrics.items() if "/" in key}
        if not self._schedule.has_validated:
            # Lightning still has the figures of the last validation
            row = {key: value for key, value in row.items() if not key.startswith("val/")}
        row["schedule/num_steps"] = state.num_steps
        row["schedule/class_in_force"] = float(state.use_class)
        row["schedule/stop_in_force"] = float(state.use_stop)
        row["schedule/lr"] = trainer.optimizers[0].param_groups[0]["lr"]
        self.rows.append({"epoch": trainer.current_epoch, **dict(sorted(row.items()))})
        if trainer.is_global_zero:
            self._write(self.rows[-1])
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now

    def state_dict(self) -> dict[str, Any]:
        """Return rows and training time."""
        return {"rows": self.rows, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore rows and training time."""
        self.rows, self.seconds = list(state_dict["rows"]), state_dict["seconds"]

    def _write(self, row: dict[str, float]) -> None:
        assert self._files is not None
        figures = {name: value for name, value in row.items() if name != "epoch" and math.isfinite(value)}
        self._files.write(int(row["epoch"]), figures)


class Heartbeat(pl.Callback):
    """Writes the heartbeat (`Progress`): at the end of every epoch, and every few seconds during it.

    Args:
        path: The file to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = -math.inf

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Write, if the last heartbeat is more than a few seconds old."""
        if trainer.is_global_zero and time.monotonic() - self._last >= _INTERVAL:
            self._write(trainer, pl_module, int(trainer.fit_loop.epoch_loop.batch_progress.current.completed))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write; the schedule is already at the next epoch."""
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
