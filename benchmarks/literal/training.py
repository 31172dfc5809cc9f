"""A training step and a prediction, as described in the paper."""

import contextlib
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.literal.loss import losses
from benchmarks.literal.model import LiteralRSIS, normalized
from rsis.config.runs import PredictSection, TrainSection
from rsis.masks import RLE, encode_rle
from rsis.structures import Batch, Losses


class LiteralStep(Protocol):
    """A network, its objective and its optimiser."""

    network: nn.Module
    section: TrainSection
    optimizer: torch.optim.Optimizer

    def losses(self, batch: Batch) -> Losses:
        """Return the losses of a batch."""
        ...

    def step(self, batch: Batch) -> Losses:
        """Update the weights once; return the losses before the update."""
        self.optimizer.zero_grad()
        found = self.losses(batch)
        found.total.backward()
        if self.section.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.section.clip_norm, foreach=False)
        self.optimizer.step()
        return found


class LiteralTraining(LiteralStep):
    """Network, objective and optimiser; torch's unfused loop updates all weights, also those of the backbone.

    Args:
        network: The network to train.
        section: Learning rates, weights of the loss terms, steps.
        use_class: Whether the class term is part of the total.
        use_stop: Whether the objectness term is part of the total.
        autocast: Whether to run the network under torch's bfloat16 autocast.
    """

    def __init__(
        self, network: LiteralRSIS, section: TrainSection, *, use_class: bool, use_stop: bool, autocast: bool = False
    ) -> None:
        self.network = network
        self.section = section
        self.use_class = use_class
        self.use_stop = use_stop
        self.autocast = autocast
        base = list(network.encoder.base.parameters())
        known = {id(parameter) for parameter in base}
        others = [parameter for parameter in network.parameters() if id(parameter) not in known]
        groups = [{"params": others, "lr": section.lr}, {"params": base, "lr": section.lr_encoder}]
        kind = torch.optim.AdamW if section.optimizer == "adamw" else torch.optim.Adam
        self.optimizer = kind(groups, weight_decay=section.weight_decay, foreach=False, fused=False)

    def losses(self, batch: Batch) -> Losses:
        """Return the losses of a batch; the number of steps is at most one more than its largest number of objects."""
        dtype = next(self.network.parameters()).dtype
        images = normalized(batch.images, dtype)
        steps = min(self.section.num_steps, int(batch.num_instances.max()) + 1)
        autocast = torch.autocast(images.device.type, torch.bfloat16) if self.autocast else contextlib.nullcontext()
        with autocast:
            output = self.network(images, steps)
        if self.autocast:  # sums over all pixels need float32
            output = output.float()
        size = (images.shape[-2], images.shape[-1])
        return losses(output, size, batch, self.section.objective, use_class=self.use_class, use_stop=self.use_stop)


@torch.no_grad()
def predict(
    network: LiteralRSIS, images: torch.Tensor, sizes: list[tuple[int, int]], section: PredictSection
) -> list[list[RLE]]:
    """Return the masks of each image's objects in predicted order, at the images' original sizes.

    All steps are always run, whatever their objectness, and every mask is resized to the network's input size.

    Args:
        network: In eval mode.
        images: uint8 [B, 3, H, W].
        sizes: Original (H, W) of each image.
        section: Steps and thresholds; `exclusive` and `largest_component` must be false.
    """
    assert not section.exclusive, "not the paper's"
    assert not section.largest_component, "left to the post-processing"
    dtype = next(network.parameters()).dtype
    output = network(normalized(images, dtype), section.num_steps)
    found: list[list[RLE]] = [[] for _ in sizes]
    ended = [False] * len(sizes)
    for step in range(section.num_steps):
        logits = F.interpolate(
            output.mask_logits[:, step : step + 1], images.shape[-2:], mode="bilinear", align_corners=True
        )
        probs = torch.sigmoid(logits)  # [B, 1, H, W]
        objectness = torch.sigmoid(output.objectness_logits[:, step]).tolist()
        torch.softmax(output.class_logits[:, step], dim=-1).tolist()
        for image, size in enumerate(sizes):
            ended[image] = ended[image] or objectness[image] < section.objectness_threshold
            if ended[image]:
                continue
            full = F.interpolate(probs[image : image + 1], size, mode="bilinear", align_corners=True)
            mask: np.ndarray = full[0, 0].cpu().numpy() > section.mask_threshold
            if mask.sum() > section.min_area * mask.size:
                found[image].append(encode_rle(mask))
    return found
