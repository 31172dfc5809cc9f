"""Binary masks at an image's own size, made of a network's probabilities."""

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage

from rsis.config.runs import PredictSection

Resized = Callable[[int, int, tuple[int, int]], torch.Tensor]
_MASKS_AT_ONCE = 8  # masks that are at the image's own size, as probabilities, at one time
_PIXELS_AT_ONCE = 2**24  # of all of these together, if one mask has no more


def least_area(size: tuple[int, int], section: PredictSection) -> float:
    """Return the number of pixels that a mask in an image of `size` (H', W') must exceed to be an object, 0 or more."""
    return section.min_area * size[0] * size[1]


def binary_masks(resized: Resized, length: int, size: tuple[int, int], section: PredictSection) -> np.ndarray:
    """Return bool [length, H', W'], the masks of the first steps at the image's own size (H', W').

    Probabilities are resized before the threshold, as in the released code, so that contours stay smooth. With
    `exclusive`, a pixel in more than one mask is kept only in the most probable one. With `largest_component`,
    only the largest 8-connected component of each mask is kept (released code for Cityscapes).
    """
    masks = np.zeros((length, *size), dtype=bool)
    best, owner = np.zeros(size, np.float32), np.zeros(size, np.int32)
    at_once = max(1, min(_MASKS_AT_ONCE, _PIXELS_AT_ONCE // (size[0] * size[1])))
    for first in range(0, length, at_once):
        last = min(first + at_once, length)
        full = resized(first, last, size).cpu().numpy()  # [n, H', W']
        masks[first:last] = full > section.mask_threshold
        if section.exclusive:
            highest = full.max(axis=0)
            higher = highest > best
            owner[higher] = first + full.argmax(axis=0)[higher]
            best[higher] = highest[higher]
    for step in range(length):
        if section.exclusive:
            masks[step] &= owner == step
        if section.largest_component:
            masks[step] = largest_component(masks[step])
    return masks


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Return the largest 8-connected component of a bool mask [H, W]; the first of equal ones; an empty mask as is."""
    components, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count < 2:
        return mask
    largest: np.ndarray = components == np.bincount(components.ravel())[1:].argmax() + 1
    return largest
