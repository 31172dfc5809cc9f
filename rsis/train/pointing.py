"""A training step of the pointer decoder: the sequence is run beside the truth, then all its terms are summed up.

The network's steps and the choice of what is right (`rsis.loss.pointer.assignment`) alternate, since what a step sees
depends on what the steps before it have answered for.
"""

from dataclasses import dataclass

import torch

from rsis.config.runs import TrainSection
from rsis.loss.objectness import Divisor, objectness_loss
from rsis.loss.pointer.assignment import Choice, choose_freely, choose_in_order
from rsis.loss.pointer.criterion import (
    Pairs,
    focal_sum,
    geometry_loss,
    mask_loss,
    softmax_sum,
)
from rsis.loss.pointer.targets import PointerTargets, pointer_targets
from rsis.model.pointer.network import PointerNetwork
from rsis.model.pointer.pyramid import GRID_STRIDE, MASK_STRIDE, Features
from rsis.model.pointer.recurrence import Drive, Glance, maxima_of, pick_both
from rsis.model.pointer.state import PointerState
from rsis.model.pointer.unrolled import unroll
from rsis.structures import Batch, Losses


@dataclass(frozen=True)
class Sequence:
    """What T steps did beside the truth.

    Attributes:
        seen: float [B, T, 2D], features at the cells.
        maxima: float [B, T, 2D].
        cells: int64 [B, T], the cells that the sequence went on from.
        objects: int64 [B, T], the slot of the object of each step.
        active: bool [B, T], whether there was one.
        pointing: Sum of the pointing term.
        right: What the sum is to be divided by: right cells in a free order, steps in a prescribed one.
    """

    seen: torch.Tensor
    maxima: torch.Tensor
    cells: torch.Tensor
    objects: torch.Tensor
    active: torch.Tensor
    pointing: torch.Tensor
    right: torch.Tensor


def pointer_losses(
    network: PointerNetwork,
    images: torch.Tensor,
    batch: Batch,
    section: TrainSection,
    *,
    num_steps: int,
    own_canvas: float,
    use_class: bool,
    use_stop: bool,
    divisor: Divisor,
) -> Losses:
    """Return the losses of a batch.

    Args:
        network: With the pointer decoder.
        images: float [B, 3, H, W], normalised.
        batch: The targets.
        section: Order and weights.
        num_steps: T.
        own_canvas: Share of the images on whose canvas are the network's own masks, not the true ones, 0..1.
        use_class: Whether the class term is in force.
        use_stop: Whether the objectness term is in force.
        divisor: Makes of the number of steps, pairs or cells in this batch what their sum is divided by; where the
            batch is a part of a larger one, that depends on the other parts.
    """
    state = network.start(images)
    features = state.features
    grid = (features.grid.shape[-2], features.grid.shape[-1])
    with torch.no_grad():
        targets = pointer_targets(batch, grid=grid, grid_stride=GRID_STRIDE, mask_stride=MASK_STRIDE)
    own = torch.rand(len(images), device=images.device) < own_canvas
    sequence = run_sequence(network, state, targets, num_steps, own, free=section.order == "free")
    queries, class_logits, objectness = network.decoder.emit(features, sequence.seen, sequence.maxima, sequence.cells)
    objective = section.objective
    pairs = _pairs(sequence, objective.mask_pairs)
    at = (pairs.images, pairs.steps)
    logits = network.pair_masks(
        features.embedding.index_select(0, pairs.images), queries[at], sequence.cells[at], columns=grid[1]
    )
    with torch.autocast(images.device.type, enabled=False):  # sums over all pixels need float32
        count = divisor(torch.tensor(len(pairs.images), device=images.device))
        mask = mask_loss(logits.float(), targets, pairs).sum() / count
        geometry = (
            geometry_loss(queries[at], sequence.cells[at], targets, pairs, columns=grid[1], stride=GRID_STRIDE).sum()
            / count
        )
        classes = targets.class_ids.gather(1, sequence.objects)  # [B, T]
        log_probs = class_logits.log_softmax(dim=-1).gather(2, classes[..., None])[..., 0]
        class_ = -(log_probs * sequence.active).sum() / divisor(sequence.active.sum())
        stop = objectness_loss(objectness, batch.num_instances, objective.stop_balance, divisor)
        pointing = sequence.pointing / divisor(sequence.right)
        total = (
            objective.mask_weight * mask + objective.pointing_weight * pointing + objective.geometry_weight * geometry
        )
        if use_class:
            total = total + objective.class_weight * class_
        if use_stop:
            total = total + objective.stop_weight * stop
    return Losses(total, mask, class_, stop, pointing=pointing, geometry=geometry)


def run_sequence(
    network: PointerNetwork,
    state: PointerState,
    targets: PointerTargets,
    num_steps: int,
    own: torch.Tensor,
    *,
    free: bool,
) -> Sequence:
    """Run T steps, each at the cell that the truth allows and the network likes best.

    Args:
        network: With the pointer decoder.
        state: Before the first step.
        targets: Of the batch.
        num_steps: T.
        own: bool [B], images on whose canvas are the network's own masks. No gradient flows through any canvas.
        free: Whether the network chooses the order of the objects.
    """
    owners = own.nonzero()[:, 0]
    glances, choices = [], []
    drive, features = state.drive, state.features.of(owners)
    with torch.no_grad():  # `unroll` has the gradients
        remaining = targets.present.clone()
        everyone = torch.arange(len(remaining), device=remaining.device)
        for step in range(num_steps):
            glance = network.glance(state)
            if free:
                choice = choose_freely(glance.logits, targets, remaining)
            else:
                choice = choose_in_order(glance.logits, targets, step)
            glances.append(glance)
            choices.append(choice)
            drawn = targets.canvas_masks[everyone, choice.objects]
            if len(owners) > 0:
                drawn[owners] = _own_masks(network, features, glance, choice.cells, owners)
            state = network.advance(state, glance, choice.cells, drawn, choice.active[:, None, None].float())
            remaining[everyone, choice.objects] &= ~choice.active
    return _with_gradients(network, drive, glances, choices, free=free)


def _own_masks(
    network: PointerNetwork, features: Features, glance: Glance, cells: torch.Tensor, owners: torch.Tensor
) -> torch.Tensor:
    """Return the probabilities [M, H/4, W/4] of the masks that the network emits for M of the images.

    Args:
        network: With the pointer decoder.
        features: Of the M images.
        glance: Of all.
        cells: int64 [B], of all.
        owners: int64 [M], which images.
    """
    seen, maxima, cells = glance.at(cells)[owners], glance.maxima[owners], cells[owners]
    queries, _, _ = network.decoder.emit(features, seen[:, None], maxima[:, None], cells[:, None])
    return torch.sigmoid(network.canvas_masks(features, queries[:, 0], cells))


def _with_gradients(
    network: PointerNetwork, drive: Drive, glances: list[Glance], choices: list[Choice], *, free: bool
) -> Sequence:
    """Return the sequence as a function of the features and the kernels."""
    recurrence = network.decoder.recurrence
    unrolled = unroll(recurrence, drive, glances)
    choice = Choice.join(choices)
    logits = recurrence.logits(unrolled.keys)
    pointing, right = (focal_sum, choice.right) if free else (softmax_sum, choice.active)
    values = (
        pick_both(unrolled.keys, unrolled.hidden, choice.cells),
        maxima_of(unrolled.hidden, unrolled.keys),
        choice.cells,
        choice.objects,
        choice.active,
    )
    steps = (len(glances), -1)
    seen, maxima, cells, objects, active = (value.unflatten(0, steps).transpose(0, 1) for value in values)
    return Sequence(seen, maxima, cells, objects, active, pointing(logits, choice), right.sum())


def _pairs(sequence: Sequence, most: int | None) -> Pairs:
    """Return the steps that answer for an object, at most so many, drawn at random."""
    images, steps = sequence.active.nonzero(as_tuple=True)
    if most is not None and len(images) > most:
        kept = torch.randperm(len(images), device=images.device)[:most]
        images, steps = images[kept], steps[kept]
    return Pairs(images, steps, sequence.objects[images, steps])
