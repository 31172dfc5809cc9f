"""The canvas: what a sequence has emitted so far, as channels that the next step sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

CHANNELS = 10
"""Channels of `Canvas.channels`: 4 of all masks, 4 of the last mask, 1 of all points, 1 of the last point."""


@dataclass(frozen=True)
class Canvas:
    """What the steps before have emitted; all zero before the first step.

    Attributes:
        masks: float [B, H/4, W/4], the union of all masks: the largest probability of each pixel, 0..1.
        last_mask: float [B, H/4, W/4], the mask of the last step, 0..1.
        points: float [B, h, w], the union of all points, each a Gaussian of deviation 1 cell, 0..1.
        last_point: float [B, h, w], the point of the last step.
    """

    masks: torch.Tensor
    last_mask: torch.Tensor
    points: torch.Tensor
    last_point: torch.Tensor

    @classmethod
    def empty(cls, grid: torch.Tensor) -> Canvas:
        """Return the canvas before the first step, for features [B, F, h, w] of the grid."""
        points = torch.zeros_like(grid[:, 0], dtype=torch.float32)
        masks = points.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return cls(masks, masks, points, points)

    def add(self, mask: torch.Tensor, point: torch.Tensor) -> Canvas:
        """Return the canvas after a step.

        Args:
            mask: float [B, H/4, W/4], 0..1; all zero for an image whose sequence has ended.
            point: float [B, h, w], likewise.
        """
        return Canvas(torch.maximum(self.masks, mask), mask, torch.maximum(self.points, point), point)

    def channels(self) -> torch.Tensor:
        """Return float [B, 10, h, w]: each mask folded to the grid, 2 x 2 pixels to 4 channels, and the points."""
        folded = [F.pixel_unshuffle(mask[:, None], 2) for mask in (self.masks, self.last_mask)]
        return torch.cat([*folded, self.points[:, None], self.last_point[:, None]], dim=1)


def points_of(cells: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Return float [B, h, w]: a Gaussian of deviation 1 cell about the cell of each image.

    Args:
        cells: int64 [B], row * w + column.
        size: (h, w) of the grid.
    """
    rows = torch.arange(size[0], device=cells.device) - cells[:, None] // size[1]  # [B, h]
    columns = torch.arange(size[1], device=cells.device) - cells[:, None] % size[1]  # [B, w]
    return torch.exp(-(rows**2) / 2)[:, :, None] * torch.exp(-(columns**2) / 2)[:, None, :]
