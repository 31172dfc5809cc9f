"""The heartbeat of a training: a small file with its progress, which `rsis status` reads.

    state/<run>/<key>/alive.json
    {"epoch": 12, "epochs": 150, "batch": 40, "batches": 410, "best_loss": 0.31, "best_epoch": 10}

Written every few seconds at most; the time of the last heartbeat is the file's modification time. `best_loss` and
`best_epoch` are null while there is no best validation loss yet.
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
    epochs: int
    batch: int
    batches: int
    best_loss: float | None
    best_epoch: int | None
