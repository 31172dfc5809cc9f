"""Stop a training on a signal: from a cluster before it ends the job, or from Ctrl-C in a distributed training.

SIGUSR1 announces the time limit, SIGTERM a preemption or a cancellation. The training ends after the current
step. The checkpoint of its last finished epoch is on disk, and the same command resumes from it.
"""

import signal
import threading
from types import FrameType
from typing import Any, Self

import lightning.pytorch as pl
import torch

from rsis.errors import StoppedError
from rsis.train.module import TrainingModule

# Windows has no SIGUSR1
SIGNALS = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGTERM") if hasattr(signal, name))


class StopRequests:
    """Context manager that records the first stop signal, which would otherwise end the process.

    Attributes:
        name: Name of the first signal that was received; None before that.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Install the signal handlers; outside the main thread this is impossible, and nothing is installed."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the previous signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen(self) -> None:
        """Install the handlers again, in case other code has replaced them."""
        for number in self._before:
            signal.signal(number, self._remember)

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.name = self.name or signal.Signals(number).name


class StopOnRequest(pl.Callback):
    """Ends the training after the step at which any of its processes has received a stop signal.

    Args:
        run: Name of the run, for the message.
        requests: The signals received by this process.
    """

    def __init__(self, run: str, requests: StopRequests) -> None:
        self.run = run
        self.requests = requests

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Replace Lightning's handler of SIGTERM, which would communicate with other processes during a step."""
        self.requests.listen()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop if any process has received a signal: it need not reach all at the same step, or all of them."""
        asked = self.requests.name is not None
        if trainer.world_size > 1:
            flag = torch.tensor(float(asked), device=pl_module.device)
            asked = bool(trainer.strategy.reduce(flag, reduce_op="sum") > 0)
        if asked:
            self._stop(pl_module)

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop if a single process has received a signal; in validation, more processes have no step in common."""
        if trainer.world_size == 1 and self.requests.name is not None:
            self._stop(pl_module)

    def _stop(self, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        raise stopped(self.run, self.requests, pl_module.schedule.epoch)


def stopped(run: str, requests: StopRequests, epochs: int) -> StoppedError:
    """Return the error that reports which signal stopped a run, and after how many epochs."""
    done = f"{epochs} epoch{'s' if epochs != 1 else ''} done" if epochs else "before its first epoch was done"
    by = requests.name or "a signal to another process"
    return StoppedError(f"{run}: stopped by {by}, {done}; run the same command again to go on")
