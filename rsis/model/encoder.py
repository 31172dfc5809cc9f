"""The encoder: feature levels of a torchvision backbone, each projected to the width that its ConvLSTM expects."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from rsis.model.backbone import make_backbone

Coordinates = Literal["none", "cartesian", "polar", "fourier"]
COORDINATE_CHANNELS: dict[Coordinates, int] = {"none": 0, "cartesian": 2, "polar": 5, "fourier": 14}
_CENTRE = 0.1  # of half the image's side


class Encoder(nn.Module):
    """Backbone and skip projections (paper, section 3.1).

    Skip i is a convolution and a BatchNorm on the i-th deepest feature level. The BatchNorm comes from the released
    code.

    Args:
        backbone: resnet18, resnet34, resnet50, resnet101 or vgg16.
        weights: Initial weights of the backbone, see `load_backbone_weights`; None = random.
        skip_widths: Channels of each skip, deepest first; its length, 1 to 5, is the number of levels used.
        kernel_size: Kernel size of the skip convolutions, odd.
        coordinates: Coordinate channels appended to every feature level; "none" in the paper. They help to
            separate objects that look alike. "cartesian": row and column, scaled to -1..1. "polar": row, column,
            distance from the image's centre, and sine and cosine of the angle around it. "fourier": row and column,
            and sine and cosine of pi, 2 pi and 4 pi times each, so that a position is a linear function of them.
        stride: Stride of the deepest feature level used, 32 (the paper) or less; deeper levels of the backbone are
            not used. In small images, stride 32 leaves too few cells to separate the objects.
    """

    def __init__(
        self,
        backbone: str,
        weights: str | None,
        skip_widths: Sequence[int],
        *,
        kernel_size: int = 3,
        coordinates: Coordinates = "none",
        stride: int = 32,
    ) -> None:
        super().__init__()
        self.coordinates = coordinates
        self.backbone, levels = make_backbone(backbone, weights, stride)
        self.levels = list(reversed(levels))[: len(skip_widths)]
        deepest_first = list(reversed(levels.values()))[: len(skip_widths)]
        self.skips = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width + COORDINATE_CHANNELS[coordinates], out, kernel_size, padding=kernel_size // 2),
                nn.BatchNorm2d(out),
            )
            for width, out in zip(deepest_first, skip_widths, strict=True)
        )

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the skips of float images [B, 3, H, W], deepest first; skip i is [B, skip_widths[i], h_i, w_i]."""
        features = self.backbone(images)
        skips = []
        for level, project in zip(self.levels, self.skips, strict=True):
            assert isinstance(project, nn.Sequential)
            skips.append(project[1](self._convolve(features[level], project[0])))
        return skips

    def _convolve(self, feature: torch.Tensor, convolution: nn.Module) -> torch.Tensor:
        """Return the convolution of the concatenation [feature | coordinates].

        The coordinates are the same for every image, so their part is computed once for the whole batch, and the
        features need not be copied for a concatenation.
        """
        assert isinstance(convolution, nn.Conv2d)
        width, padding = feature.shape[1], convolution.kernel_size[0] // 2
        if self.coordinates == "none":
            return F.conv2d(feature, convolution.weight, convolution.bias, padding=padding)
        grid = coordinate_channels(feature, self.coordinates)  # [1, C, h, w]
        constant = F.conv2d(grid, convolution.weight[:, width:], convolution.bias, padding=padding)
        return F.conv2d(feature, convolution.weight[:, :width], padding=padding) + constant


def coordinate_channels(feature: torch.Tensor, kind: Coordinates) -> torch.Tensor:
    """Return the coordinates [1, C, h, w] of the pixels of a feature level, in its type."""
    height, width = feature.shape[-2:]
    rows, columns = (_axis(length, feature) for length in (height, width))
    channels = list(torch.meshgrid(rows, columns, indexing="ij"))
    if kind == "polar":
        y, x = channels
        radius = torch.sqrt(y * y + x * x)  # not hypot, which ONNX lacks
        # sine and cosine are damped near the centre, where the angle jumps from pixel to pixel
        channels += [radius, y / (radius + _CENTRE), x / (radius + _CENTRE)]
    if kind == "fourier":
        turns = [frequency * math.pi * axis for axis in channels for frequency in (1, 2, 4)]
        channels += [wave(turn) for turn in turns for wave in (torch.sin, torch.cos)]
    return torch.stack(channels)[None]


def _axis(length: int, like: torch.Tensor) -> torch.Tensor:
    """Return `length` equidistant values from -1 to 1, in the dtype and on the device of `like`."""
    if torch.compiler.is_exporting():  # an exported linspace would be a constant of this one length
        steps = torch.arange(length, dtype=like.dtype, device=like.device)
        gaps: Any = torch.sym_max(length - 1, 1)
        axis: torch.Tensor = steps * 2 / gaps - 1
        return axis
    return torch.linspace(-1, 1, length, dtype=like.dtype, device=like.device)
