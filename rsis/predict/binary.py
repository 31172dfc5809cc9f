"""Binary masks at an image's own size, made of a network's probabilities."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from scipy import ndimage

from rsis.config.runs import PredictSection
from rsis.masks import bands
from rsis.predict.patch import Patch

Resized = Callable[[int, int, tuple[int, int]], torch.Tensor]
"""Gives the probabilities, float [n, H', W'], of the steps from one to before another at a size (H', W')."""

_MASKS_AT_ONCE = 8  # masks that are at the image's own size, as probabilities, at one time
_PIXELS_AT_ONCE = 2**24  # of all of these together, if one mask has no more


@dataclass(frozen=True)
class Window:
    """The probabilities of one step where they may exceed the threshold; elsewhere they do not.

    Attributes:
        top: First row.
        left: First column.
        probs: float32 [h, w].
    """

    top: int
    left: int
    probs: np.ndarray

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for indexing an array [H', W']."""
        height, width = self.probs.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@runtime_checkable
class Windowed(Protocol):
    """What is `Resized` and knows where its masks are."""

    def window(self, step: int, size: tuple[int, int], threshold: float) -> Window:
        """Return the probabilities of a step at a size (H', W'), at least where they exceed the threshold."""
        ...


def least_area(size: tuple[int, int], section: PredictSection) -> float:
    """Return the number of pixels that a mask in an image of `size` (H', W') must exceed to be an object, 0 or more."""
    return section.min_area * size[0] * size[1]


def binary_masks(resized: Resized, length: int, size: tuple[int, int], section: PredictSection) -> list[Patch]:
    """Return the masks of the first steps at the image's own size (H', W').

    Probabilities are resized before the threshold, as in the released code, so that contours stay smooth. With
    `exclusive`, a pixel in more than one mask is kept only in the most probable one. With `largest_component`,
    only the largest 8-connected component of each mask is kept (released code for Cityscapes).
    """
    windows = _windows(resized, length, size, section.mask_threshold)
    if section.exclusive:
        masks = _exclusive_masks(windows, length, size, section.mask_threshold)
    else:
        masks = [
            Patch.of(window.probs > section.mask_threshold).moved(size, window.top, window.left) for window in windows
        ]
    if section.largest_component:
        masks = [_largest_part(mask) for mask in masks]
    return masks


def _largest_part(mask: Patch) -> Patch:
    return Patch.of(largest_component(mask.pixels)).moved(mask.size, mask.top, mask.left)


def _windows(resized: Resized, length: int, size: tuple[int, int], threshold: float) -> Iterator[Window]:
    """Yield the probabilities of each step at the image's own size, one after the other."""
    if isinstance(resized, Windowed):
        yield from (resized.window(step, size, threshold) for step in range(length))
        return
    at_once = max(1, min(_MASKS_AT_ONCE, _PIXELS_AT_ONCE // (size[0] * size[1])))
    for first in range(0, length, at_once):
        full = resized(first, min(first + at_once, length), size).cpu().numpy()
        yield from (Window(0, 0, probs) for probs in full)
        del full  # before the next ones are made


def enlarged_above(probs: torch.Tensor, size: tuple[int, int], threshold: float) -> Window:
    """Return probabilities [h, w], enlarged bilinearly to (H', W'), where they may exceed the threshold.

    A value between pixels is no larger than the largest of them, so what is far from all pixels above the threshold
    need not be computed: of a large picture most of it, for each object.
    """
    above, axes = probs > threshold, []
    for axis, length in enumerate(size):
        count = probs.shape[axis]
        places = (torch.arange(length, device=probs.device) + 0.5).mul_(count / length).sub_(0.5).clamp_(min=0)
        lower = places.long()
        upper = (lower + 1).clamp_(max=count - 1)
        occupied = above.any(dim=1 - axis)
        near = (occupied[lower] | occupied[upper]).nonzero()[:, 0]
        if not len(near):
            return Window(0, 0, np.zeros((0, 0), np.float32))
        start, end = int(near[0]), int(near[-1]) + 1
        axes.append((start, lower[start:end], upper[start:end], (places - lower)[start:end]))
    (top, over, under, down), (left, before, behind, across) = axes
    wide = probs[:, before] * (1 - across) + probs[:, behind] * across
    enlarged = wide[over] * (1 - down)[:, None] + wide[under] * down[:, None]
    return Window(top, left, enlarged.float().cpu().numpy())


def _exclusive_masks(windows: Iterator[Window], length: int, size: tuple[int, int], threshold: float) -> list[Patch]:
    """Return the masks with each pixel in that of the step, the first of equal ones, that is surest of it.

    Of all steps together there is one map in memory, of the surest step at each pixel, until the masks are made.
    """
    best, owner = np.zeros(size, np.float32), np.zeros(size, np.int16)  # the number of the step, from 1
    for number, window in enumerate(windows, start=1):
        here = window.slices
        for rows in bands(window.probs):
            highest = best[here][rows]
            higher = window.probs[rows] > highest
            np.copyto(owner[here][rows], number, where=higher)
            np.copyto(highest, window.probs[rows], where=higher)
        del window  # before the next one is made
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
