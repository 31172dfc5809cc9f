"""The network, the objective and the optimiser as one Lightning module."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, assert_never

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch.optim.lr_scheduler import LRScheduler

from rsis.config.runs import TrainSection
from rsis.errors import UserError
from rsis.loss.criterion import Criterion, at_least_one
from rsis.loss.objectness import Divisor
from rsis.model.any import Network
from rsis.model.network import RSISNetwork
from rsis.model.peers.mask_rcnn import MaskRCNNNetwork
from rsis.model.pointer.network import PointerNetwork
from rsis.structures import Batch, Losses
from rsis.train.optimizers import make_optimizer, make_scheduler, schedule_by_fraction
from rsis.train.peer import peer_losses
from rsis.train.pointing import pointer_losses
from rsis.train.processes import whole_batch_divisor, world_size
from rsis.train.schedule import first_state


class NonFiniteLossError(UserError):
    """The loss is NaN or infinite: training cannot go on."""


class TrainingModule(pl.LightningModule):
    """The training step, the validation step and the optimiser.

    Args:
        network: The network to train.
        section: Parameters of the training. The callback `Schedule` sets the attribute `schedule`.
    """

    def __init__(self, network: Network, section: TrainSection) -> None:
        super().__init__()
        # channels last is the layout the convolutions want, on CPU and GPU; results do not change
        self.network: Network = network.to(memory_format=torch.channels_last)
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
        self.spent = 0.0  # seconds of `section.minutes`, see `rsis.train.budget`

    @property
    def is_part_of_batch(self) -> bool:
        """Whether the current batch is one process's part of a batch: in training with more than one process."""
        return self.training and world_size(self.section) > 1

    def training_step(self, batch: Batch, batch_index: int) -> torch.Tensor:
        """Return the total loss of a training batch.

        Raises:
            NonFiniteLossError: The total is NaN or infinite; the message lists all terms.
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
        """Log the losses of a validation batch, with the loss terms that the schedule has switched on."""
        self._log("val", self.losses(batch), batch)

    def losses(self, batch: Batch) -> Losses:
        """Return the losses of a batch, with the steps and the loss terms that the schedule has switched on."""
        # no loss term counts steps after the first one past the objects, so N + 1 steps are enough
        steps = min(self.schedule.num_steps, int(batch.num_instances.max()) + 1)
        images = self.network.normalize(batch.images).contiguous(memory_format=torch.channels_last)
        match self.network:
            case RSISNetwork():
                return self._matched_losses(self.network, images, batch, steps)
            case PointerNetwork():
                return pointer_losses(
                    self.network,
                    images,
                    batch,
                    self.section,
                    num_steps=steps,
                    own_canvas=self.own_canvas if self.training else 1.0,
                    use_class=self.schedule.use_class,
                    use_stop=self.schedule.use_stop,
                    divisor=self._divisor,
                )
            case MaskRCNNNetwork():
                return peer_losses(self.network, images, batch)
            case _ as unknown:
                assert_never(unknown)

    def _matched_losses(self, network: RSISNetwork, images: torch.Tensor, batch: Batch, steps: int) -> Losses:
        """Return the losses of the paper's decoder."""
        output = network(images, steps, self.section.checkpoint_steps)
        height, width = images.shape[-2:]
        with torch.autocast(images.device.type, enabled=False):  # sums over all pixels need float32
            full = output.float()
            losses, _ = self.criterion(
                full,
                network.mask_probs(full, (height, width)),
                batch,
                use_class=self.schedule.use_class,
                use_stop=self.schedule.use_stop,
                divisor=self._divisor,
            )
        return losses

    @property
    def own_canvas(self) -> float:
        """Share of the images whose canvas has the network's own masks: rises from 0 at the start."""
        ramp = self.section.objective.own_canvas_ramp
        return self.section.objective.own_canvas * min(1.0, self.fraction / ramp if ramp > 0 else 1.0)

    @property
    def fraction(self) -> float:
        """How much of the training is done, 0..1: of the epochs in whole ones, of the minutes step by step."""
        if self.section.epochs is not None:
            return self.schedule.epoch / self.section.epochs
        assert self.section.minutes is not None
        return min(1.0, self.spent / (60 * self.section.minutes))

    @property
    def _divisor(self) -> Divisor:
        return whole_batch_divisor if self.is_part_of_batch else at_least_one

    def _log(self, stage: str, losses: Losses, batch: Batch) -> None:
        self._log_mean({f"{stage}/{name}": value.detach() for name, value in _terms(losses).items()}, batch)
        self.log(f"{stage} loss", losses.total.detach(), prog_bar=True, logger=False, batch_size=len(batch.images))

    def _log_mean(self, values: Mapping[str, torch.Tensor], batch: Batch) -> None:
        """Log means over all images of the epoch, over all processes."""
        # a float: Lightning averages the batch sizes of the processes, and would round the mean of integers
        images: Any = float(len(batch.images))
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=images, sync_dist=True)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of all gradients together.

        Lightning's own clipping refuses fused optimisers under mixed precision, because gradients may be scaled;
        with bf16 they are not.
        """
        if gradient_clip_val is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimiser and its learning rate schedule, see `rsis.train.optimizers`."""
        optimizer = make_optimizer(self.network, self.section)
        if self.section.lr_schedule == "constant":
            return optimizer
        if self.section.epochs is None:
            scheduler: LRScheduler | None = schedule_by_fraction(optimizer, self.section, lambda: self.fraction)
        else:
            scheduler = make_scheduler(optimizer, self.section, int(self.trainer.estimated_stepping_batches))
        if scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _terms(losses: Losses) -> dict[str, torch.Tensor]:
    """Return the loss terms that are not None, by name."""
    named = {field.name.rstrip("_"): getattr(losses, field.name) for field in fields(losses)}
    return {name: value for name, value in named.items() if value is not None}
