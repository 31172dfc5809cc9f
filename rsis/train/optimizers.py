"""The optimiser of a training, its parameter groups, and its learning rate schedule."""

import math
from collections.abc import Callable
from typing import Any, assert_never

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, OneCycleLR

from rsis.config.runs import TrainSection
from rsis.model.any import Network
from rsis.train.muon import Muon

_WARM_UP = 0.1  # of a training with `one_cycle`
_START_DIVISOR, _END_DIVISOR = 25.0, 1e4  # torch's: of the peak rate at the start, and of that at the end


def make_optimizer(network: Network, section: TrainSection) -> torch.optim.Optimizer:
    """Return the optimiser of a training over `parameter_groups`."""
    groups, decay = parameter_groups(network, section), section.weight_decay
    match section.optimizer:
        case "adam":
            return torch.optim.Adam(groups, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, weight_decay=decay, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, momentum=0.9, weight_decay=decay, fused=True)
        case "muon":
            return Muon(groups, weight_decay=decay)
        case _ as unknown:
            assert_never(unknown)


def make_scheduler(optimizer: torch.optim.Optimizer, section: TrainSection, steps: int) -> LRScheduler | None:
    """Return the learning rate schedule, None if the learning rates are constant.

    Args:
        optimizer: Its groups have the peak learning rates.
        section: `one_cycle` warms up for a tenth of the training and then falls to 0; `cosine` falls from the start.
        steps: Length of the schedule, the number of batches of the whole training.
    """
    match section.lr_schedule:
        case "constant":
            return None
        case "cosine":
            return CosineAnnealingLR(optimizer, steps)
        case "one_cycle":
            if steps == 1:  # no room for a cycle, which ends at 0
                return None
            peaks = [group["lr"] for group in optimizer.param_groups]
            # a tenth of ten batches is one, and torch divides by the number of those before it
            warm_up = 0.2 if steps == 10 else _WARM_UP
            return OneCycleLR(optimizer, peaks, total_steps=steps, pct_start=warm_up, cycle_momentum=False)
        case _ as unknown:
            assert_never(unknown)


def schedule_by_fraction(
    optimizer: torch.optim.Optimizer, section: TrainSection, fraction: Callable[[], float]
) -> LRScheduler:
    """Return the schedule of a training whose number of steps is not known: by the share of it that is done.

    Args:
        optimizer: Its groups have the peak rates.
        section: As for `make_scheduler`, with curves of the same shape.
        fraction: Says how much of the training is done, 0..1.
    """

    def factor(_: int) -> float:
        done = fraction()
        if section.lr_schedule == "cosine":
            return (1 + math.cos(math.pi * done)) / 2
        if done < _WARM_UP:
            return _between(1 / _START_DIVISOR, 1.0, done / _WARM_UP)
        return _between(1.0, 1 / _START_DIVISOR / _END_DIVISOR, (done - _WARM_UP) / (1 - _WARM_UP))

    return LambdaLR(optimizer, factor)


def _between(first: float, last: float, done: float) -> float:
    """Return a value on the half cosine from one value to another."""
    return last + (first - last) * (1 + math.cos(math.pi * done)) / 2


def parameter_groups(network: Network, section: TrainSection) -> list[dict[str, Any]]:
    """Return the parameters in groups: decoder and skips, backbone; for Muon the kernels of each once more.

    Muon is meant for weights between hidden layers, so AdamW updates the first convolution and the heads.
    """
    first = next(network.encoder.backbone.parameters())
    groups: list[dict[str, Any]] = []
    for is_backbone, lr in ((False, section.lr), (True, section.lr_encoder)):
        named = [(n, p) for n, p in network.named_parameters() if n.startswith("encoder.backbone.") == is_backbone]
        kernels = []
        if section.lr_kernels is not None:
            kernels = [p for n, p in named if p.ndim == 4 and p is not first and not n.startswith(network.no_kernels)]
        known = {id(parameter) for parameter in kernels}
        groups.append({"params": [p for _, p in named if id(p) not in known], "lr": lr})
        if section.lr_kernels is not None:
            groups.append({"params": kernels, "lr": section.lr_kernels * lr / section.lr, "orthogonal": True})
    return groups
