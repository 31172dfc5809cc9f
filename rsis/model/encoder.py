"""The encoder: a torchvision backbone read at five depths, each projected to the width its ConvLSTM wants."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torchvision.models.feature_extraction import create_feature_extractor

from rsis.model.backbone_weights import load_backbone_weights

# Where each backbone is read, shallowest first.
_STRIDES = (2, 4, 8, 16, 32)
_RESNET_NODES = ("relu", "layer1", "layer2", "layer3", "layer4")
_VGG16_NODES = ("features.4", "features.9", "features.16", "features.23", "features.30")
_BOTTLENECK_WIDTHS = (64, 256, 512, 1024, 2048)
_BASIC_WIDTHS = (64, 64, 128, 256, 512)
_VGG16_WIDTHS = (64, 128, 256, 512, 512)
_LEVELS = {
    "resnet18": (_RESNET_NODES, _BASIC_WIDTHS),
    "resnet34": (_RESNET_NODES, _BASIC_WIDTHS),
    "resnet50": (_RESNET_NODES, _BOTTLENECK_WIDTHS),
    "resnet101": (_RESNET_NODES, _BOTTLENECK_WIDTHS),
    "vgg16": (_VGG16_NODES, _VGG16_WIDTHS),
}

Coordinates = Literal["none", "cartesian", "polar", "fourier"]
_COORDINATE_CHANNELS: dict[Coordinates, int] = {"none": 0, "cartesian": 2, "polar": 5, "fourier": 14}
_CENTRE = 0.1  # of half the image's side


class Encoder(nn.Module):
    """Backbone and skip projections (paper, section 3.1).

    Skip i is conv + BatchNorm over the i-th deepest feature level; the BatchNorm is the released code's.

    Args:
        backbone: Its torchvision name, one of `ModelSection.backbone`.
        weights: What the backbone starts from, see `load_backbone_weights`; None = random.
        skip_widths: Channels of each skip, deepest first; its length, 1 to 5, is the number of levels used.
        kernel_size: Of the skip convolutions, odd.
        coordinates: Channels appended to every feature level, none in the paper; they help to tell apart
            objects that look alike. "cartesian": row and column, scaled to -1..1. "polar": these, the
            distance from the centre, and sine and cosine of the angle about it. "fourier": row and column,
            and sine and cosine of pi, 2 pi and 4 pi times each, so that a place is a linear function of them.
        stride: Of the deepest feature level used, 32 (the paper) or less; what lies deeper in the backbone is
            left out. Small images have too few cells at stride 32 to tell their objects apart.
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
        depth = _STRIDES.index(stride) + 1
        nodes, widths = _LEVELS[backbone][0][:depth], _LEVELS[backbone][1][:depth]
        self.coordinates = coordinates
        network = torchvision.models.get_model(backbone, weights=None)
        if weights is not None:
            load_backbone_weights(network, backbone, weights)
        self.backbone = create_feature_extractor(network, {node: node for node in nodes})
        self.levels = list(reversed(nodes))[: len(skip_widths)]
        deepest_first = list(reversed(widths))[: len(skip_widths)]
        self.skips = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width + _COORDINATE_CHANNELS[coordinates], out, kernel_size, padding=kernel_size // 2),
                nn.BatchNorm2d(out),
            )
            for width, out in zip(deepest_first, skip_widths, strict=True)
        )

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the skips of float images [B, 3, H, W], deepest first, skip i of [B, skip_widths[i], h_i, w_i]."""
        features = self.backbone(images)
        skips = []
        for level, project in zip(self.levels, self.skips, strict=True):
            assert isinstance(project, nn.Sequential)
            skips.append(project[1](self._convolve(features[level], project[0])))
        return skips

    def _convolve(self, feature: torch.Tensor, convolution: nn.Module) -> torch.Tensor:
        """Return the convolution of [feature | coordinates].

        The coordinates are the same for every image, so their part is computed once, and the features are not
        copied beside them.
        """
        assert isinstance(convolution, nn.Conv2d)
        width, padding = feature.shape[1], convolution.kernel_size[0] // 2
        if self.coordinates == "none":
            return F.conv2d(feature, convolution.weight, convolution.bias, padding=padding)
        grid = _coordinates(feature, self.coordinates)  # [1, C, h, w]
        constant = F.conv2d(grid, convolution.weight[:, width:], convolution.bias, padding=padding)
        return F.conv2d(feature, convolution.weight[:, :width], padding=padding) + constant


def _coordinates(feature: torch.Tensor, kind: Coordinates) -> torch.Tensor:
    """Return the coordinates [1, C, h, w] of the pixels of a feature level, in its type."""
    height, width = feature.shape[-2:]
    rows, columns = (_axis(length, feature) for length in (height, width))
    channels = list(torch.meshgrid(rows, columns, indexing="ij"))
    if kind == "polar":
        y, x = channels
        radius = torch.sqrt(y * y + x * x)  # not hypot, which ONNX lacks
        # softened near the centre, where the angle jumps from pixel to pixel
        channels += [radius, y / (radius + _CENTRE), x / (radius + _CENTRE)]
    if kind == "fourier":
        turns = [frequency * math.pi * axis for axis in channels for frequency in (1, 2, 4)]
        channels += [wave(turn) for turn in turns for wave in (torch.sin, torch.cos)]
    return torch.stack(channels)[None]


def _axis(length: int, like: torch.Tensor) -> torch.Tensor:
    """Return [length] from -1 to 1."""
    if torch.compiler.is_exporting():  # linspace would be written down for this one length
        steps = torch.arange(length, dtype=like.dtype, device=like.device)
        gaps: Any = torch.sym_max(length - 1, 1)
        axis: torch.Tensor = steps * 2 / gaps - 1
        return axis
    return torch.linspace(-1, 1, length, dtype=like.dtype, device=like.device)
