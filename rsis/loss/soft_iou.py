"""Soft intersection over union, the differentiable overlap of the objective."""

import torch

EPSILON = 1e-6  # added to the union, as in the released code; two empty masks overlap 0


def soft_iou(probs: torch.Tensor, targets: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
    """Return the soft IoU of every prediction with every target of the same image.

    sum(p * y) / (sum(p + y - p * y) + 1e-6) over the valid pixels (paper, equation 2). An empty target gives
    0 whatever the prediction.

    Args:
        probs: float [B, T, H, W], 0..1.
        targets: bool or float [B, N, H, W], 0 or 1.
        valid: bool [B, H, W], false for pixels that do not count; None = all count.

    Returns:
        [B, T, N], 0..1, in the type of `probs`, differentiable in `probs`.
    """
    p = probs.flatten(2)  # [B, T, H*W]
    y = targets.flatten(2).to(p.dtype)  # [B, N, H*W]
    if valid is not None:
        v = valid.flatten(1)[:, None].to(p.dtype)  # [B, 1, H*W]
        p, y = p * v, y * v
    intersection = p @ y.transpose(1, 2)  # [B, T, N]
    union = p.sum(2)[:, :, None] + y.sum(2)[:, None, :] - intersection
    return intersection / (union + EPSILON)
