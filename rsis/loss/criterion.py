"""The training objective: mask, class, objectness and box terms over matched steps and objects."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from rsis.loss.matching import hungarian_match, match_in_order
from rsis.loss.objectness import Divisor, objectness_loss
from rsis.loss.soft_iou import soft_iou
from rsis.structures import Batch, Losses, RSISOutput


def at_least_one(count: torch.Tensor) -> torch.Tensor:
    """Return the count, or 1 if it is 0, as a divisor."""
    return count.clamp(min=1)


@dataclass(frozen=True)
class Criterion:
    """L = mask_weight * L_mask + lambda * L_class + gamma * L_stop (paper, equation 5, with mask_weight 1).

    Attributes:
        class_weight: lambda; the schedule decides from when on the term counts.
        stop_weight: gamma; the schedule decides from when on the term counts.
        stop_balance: w in 0..1: steps with an object have weight 1 - w in the objectness term, the step after
            the last object has weight w (released code: 0.5).
        box_weight: Weight of the box term, which counts whenever the network has a box head (the paper's fourth
            version, which does not give the weight).
        matching: Whether steps are matched with objects at the least total cost (the paper); false assigns object t
            of the batch to step t, whatever the step predicts.
        mask_weight: Above 0 (paper: 1). It scales all costs of the matching alike, so the matching does not depend
            on it. (In the released code a forbidden pair costs 10, so with a weight above 10 a step could be left
            without an object.)
    """

    class_weight: float
    stop_weight: float
    stop_balance: float = 0.5
    box_weight: float = 1.0
    matching: bool = True
    mask_weight: float = 1.0

    def __call__(
        self,
        output: RSISOutput,
        mask_probs: torch.Tensor,
        batch: Batch,
        *,
        use_class: bool,
        use_stop: bool,
        divisor: Divisor = at_least_one,
    ) -> tuple[Losses, torch.Tensor]:
        """Match steps with objects and compute the losses.

        All terms are computed and reported; `use_class` and `use_stop` say which are part of the total. The
        result does not depend on padding and, with matching, not on the order of the targets. Steps beyond an
        image's objects get no gradient from the mask and class terms.

        Args:
            output: Output of the network for T steps.
            mask_probs: float [B, T, H, W], 0..1, mask probabilities at the size of the targets.
            batch: The targets.
            use_class: Whether the class term is part of the total.
            use_stop: Whether the objectness term is part of the total.
            divisor: Maps the number of matched objects (or of counted steps) in this batch to the number that their
                sum is divided by. It takes the other parts into account where this batch is one part of a larger one.

        Returns:
            The losses, and the object assigned to each step, int64 [B, T], see `rsis.loss.matching`.
        """
        overlaps = soft_iou(mask_probs, batch.target_masks, batch.valid)  # [B, T, N]
        if self.matching:
            assigned = hungarian_match(1 - overlaps, batch.num_instances)  # [B, T]
        else:
            assigned = match_in_order(overlaps.shape[1], batch.num_instances)
        matched = assigned >= 0
        slots = assigned.clamp(min=0)
        count = divisor(matched.sum())

        overlap = overlaps.gather(2, slots[..., None]).squeeze(2)  # [B, T]
        mask = ((1 - overlap) * matched).sum() / count

        log_probs = F.log_softmax(output.class_logits, dim=-1)  # [B, T, K]
        classes = batch.class_ids.gather(1, slots)  # [B, T]
        class_ = -(log_probs.gather(2, classes[..., None]).squeeze(2) * matched).sum() / count

        stop = objectness_loss(output.objectness_logits, batch.num_instances, self.stop_balance, divisor)
        total = self.mask_weight * mask
        if use_class:
            total = total + self.class_weight * class_
        if use_stop:
            total = total + self.stop_weight * stop
        box = None
        if output.boxes is not None:
            targets = boxes_of(batch.target_masks).to(output.boxes.dtype)  # [B, N, 4]
            wanted = targets.gather(1, slots[..., None].expand(-1, -1, 4))  # [B, T, 4]
            box = (((output.boxes - wanted) ** 2).mean(dim=-1) * matched).sum() / count
            total = total + self.box_weight * box
        return Losses(total, mask, class_, stop, box), assigned


def boxes_of(masks: torch.Tensor) -> torch.Tensor:
    """Return the boxes of bool masks [B, N, H, W]: float32 [B, N, 4], (top, left, bottom, right) as fractions 0..1.

    A box reaches from the outer edge of the mask's first row and column to the outer edge of its last ones. An
    empty mask gives four zeros.
    """
    sides = []
    for axis in (-1, -2):  # rows that hold a pixel, then columns
        present = masks.any(dim=axis)  # [B, N, L]
        length = present.shape[-1]
        first = present.to(torch.uint8).argmax(dim=-1)
        last = length - present.flip(-1).to(torch.uint8).argmax(dim=-1)
        sides.append(torch.stack([first, last], dim=-1) / length * present.any(dim=-1, keepdim=True))
    rows, columns = sides
    return torch.stack([rows[..., 0], columns[..., 0], rows[..., 1], columns[..., 1]], dim=-1)
