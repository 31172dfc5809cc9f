"""A training's sign of life: where it is, for `rsis status` and for whoever looks into its folder.

    state/<run>/<key>/alive.json
    {"epoch": 12, "epochs": 150, "batch": 40, "batches": 410, "best_loss": 0.31, "best_epoch": 10}

Written at most every few seconds; the file's age is the age of the sign. `best_loss` is null before the first
validation, `epochs` where the training has minutes.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a training is: finished epochs of all, and finished batches of the running epoch."""

    epoch: int
    epochs: int | None
    batch: int
    batches: int
    best_loss: float | None
    best_epoch: int | None
