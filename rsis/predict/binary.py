"""Binary masks at an image's own size, made of a network's probabilities."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy import ndimage

from rsis.config.runs import PredictSection
from rsis.masks import bands
from rsis.predict.patch import Patch

Resized = Callable[[int, int, tuple[int, int]], torch.Tensor]
_MASKS_AT_ONCE = 8  # masks that are at the image's own size, as probabilities, at one time
_PIXELS_AT_ONCE = 2**24  # of all of these together, if one mask has no more


def least_area(size: tuple[int, int], section: PredictSection) -> float:
    """Return the number of pixels that a mask in an image of `size` (H', W') must exceed to be an object, 0 or more."""
    return section.min_area * size[0] * size[1]


def binary_masks(resized: Resized, length: int, size: tuple[int, int], section: PredictSection) -> list[Patch]:
    """Return the masks of the first steps at the image's own size (H', W').

    Probabilities are resized before the threshold, as in the released code, so that contours stay smooth. With
    `exclusive`, a pixel in more than one mask is kept only in the most probable one. With `largest_component`,
    only the largest 8-connected component of each mask is kept (released code for Cityscapes).
    """
    if section.exclusive:
        masks = _exclusive_masks(resized, length, size, section.mask_threshold)
    else:
        masks = []
        for _, full in _full_size(resized, length, size):
            masks += [Patch.of(probs > section.mask_threshold) for probs in full]
            del full  # before the next ones are made
    if section.largest_component:
        masks = [_largest_part(mask) for mask in masks]
    return masks


def _largest_part(mask: Patch) -> Patch:
    part = Patch.of(largest_component(mask.pixels))
    return Patch(mask.size, mask.top + part.top, mask.left + part.left, part.pixels)


def _full_size(resized: Resized, length: int, size: tuple[int, int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the probabilities [n, H', W'] of a few steps at a time, and the first of these steps."""
    at_once = max(1, min(_MASKS_AT_ONCE, _PIXELS_AT_ONCE // (size[0] * size[1])))
    for first in range(0, length, at_once):
        yield first, resized(first, min(first + at_once, length), size).cpu().numpy()


def _exclusive_masks(resized: Resized, length: int, size: tuple[int, int], threshold: float) -> list[Patch]:
    """Return the masks with each pixel in that of the step, the first of equal ones, that is surest of it.

    Of all steps together there is one map in memory, of the surest step at each pixel, until the masks are made.
    """
    best, owner = np.zeros(size, np.float32), np.zeros(size, np.int16)  # the number of the step, from 1
    for first, full in _full_size(resized, length, size):
        for step, probs in enumerate(full, start=first):
            for rows in bands(probs):
                higher = probs[rows] > best[rows]
                np.copyto(owner[rows], step + 1, where=higher)
                np.copyto(best[rows], probs[rows], where=higher)
        del full, probs  # before the next ones are made
    for rows in bands(best):
        owner[rows][~(best[rows] > threshold)] = 0
    del best
    masks = []
    for step, box in enumerate(ndimage.find_objects(owner, max_label=length), start=1):
        if box is None:
            masks.append(Patch(size, 0, 0, np.zeros((0, 0), bool)))
        else:
            masks.append(Patch(size, box[0].start, box[1].start, owner[box] == step))
    return masks


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Return the largest 8-connected component of a bool mask [H, W]; the first of equal ones; an empty mask as is."""
    components, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count < 2:
        return mask
    sizes = np.zeros(count + 1, np.int64)
    for rows in bands(components):  # counting would need another copy, of 8 bytes a pixel
        sizes += np.bincount(components[rows].ravel(), minlength=count + 1)
    largest: np.ndarray = components == sizes[1:].argmax() + 1
    return largest
