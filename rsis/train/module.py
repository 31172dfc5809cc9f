"""The network, the objective and the optimiser as one Lightning module."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler

from rsis.errors import UserError
from rsis.loss.criterion import Criterion, at_least_one
from rsis.model.rsis import RSIS, mask_probs, normalize
from rsis.run_config import TrainSection
from rsis.structures import Batch, Losses
from rsis.train.curriculum import first_state
from rsis.train.muon import Muon
from rsis.train.processes import whole_batch_divisor, world_size


class NonFiniteLossError(UserError):
    """The loss is NaN or infinite: training cannot go on."""


class TrainingModule(pl.LightningModule):
    """What is done with a batch, in training and in validation.

    Args:
        network: The network to train.
        section: How; the schedule's state is set from outside, by `Schedule`.
    """

    def __init__(self, network: RSIS, section: TrainSection) -> None:
        super().__init__()
        # channels last is the layout the convolutions want, on CPU and GPU; results do not change
        self.network: RSIS = network.to(memory_format=torch.channels_last)
        self.section = section
        objective = section.objective
        self.criterion = Criterion(
            objective.class_weight,
            objective.stop_weight,
            objective.stop_balance,
            objective.box_weight,
            matching=section.order == "matching",
            mask_weight=objective.mask_weight,
        )
        self.schedule = first_state(section)

    @property
    def is_part_of_batch(self) -> bool:
        """Whether the batch at hand is shared with other processes: in training, where there are any."""
        return self.training and world_size(self.section) > 1

    def training_step(self, batch: Batch, batch_index: int) -> torch.Tensor:
        """Return the total loss of a training batch.

        Raises:
            NonFiniteLossError: A term is NaN or infinite; the message has all of them.
        """
        losses = self.losses(batch)
        if not bool(torch.isfinite(losses.total)):
            terms = ", ".join(f"{name} {value:.4g}" for name, value in _terms(losses).items())
            raise NonFiniteLossError(
                f"loss is not finite in epoch {self.current_epoch}, batch {batch_index}: {terms}; "
                "lower train.lr, set train.clip_norm, or use precision fp32"
            )
        self._log("train", losses, batch)
        objects = batch.num_instances.float().mean()
        self._log_mean({"schedule/objects_per_image": objects}, batch)
        return losses.total

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Log the losses of a validation batch, under the objective now in force."""
        self._log("val", self.losses(batch), batch)

    def losses(self, batch: Batch) -> Losses:
        """Return the losses of a batch under the schedule now in force."""
        # one step past the longest image of the batch suffices: later ones would count for nothing
        steps = min(self.schedule.num_steps, int(batch.num_instances.max()) + 1)
        images = normalize(batch.images).contiguous(memory_format=torch.channels_last)
        output = self.network(images, steps, self.section.checkpoint_steps)
        height, width = images.shape[-2:]
        with torch.autocast(images.device.type, enabled=False):  # sums over all pixels need float32
            full = output.float()
            losses, _ = self.criterion(
                full,
                mask_probs(full, (height, width)),
                batch,
                use_class=self.schedule.use_class,
                use_stop=self.schedule.use_stop,
                divisor=whole_batch_divisor if self.is_part_of_batch else at_least_one,
            )
        return losses

    def _log(self, stage: str, losses: Losses, batch: Batch) -> None:
        self._log_mean({f"{stage}/{name}": value.detach() for name, value in _terms(losses).items()}, batch)
        self.log(f"{stage} loss", losses.total.detach(), prog_bar=True, logger=False, batch_size=len(batch.images))

    def _log_mean(self, values: Mapping[str, torch.Tensor], batch: Batch) -> None:
        """Log means over the epoch's images, those of all processes."""
        # a float: Lightning adds up the numbers of images of the processes by their mean, rounded for an int
        images: Any = float(len(batch.images))
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=images, sync_dist=True)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of all gradients together.

        Lightning's own clipping refuses fused optimisers under mixed precision, for the sake of scaled
        gradients; bf16 scales none.
        """
        if gradient_clip_val is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimiser, with the backbone's weights in a group of their own, and its schedule.

        `one_cycle` and `cosine` span the whole training, a step a batch; `one_cycle` warms up for its first tenth.
        """
        section = self.section
        groups = self._groups()
        optimizer: torch.optim.Optimizer
        match section.optimizer:
            case "adam":
                optimizer = torch.optim.Adam(groups, weight_decay=section.weight_decay, fused=True)
            case "adamw":
                optimizer = torch.optim.AdamW(groups, weight_decay=section.weight_decay, fused=True)
            case "sgd":
                optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=section.weight_decay, fused=True)
            case "muon":
                optimizer = Muon(groups, weight_decay=section.weight_decay)
        if section.lr_schedule == "constant":
            return optimizer
        total = int(self.trainer.estimated_stepping_batches)
        scheduler: Any
        if section.lr_schedule == "cosine":
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
        elif total == 1:  # no room for a cycle, which ends at 0
            return optimizer
        else:
            peaks = [group["lr"] for group in groups]
            # a tenth of ten batches is one, and torch divides by the number of those before it
            warm_up = 0.2 if total == 10 else 0.1
            scheduler = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, peaks, total_steps=total, pct_start=warm_up, cycle_momentum=False
            )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _groups(self) -> list[dict[str, Any]]:
        """Return the parameters in groups: decoder and skips, backbone; for Muon the kernels of each once more.

        Muon is for weights between hidden layers: the first convolution and the heads stay with AdamW.
        """
        section, network = self.section, self.network
        first = next(network.encoder.backbone.parameters())
        groups: list[dict[str, Any]] = []
        for part, lr in ((False, section.lr), (True, section.lr_encoder)):
            named = [(n, p) for n, p in network.named_parameters() if n.startswith("encoder.backbone.") == part]
            kernels = []
            if section.lr_kernels is not None:
                kernels = [p for n, p in named if p.ndim == 4 and p is not first and not n.startswith("decoder.mask_")]
            known = {id(parameter) for parameter in kernels}
            groups.append({"params": [p for _, p in named if id(p) not in known], "lr": lr})
            if section.lr_kernels is not None:
                groups.append({"params": kernels, "lr": section.lr_kernels * lr / section.lr, "orthogonal": True})
        return groups


def _terms(losses: Losses) -> dict[str, torch.Tensor]:
    """Return the terms there are by name."""
    named = {field.name.rstrip("_"): getattr(losses, field.name) for field in fields(losses)}
    return {name: value for name, value in named.items() if value is not None}
