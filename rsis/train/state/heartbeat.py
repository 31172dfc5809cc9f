"""The heartbeat of a training: a small file with its progress, which `rsis status` reads.

    state/<run>/<key>/alive.json
    {"epoch": 12, "epochs": 150, "batch": 40, "batches": 410, "best_loss": 0.31, "best_epoch": 10}

Written at most every few seconds; the file's age is the age of the sign. `best_loss` is null before the first
validation, `epochs` where the training has minutes.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The progress of a training.

    Attributes:
        epoch: Number of finished epochs.
        epochs: Number of all epochs.
        batch: Number of finished batches in the current epoch.
        batches: Number of batches in an epoch.
        best_loss: Least validation loss since the objective last changed; None without one.
        best_epoch: Its epoch, from 0.
    """

    epoch: int
    epochs: int | None
    batch: int
    batches: int
    best_loss: float | None
    best_epoch: int | None
