"""The terms of the pointer decoder's objective."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from rsis.loss.pointer.assignment import NEVER, Choice
from rsis.loss.pointer.targets import PointerTargets

_FOCUS = 2.0  # gamma of the focal loss
_BETA = 0.1  # of the smooth L1 loss of the geometry


@dataclass(frozen=True)
class Pairs:
    """Steps with the objects they answer for, M of them.

    Attributes:
        images: int64 [M], the image of each.
        steps: int64 [M].
        objects: int64 [M], slots.
    """

    images: torch.Tensor
    steps: torch.Tensor
    objects: torch.Tensor


def focal_sum(logits: torch.Tensor, choice: Choice) -> torch.Tensor:
    """Return the focal loss of the pointing logits of one step in a free order, summed over judged cells.

    -2 (1 - p)^2 log(p) for each cell, p the probability of what is right there. Divided by the number of right cells
    (of all steps), so that many easy cells do not count against few objects.

    Args:
        logits: float [B, h * w].
        choice: What is right.
    """
    right = choice.right.to(logits.dtype)
    each = F.binary_cross_entropy_with_logits(logits, right, reduction="none")
    probs = torch.sigmoid(logits)
    correct = torch.where(choice.right, probs, 1 - probs)
    return (2 * each * (1 - correct) ** _FOCUS * choice.judged).sum()


def softmax_sum(logits: torch.Tensor, choice: Choice) -> torch.Tensor:
    """Return the cross-entropy of pointing at a right cell in a prescribed order, summed over images with an object.

    -log of the share that the right cells have of the softmax over judged cells.

    Args:
        logits: float [B, h * w].
        choice: What is right.
    """
    right = torch.where(choice.right, logits, NEVER).logsumexp(dim=1)
    judged = torch.where(choice.judged, logits, NEVER).logsumexp(dim=1)
    return torch.where(choice.active, judged - right, 0).sum()


def mask_loss(logits: torch.Tensor, targets: PointerTargets, pairs: Pairs) -> torch.Tensor:
    """Return 1 - soft IoU of each pair, float [M], over valid pixels.

    soft IoU = sum(min(p, y)) / sum(max(p, y)). For y of 0 or 1 that is the paper's sum(p * y) / sum(p + y - p * y); but
    at the edge of an object y is a share of a pixel, and the paper's is largest for a p of 0 or 1 there, this one for
    p = y. A target without a valid pixel gives 1.

    Args:
        logits: float [M, H/2, W/2].
        targets: Of the batch.
        pairs: Which mask belongs to which object.
    """
    valid = targets.valid[pairs.images].flatten(1)
    wanted = targets.masks[pairs.images, pairs.objects].flatten(1) * valid
    probs = torch.sigmoid(logits.flatten(1)) * valid
    common = torch.minimum(probs, wanted).sum(dim=1)
    return 1 - common / (probs.sum(dim=1) + wanted.sum(dim=1) - common + 1e-6)


def geometry_loss(
    queries: torch.Tensor, cells: torch.Tensor, targets: PointerTargets, pairs: Pairs, *, columns: int, stride: int
) -> torch.Tensor:
    """Return the smooth L1 loss (beta 0.1) of centre and size of each pair, float [M].

    The mean of the two coordinates of the centre's offset from the middle of the cell, in cells, plus that of
    log(radius / stride).

    Args:
        queries: float [M, Q]; the last three numbers are the offsets (row, column) and the logarithm.
        cells: int64 [M], row * columns + column.
        targets: Of the batch.
        pairs: Which step belongs to which object.
        columns: w, of the grid.
        stride: Pixels to a cell.
    """
    centres = targets.centres[pairs.images, pairs.objects] / stride  # [M, 2], in cells
    places = torch.stack([cells // columns, cells % columns], dim=1) + 0.5
    sizes = (targets.radii[pairs.images, pairs.objects] / stride).log()
    offset = F.smooth_l1_loss(queries[:, -3:-1], centres - places, beta=_BETA, reduction="none").mean(dim=1)
    return offset + F.smooth_l1_loss(queries[:, -1], sizes, beta=_BETA, reduction="none")
