"""The encoder of the pointer decoder: a backbone and a light feature pyramid on top of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from rsis.model.backbone import make_backbone
from rsis.model.encoder import COORDINATE_CHANNELS, Coordinates, coordinate_channels

GRID_STRIDE = 8  # pixels of the image to a cell of the grid
MASK_STRIDE = 2  # pixels of the image to a pixel of the masks
_WIDTHS = {16: 64, 8: 64, 4: 32, 2: 16}  # channels of the pyramid's levels by their strides


@dataclass(frozen=True)
class Features:
    """What the encoder computes once for each image.

    Attributes:
        grid: float [B, 64, h, w], the features of the cells, stride 8.
        fine: float [B, 32, h, w], the level of stride 4, averaged over each cell.
        embedding: float [B, C, H/2, W/2], what the mask heads read.
        coarse_embedding: float [B, C, H/4, W/4], its mean, for the masks on the canvas; no gradient flows through it.
        coordinates: float [1, 0 or more, h, w], see `Pyramid`.
    """

    grid: torch.Tensor
    fine: torch.Tensor
    embedding: torch.Tensor
    coarse_embedding: torch.Tensor
    coordinates: torch.Tensor

    def of(self, images: torch.Tensor) -> Features:
        """Return the features of some images, int64 [M]."""
        return Features(
            self.grid[images],
            self.fine[images],
            self.embedding[images],
            self.coarse_embedding[images],
            self.coordinates,
        )


class Pyramid(nn.Module):
    """Backbone, lateral 1 x 1 convolutions, and a top-down path of 3 x 3 convolutions with BatchNorm.

    Args:
        backbone: See `make_backbone`.
        weights: See `make_backbone`.
        stride: Of the deepest level that is read, 16 or 32.
        embedding_width: C, channels of the pixel embedding.
        coordinates: Channels with the place of each cell, for sequences in a prescribed order. A free order needs none.
    """

    grid_width = _WIDTHS[8]
    fine_width = _WIDTHS[4]

    def __init__(
        self, backbone: str, weights: str | None, *, stride: int, embedding_width: int, coordinates: Coordinates
    ) -> None:
        super().__init__()
        self.backbone, levels = make_backbone(backbone, weights, stride)
        self.levels = list(levels)  # strides 2, 4, 8, 16 and perhaps 32
        widths = list(levels.values())
        self.coordinates, self.coordinate_width = coordinates, COORDINATE_CHANNELS[coordinates]
        self.lateral_32 = nn.Conv2d(widths[4], 64, 1) if len(widths) > 4 else None
        self.lateral_16, self.smooth_16 = nn.Conv2d(widths[3], 64, 1), _smooth(64)
        self.lateral_8, self.smooth_8 = nn.Conv2d(widths[2], 64, 1), _smooth(64)
        self.lateral_4, self.narrow_4, self.smooth_4 = nn.Conv2d(widths[1], 32, 1), nn.Conv2d(64, 32, 1), _smooth(32)
        self.lateral_2, self.narrow_2, self.smooth_2 = nn.Conv2d(widths[0], 16, 1), nn.Conv2d(32, 16, 1), _smooth(16)
        self.embedding = nn.Conv2d(16, embedding_width, 1)

    def forward(self, images: torch.Tensor) -> Features:
        """Return the features of normalised images [B, 3, H, W]; H and W are multiples of the deepest stride."""
        levels = self.backbone(images)
        c2, c4, c8, c16 = (levels[name] for name in self.levels[:4])
        top = self.lateral_16(c16)
        if self.lateral_32 is not None:
            top = top + _double(self.lateral_32(levels[self.levels[4]]))
        p8 = self.smooth_8(self.lateral_8(c8) + _double(self.smooth_16(top)))
        p4 = self.smooth_4(self.lateral_4(c4) + _double(self.narrow_4(p8)))
        p2 = self.smooth_2(self.lateral_2(c2) + _double(self.narrow_2(p4)))
        embedding = self.embedding(p2)
        if self.coordinates == "none":
            places = p8.new_zeros(1, 0, p8.shape[-2], p8.shape[-1])
        else:
            places = coordinate_channels(p8, self.coordinates)
        return Features(p8, F.avg_pool2d(p4, 2), embedding, F.avg_pool2d(embedding.detach(), 2), places)


def _smooth(width: int) -> nn.Sequential:
    convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def _double(features: torch.Tensor) -> torch.Tensor:
    return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
