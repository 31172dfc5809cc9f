"""What happens between epochs: the schedule, the history, the best weights."""

import math
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from safetensors.torch import save

from rsis.files.atomic import write_json
from rsis.train.batches import EpochSampler
from rsis.train.figures import FigureFiles
from rsis.train.module import TrainingModule
from rsis.train.schedule import ScheduleState, advance, is_validated
from rsis.train.state.files import write_state
from rsis.train.state.heartbeat import Progress

_INTERVAL = 5.0  # seconds between two signs of life


class Schedule(pl.Callback):
    """Moves `TrainingModule.schedule` from epoch to epoch, and keeps the weights of the best validation.

    The whole of its state is in the training checkpoint: a resumed run goes on as if nothing had happened.

    Args:
        best_path: Where the best weights so far are kept.
        sampler: Of the training data. Workers fetch ahead before Lightning tells it the epoch of a resumed
            run, so it is told here.
    """

    def __init__(self, best_path: Path, sampler: EpochSampler) -> None:
        self.best_path = best_path
        self.sampler = sampler
        self._validated: dict[str, torch.Tensor] | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the schedule in force and seed what is random within the epoch."""
        assert isinstance(pl_module, TrainingModule)
        # Lightning asks at the end of each epoch; the last one is validated too, whatever validate_every divides
        last = pl_module.current_epoch + 1 == pl_module.section.epochs
        trainer.check_val_every_n_epoch = 1 if last else pl_module.section.validate_every
        pl_module.network.backbone.requires_grad_(pl_module.schedule.update_encoder)
        # dropout draws from the global generator: seeded by epoch it does not care when the run began
        torch.manual_seed(
            pl_module.section.seed * 100_003 + pl_module.current_epoch + pl_module.global_rank * 1_000_003
        )

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the weights that were validated (the averaged ones, where averaging is on)."""
        assert isinstance(pl_module, TrainingModule)
        if not trainer.sanity_checking and pl_module.section.keep == "best":
            self._validated = {
                k: v.detach().cpu().contiguous().clone() for k, v in pl_module.network.state_dict().items()
            }

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Advance the schedule by the epoch's validation loss; stop the trainer when it says so."""
        assert isinstance(pl_module, TrainingModule)
        before = pl_module.schedule
        validated = is_validated(before.epoch, pl_module.section)
        loss = float(trainer.callback_metrics["val/total"]) if validated else None
        after = advance(before, loss, pl_module.section)
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
        if pl_module.schedule.finished:  # killed between its last epoch and its result
            trainer.should_stop = True


class History(pl.Callback):
    """One row of figures an epoch, and the time all took, kept in the checkpoint; rows are files too, for DVC's plots.

    Rows that a killed process had written but not checkpointed are dropped at the start of the next one, so
    the files of a resumed run equal those of an uninterrupted one.

    Args:
        folder: Of the files (`FigureFiles`); made anew at the start.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0  # spent on the epochs of `rows`, by all processes that worked on this training
        self._since = 0.0
        self._files: FigureFiles | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the rows of the epochs already done; of several processes, the first one writes."""
        self._since = time.monotonic()
        if trainer.is_global_zero:
            self.write_files()

    def write_files(self) -> None:
        """Write the files of all rows anew."""
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
        if not is_validated(trainer.current_epoch, pl_module.section):
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
        """Return rows and time."""
        return {"rows": self.rows, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take rows and time back."""
        self.rows, self.seconds = list(state_dict["rows"]), state_dict["seconds"]

    def _write(self, row: dict[str, float]) -> None:
        assert self._files is not None
        figures = {name: value for name, value in row.items() if name != "epoch" and math.isfinite(value)}
        self._files.write(int(row["epoch"]), figures)


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
        if trainer.is_global_zero and time.monotonic() - self._last >= _INTERVAL:
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
