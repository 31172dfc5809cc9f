"""From uint8 pictures to what a network reads."""

import math
from typing import Literal, assert_never

import torch

from rsis.model.imagenet import MEAN, STD

_LEAST_STD = 0.02  # added to an image's own deviation: a picture of one colour has none
_RANGE = (-4.0, 8.0)  # deviations from the mean

Normalization = Literal["imagenet", "image"]


def normalize(
    images: torch.Tensor, dtype: torch.dtype = torch.float32, kind: Normalization = "imagenet"
) -> torch.Tensor:
    """Return uint8 RGB images [B, 3, H, W] as floats.

    Args:
        images: 0..255.
        dtype: Of the result.
        kind: "imagenet": scaled to 0..1, less ImageNet's mean, over its deviation, channel by channel. "image": less
            the image's own mean over all channels and pixels, over its own deviation plus 0.02 (of 0..1), clamped to
            -4..8: exposures differ from picture to picture, as in microscopy.
    """
    scaled = images.to(dtype) / 255
    match kind:
        case "imagenet":
            mean = torch.tensor(MEAN, dtype=dtype, device=images.device)[:, None, None]
            std = torch.tensor(STD, dtype=dtype, device=images.device)[:, None, None]
            return (scaled - mean) / std
        case "image":
            axes = (-3, -2, -1)
            centred = scaled - scaled.mean(dim=axes, keepdim=True)
            # torch's `std` takes several times as long
            norm: torch.Tensor = torch.linalg.vector_norm(centred, dim=axes, keepdim=True)
            std = norm / math.sqrt(scaled.shape[-3:].numel() - 1)
            return (centred / (std + _LEAST_STD)).clamp(*_RANGE)
        case _ as unknown:
            assert_never(unknown)
