"""Random changes of an image's colours."""

import math

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from rsis.config.runs import AugmentSection


def jitter(image: Tensor, section: AugmentSection) -> Tensor:
    """Return the image with other colours; what the section leaves at its default draws no number.

    Args:
        image: uint8 [3, H, W].
        section: `brightness` and `contrast` scale by 1 - value to 1 + value, `gamma` takes to the power of
            exp(-value) to exp(value); `noise` adds, to every second image, noise of up to so much of the image's own
            deviation; `grey` and `invert` are the shares of images that lose their colours, or are inverted.
    """
    if section.brightness:
        image = functional.adjust_brightness(image, 1 + uniform(-section.brightness, section.brightness))
    if section.contrast:
        image = functional.adjust_contrast(image, 1 + uniform(-section.contrast, section.contrast))
    if section.grey and chance(section.grey):
        image = image.float().mean(dim=0, keepdim=True).round().to(torch.uint8).expand(3, -1, -1).contiguous()
    if section.gamma:
        image = functional.adjust_gamma(image, math.exp(uniform(-section.gamma, section.gamma)))
    if section.noise and coin():
        values = image.float()
        noise = torch.randn_like(values) * values.std() * uniform(0, section.noise)
        image = (values + noise).round().clamp(0, 255).to(torch.uint8)
    if section.invert and chance(section.invert):
        image = 255 - image
    return image


def coin() -> bool:
    """Return true in half of all cases."""
    return chance(0.5)


def chance(share: float) -> bool:
    """Return true in this share of all cases."""
    return bool(torch.rand(()) < share)


def uniform(low: float, high: float) -> float:
    """Return a number between two others."""
    return low + (high - low) * float(torch.rand(()))
