"""A training step of the pointer decoder: one step after the other, and one object after the other.

The parts of the network are our own (docs/network.md). What is literal is the order of the computation: autograd keeps
every operation of every step, each step emits by itself, and each mask is made and compared by itself.
"""

import contextlib

import torch

from benchmarks.literal.training import LiteralStep
from rsis.config.runs import TrainSection
from rsis.loss.criterion import at_least_one
from rsis.loss.objectness import objectness_loss
from rsis.loss.pointer.assignment import Choice, choose_freely
from rsis.loss.pointer.criterion import Pairs, focal_sum, geometry_loss, mask_loss
from rsis.loss.pointer.targets import PointerTargets, pointer_targets
from rsis.model.pointer.network import PointerNetwork
from rsis.model.pointer.pyramid import GRID_STRIDE, MASK_STRIDE
from rsis.model.pointer.state import PointerState
from rsis.structures import Batch, Losses


class LiteralPointing(LiteralStep):
    """Network, objective and AdamW; torch's unfused loop updates all weights.

    Args:
        network: The network to train.
        section: Learning rates and weights of the loss terms, in a free order. All objects are compared with their
            masks: `mask_pairs` is not observed.
        own: Whether the network's own masks are on all canvases; if not, the true ones.
        autocast: Whether to run the network under torch's bfloat16 autocast.
    """

    def __init__(
        self, network: PointerNetwork, section: TrainSection, *, own: bool = True, autocast: bool = False
    ) -> None:
        self.network, self.section, self.own, self.autocast = network, section, own, autocast
        parameters, decay = network.parameters(), section.weight_decay
        self.optimizer = torch.optim.AdamW(parameters, section.lr, weight_decay=decay, foreach=False, fused=False)

    def losses(self, batch: Batch) -> Losses:
        """Return the losses of a batch, with one step more than its largest number of objects."""
        device = batch.images.device.type
        with torch.autocast(device, torch.bfloat16) if self.autocast else contextlib.nullcontext():
            return self._losses(batch)

    def _losses(self, batch: Batch) -> Losses:
        network, objective = self.network, self.section.objective
        state = network.start(network.normalize(batch.images))
        grid = (state.features.grid.shape[-2], state.features.grid.shape[-1])
        targets = pointer_targets(batch, grid=grid, grid_stride=GRID_STRIDE, mask_stride=MASK_STRIDE)
        remaining = targets.present.clone()
        pointing, right, masks, geometries, classes, objectness = [], [], [], [], [], []
        for _ in range(int(batch.num_instances.max()) + 1):
            glance = network.glance(state)
            choice = choose_freely(glance.logits, targets, remaining)
            pointing.append(focal_sum(glance.logits, choice))
            right.append(choice.right.sum())
            seen, maxima = glance.at(choice.cells)[:, None], glance.maxima[:, None]
            queries, class_logits, stop_logit = network.decoder.emit(
                state.features, seen, maxima, choice.cells[:, None]
            )
            objectness.append(stop_logit[:, 0])
            for image in choice.active.nonzero()[:, 0].tolist():
                mask, geometry = self._compare(state, targets, choice, queries[:, 0], image)
                masks.append(mask)
                geometries.append(geometry)
                wanted = targets.class_ids[image, choice.objects[image]]
                classes.append(-class_logits[image, 0].log_softmax(dim=0)[wanted])
            everyone = torch.arange(len(remaining), device=remaining.device)
            with torch.no_grad():
                drawn = targets.canvas_masks[everyone, choice.objects]
                if self.own:
                    drawn = torch.sigmoid(network.canvas_masks(state.features, queries[:, 0], choice.cells))
                state = network.advance(state, glance, choice.cells, drawn, choice.active[:, None, None].float())
            remaining[everyone, choice.objects] &= ~choice.active
        mask, geometry, class_ = (torch.stack(values).mean() for values in (masks, geometries, classes))
        point = torch.stack(pointing).sum() / torch.stack(right).sum()
        stop = objectness_loss(
            torch.stack(objectness, dim=1), batch.num_instances, objective.stop_balance, at_least_one
        )
        total = objective.mask_weight * mask + objective.pointing_weight * point
        total = total + objective.geometry_weight * geometry + objective.class_weight * class_
        return Losses(total + objective.stop_weight * stop, mask, class_, stop, pointing=point, geometry=geometry)

    def _compare(
        self, state: PointerState, targets: PointerTargets, choice: Choice, queries: torch.Tensor, image: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mask and the geometry term of the object that this step answers for in one image."""
        one = torch.tensor([image], device=queries.device)
        pair = Pairs(one, one, choice.objects[one])
        columns = state.features.grid.shape[-1]
        logits = self.network.pair_masks(state.features.embedding[one], queries[one], choice.cells[one], columns)
        geometry = geometry_loss(queries[one], choice.cells[one], targets, pair, columns=columns, stride=GRID_STRIDE)
        return mask_loss(logits.float(), targets, pair)[0], geometry[0]
