"""What a cluster says to a job before it ends it, and a user by Ctrl-C to a training that has several processes.

SIGUSR1 announces the time limit, SIGTERM a preemption or a cancellation. The training ends after the step it is
at; what it had reached at the end of its last epoch is on disk, and the same command goes on from there.
"""

import signal
import threading
from types import FrameType
from typing import Any, Self

import lightning.pytorch as pl
import torch

from rsis.errors import StoppedError
from rsis.train.module import TrainingModule

# those of them that there are: Windows has no SIGUSR1
SIGNALS = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGTERM") if hasattr(signal, name))


class StopRequests:
    """While entered, remembers the first signal that asks this process to stop, in place of dying by it."""

    def __init__(self) -> None:
        self.name: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Begin to listen; only the main thread of a process can."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen(self) -> None:
        """Be the one who hears the signals, whoever has taken them since."""
        for number in self._before:
            signal.signal(number, self._remember)

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.name = self.name or signal.Signals(number).name


class StopOnRequest(pl.Callback):
    """Ends the training after the step at which any of its processes was asked to stop.

    Args:
        run: Name of the run, for the message.
        requests: Of this process.
    """

    def __init__(self, run: str, requests: StopRequests) -> None:
        self.run = run
        self.requests = requests

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take SIGTERM back from Lightning, whose own handler talks to the other processes in the middle of a step."""
        self.requests.listen()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop if any process was asked to: a signal need not reach all at the same step, or at all."""
        asked = self.requests.name is not None
        if trainer.world_size > 1:
            flag = torch.tensor(float(asked), device=pl_module.device)
            asked = bool(trainer.strategy.reduce(flag, reduce_op="sum") > 0)
        if asked:
            self._stop(pl_module)

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop if this process was asked to; several of them have no common step here and wait for the next one."""
        if trainer.world_size == 1 and self.requests.name is not None:
            self._stop(pl_module)

    def _stop(self, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        raise stopped(self.run, self.requests, pl_module.schedule.epoch)


def stopped(run: str, requests: StopRequests, epochs: int) -> StoppedError:
    """Return the error that says by what a run was stopped, and after how many epochs."""
    done = f"{epochs} epoch{'s' if epochs != 1 else ''} done" if epochs else "before its first epoch was done"
    by = requests.name or "a signal to another process"
    return StoppedError(f"{run}: stopped by {by}, {done}; run the same command again to go on")
