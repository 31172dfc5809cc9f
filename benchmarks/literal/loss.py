"""The objective: compare every prediction with every object, match by Munkres, and permute the targets to the steps."""

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.literal.munkres import assign
from rsis.config.runs import ObjectiveSection
from rsis.structures import Batch, Losses, RSISOutput

_NEVER = 10.0  # cost of a forbidden pair, above any 1 - soft IoU; multiplied by the mask weight if that is above 1


def soft_iou(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the soft IoU [M] of predictions and targets [M, H*W], row by row."""
    intersection = (pred * target).sum(dim=1)
    union = (pred + target - pred * target).sum(dim=1)
    return intersection / (union + 1e-6)


def losses(
    output: RSISOutput,
    size: tuple[int, int],
    batch: Batch,
    objective: ObjectiveSection,
    *,
    use_class: bool,
    use_stop: bool,
) -> Losses:
    """Return the losses of a batch; `valid` is not used, since the paper's data has no ignored pixels.

    Args:
        output: Output of the network for T steps.
        size: (H, W) of the targets, to which the masks are resized step by step.
        batch: The targets.
        objective: Weights of the terms.
        use_class: Whether the class term is part of the total.
        use_stop: Whether the objectness term is part of the total.
    """
    targets = batch.target_masks.flatten(2).to(output.mask_logits.dtype)  # [B, N, H*W]
    num_images, num_slots, pixels = targets.shape
    num_steps = output.mask_logits.shape[1]
    weight = objective.mask_weight
    costs = np.empty((num_images, num_slots, num_steps))
    masks = []
    for step in range(num_steps):
        logits = F.interpolate(output.mask_logits[:, step : step + 1], size, mode="bilinear", align_corners=True)
        pred = torch.sigmoid(logits).flatten(1)  # [B, H*W]
        masks.append(pred)
        repeated = pred.detach().unsqueeze(1).repeat(1, num_slots, 1)  # [B, N, H*W]
        cost = weight * (1 - soft_iou(repeated.view(-1, pixels), targets.view(-1, pixels)))
        costs[:, :, step] = cost.view(num_images, num_slots).double().cpu().numpy()
    order = _order(costs, batch.num_instances.tolist(), never=_NEVER * max(1.0, weight))
    target, target_classes, matched = _permuted(targets, batch.class_ids, order)
    return _sum_up(
        output, torch.stack(masks, dim=1), (target, target_classes, matched), batch, objective, use_class, use_stop
    )


def _order(costs: np.ndarray, num_instances: list[int], never: float) -> np.ndarray:
    """Return int64 [B, T], the object of each step or -1, for costs [B, N, T]; `never` is above all allowed costs."""
    num_images, _, num_steps = costs.shape
    order = np.full((num_images, num_steps), -1)
    for image, count in enumerate(num_instances):
        table = costs[image].copy()
        table[count:] = never
        table[:, count:] = never
        for slot, step in assign(table.tolist()):
            if slot < count and step < count:
                order[image, step] = slot
    return order


def _permuted(
    targets: torch.Tensor, class_ids: torch.Tensor, order: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return targets [B, T, H*W], classes [B, T] and whether a step has an object, bool [B, T], sorted on the host."""
    masks, classes = targets.cpu().numpy(), class_ids.cpu().numpy()
    images = np.arange(len(order))[:, None]
    matched = order >= 0
    ordered_masks = masks[images, order]
    ordered_classes = classes[images, order]
    ordered_masks[~matched] = 0
    device = targets.device
    return (
        torch.from_numpy(ordered_masks).to(device),
        torch.from_numpy(ordered_classes).to(device),
        torch.from_numpy(matched).to(device),
    )


def _sum_up(
    output: RSISOutput,
    masks: torch.Tensor,
    ordered: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    batch: Batch,
    objective: ObjectiveSection,
    use_class: bool,
    use_stop: bool,
) -> Losses:
    targets, classes, matched = ordered
    pixels = masks.shape[-1]
    overlap = soft_iou(masks.view(-1, pixels), targets.view(-1, pixels))  # [B*T]
    chosen = matched.flatten()
    count = max(int(chosen.sum()), 1)
    mask = (1 - overlap)[chosen].sum() / count
    probs = torch.softmax(output.class_logits, dim=-1).flatten(0, 1)  # [B*T, K]
    class_ = -torch.log(probs[chosen].gather(1, classes.flatten()[chosen].unsqueeze(1))).sum() / count

    steps = torch.arange(masks.shape[1], device=masks.device).unsqueeze(0)
    present = (steps < batch.num_instances.unsqueeze(1)).to(masks.dtype)  # [B, T]
    counted = steps <= batch.num_instances.unsqueeze(1)
    each = F.binary_cross_entropy_with_logits(output.objectness_logits, present, reduction="none")
    each = torch.where(present > 0, (1 - objective.stop_balance) * each, objective.stop_balance * each)
    stop = each[counted].mean()
    total = objective.mask_weight * mask
    if use_class:
        total = total + objective.class_weight * class_
    if use_stop:
        total = total + objective.stop_weight * stop
    return Losses(total, mask, class_, stop)
