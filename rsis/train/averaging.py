"""The running mean of a training's weights, which is what the training gives in the end."""

from functools import partial

import torch
from lightning.pytorch.callbacks import WeightAveraging

_FIRST = 10.0  # steps that the mean of the first steps may reach back, in the formula below


class RunningMean(WeightAveraging):
    """An exponential mean of the weights after each step, and of the running statistics of BatchNorm.

    After n steps the mean keeps min(decay, (1 + n) / (10 + n)) of itself. So it reaches back over a tenth of the
    training, on average, or less: a short one is not held back by the weights that it started from.

    Args:
        decay: Of a long training, 0..1.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(avg_fn=partial(average, decay=decay))

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Return whether a step has been done."""
        return step_idx is not None


def average(mean: torch.Tensor, value: torch.Tensor, number: torch.Tensor | int, *, decay: float) -> torch.Tensor:
    """Return the mean after one more value.

    Args:
        mean: Of the values so far.
        value: Of the same shape.
        number: n, how many values it is of.
        decay: See `RunningMean`.
    """
    kept = min(decay, (1 + float(number)) / (_FIRST + float(number)))
    return mean * kept + value * (1 - kept)
