"""The optimiser of a training, its parameter groups, and its learning rate schedule."""

from typing import Any, assert_never

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from rsis.config.runs import TrainSection
from rsis.model.network import RSISNetwork
from rsis.train.muon import Muon


def make_optimizer(network: RSISNetwork, section: TrainSection) -> torch.optim.Optimizer:
    """Return the optimiser `section.optimizer` for the groups of `parameter_groups`."""
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
            # with ten batches the warm-up is one batch, and torch would divide by the number of batches before it, 0
            warm_up = 0.2 if steps == 10 else 0.1
            return OneCycleLR(optimizer, peaks, total_steps=steps, pct_start=warm_up, cycle_momentum=False)
        case _ as unknown:
            assert_never(unknown)


def parameter_groups(network: RSISNetwork, section: TrainSection) -> list[dict[str, Any]]:
    """Return the parameter groups: decoder and skips, and backbone; with Muon also the kernels of each.

    Muon is meant for weights between hidden layers, so AdamW updates the first convolution and the heads.
    """
    first = next(network.encoder.backbone.parameters())
    groups: list[dict[str, Any]] = []
    for is_backbone, lr in ((False, section.lr), (True, section.lr_encoder)):
        named = [(n, p) for n, p in network.named_parameters() if n.startswith("encoder.backbone.") == is_backbone]
        kernels = []
        if section.lr_kernels is not None:
            kernels = [p for n, p in named if p.ndim == 4 and p is not first and not n.startswith("decoder.mask_")]
        known = {id(parameter) for parameter in kernels}
        groups.append({"params": [p for _, p in named if id(p) not in known], "lr": lr})
        if section.lr_kernels is not None:
            groups.append({"params": kernels, "lr": section.lr_kernels * lr / section.lr, "orthogonal": True})
    return groups
