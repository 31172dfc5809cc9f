"""Which object each step of the pointer decoder answers for: the one that it points at.

No cost matrix is solved. What holds instead, whatever the logits are (tests/loss/pointer):

- A step answers for an object that no earlier step has answered for, and of N objects each is answered for once, in
  the steps 1 to N.
- In a free order the step's own logits choose the object among the remaining ones: the cell with the largest logit
  among their cells, and there the object whose centroid is nearest, in radii.
- In a prescribed order the object is given, and the logits choose the cell among the object's core.
- A step after the last object answers for none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch

from rsis.loss.pointer.targets import PointerTargets

NEVER = -1e9
"""A logit below those of all cells; not -inf, whose gradients are not numbers."""


@dataclass(frozen=True)
class Choice:
    """What is right at one step, and what the step answers for.

    Attributes:
        right: bool [B, h * w], cells that are right to point at.
        judged: bool [B, h * w], cells whose logits enter the loss; right cells are among them.
        cells: int64 [B], the cell that the sequence goes on from.
        objects: int64 [B], the slot of the object; of no meaning where `active` is false.
        active: bool [B], whether an object is left.
    """

    right: torch.Tensor
    judged: torch.Tensor
    cells: torch.Tensor
    objects: torch.Tensor
    active: torch.Tensor

    @classmethod
    def join(cls, choices: Sequence[Choice]) -> Choice:
        """Return the choices of T steps as one of T * B images, step by step."""
        names = [field.name for field in fields(cls)]
        return cls(*(torch.cat([getattr(choice, name) for choice in choices]) for name in names))


def choose_freely(logits: torch.Tensor, targets: PointerTargets, remaining: torch.Tensor) -> Choice:
    """Let the logits choose among the remaining objects.

    Args:
        logits: float [B, h * w]; no gradient flows through the choice.
        targets: Of the batch.
        remaining: bool [B, N], objects that no step has answered for.
    """
    active = remaining.any(dim=1)
    inside = targets.inside & remaining[..., None]
    right = (targets.core & remaining[..., None]).any(dim=1)
    allowed = inside.any(dim=1)
    judged = (targets.judged & ~allowed) | right
    cells = torch.where(active[:, None] & ~allowed, NEVER, logits.detach()).argmax(dim=1)
    at = cells[:, None, None].expand(-1, remaining.shape[1], 1)
    distances = torch.where(inside.gather(2, at), targets.distances.gather(2, at), torch.inf)[..., 0]
    return Choice(right, judged, cells, distances.argmin(dim=1), active)


def choose_in_order(logits: torch.Tensor, targets: PointerTargets, step: int) -> Choice:
    """Take object `step` of the batch, which holds the objects in their order.

    Args:
        logits: float [B, h * w]; no gradient flows through the choice.
        targets: Of the batch.
        step: From 0.
    """
    slots = targets.present.shape[1]
    objects = torch.full_like(targets.class_ids[:, 0], min(step, slots - 1))
    active = targets.present.sum(dim=1) > step
    right = targets.core[:, min(step, slots - 1)] & active[:, None]
    judged = targets.judged & ~targets.inside[:, min(step, slots - 1)] | right
    cells = torch.where(active[:, None] & ~right, NEVER, logits.detach()).argmax(dim=1)
    return Choice(right, judged, cells, objects, active)
