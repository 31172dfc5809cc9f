"""The objectness term, which both decoders share."""

from collections.abc import Callable

import torch
from torch.nn import functional as F

Divisor = Callable[[torch.Tensor], torch.Tensor]
"""Makes of a number of steps, pairs or cells what their sum is divided by."""


def objectness_loss(
    logits: torch.Tensor, num_instances: torch.Tensor, balance: float, divisor: Divisor
) -> torch.Tensor:
    """Return the balanced cross-entropy of the objectness over each image's steps 1 .. N + 1.

    Args:
        logits: float [B, T].
        num_instances: int64 [B], N.
        balance: w in 0..1: steps with an object weigh 1 - w, the step after the last one w.
        divisor: Makes of the number of steps what their sum is divided by.
    """
    steps = torch.arange(logits.shape[1], device=logits.device)
    present = (steps < num_instances[:, None]).to(logits.dtype)
    counted = steps <= num_instances[:, None]
    weight = (1 - balance) * present + balance * (1 - present)
    each = weight * F.binary_cross_entropy_with_logits(logits, present, reduction="none")
    return (each * counted).sum() / divisor(counted.sum())
