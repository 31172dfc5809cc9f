"""Soft intersection over union: the differentiable overlap measure of the training objective."""

import torch

EPSILON = 1e-6  # added to the union, as in the released code; two empty masks have overlap 0


def soft_iou(probs: torch.Tensor, targets: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
    """Return the soft IoU of every prediction with every target of the same image.

    sum(p * y) / (sum(p + y - p * y) + 1e-6), summed over the valid pixels (paper, equation 2). An empty target
    gives 0 for every prediction.

    Args:
        probs: float [B, T, H, W], 0..1.
        targets: bool or float [B, N, H, W], 0 or 1.
        valid: bool [B, H, W], false for pixels that are not counted; None counts all.

    Returns:
        [B, T, N], 0..1, in the dtype of `probs`, differentiable with respect to `probs`.
    """
    p = probs.flatten(2)  # [B, T, H*W]
    y = targets.flatten(2)  # [B, N, H*W]
    v = torch.ones_like(y[:, :1]) if valid is None else valid.flatten(1)[:, None].to(y.dtype)  # [B, 1, H*W]
    # The mask of valid pixels is appended to the targets: one product then gives the intersections and the areas of
    # the predictions, and reads the predictions only once, in the forward and in the backward pass.
    y = torch.cat([y * v, v], dim=1).to(p.dtype)  # [B, N+1, H*W]
    overlaps = p @ y.transpose(1, 2)  # [B, T, N+1]
    intersection = overlaps[:, :, :-1]
    union = overlaps[:, :, -1:] + y[:, None, :-1].sum(3) - intersection
    return intersection / (union + EPSILON)
