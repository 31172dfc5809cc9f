"""Find the objects of a batch of images: run the decoder, end each sequence, make binary masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from rsis.config.runs import PredictSection
from rsis.model.convlstm.decoder import join_steps, upsample
from rsis.model.network import RSISNetwork, mask_probs, normalize
from rsis.structures import RSISOutput

# Decoder steps between two checks whether all sequences have ended: more use the hardware better, fewer waste less work
# after the end.
_STEPS_AT_ONCE = 4


@dataclass(frozen=True)
class DetectedObjects:
    """The n objects found in one image, independent of any file format.

    Attributes:
        masks: bool [n, H', W'] at the image's original size, in the order of the decoder steps; none is empty.
        class_probs: float [n, K-1], 0..1, over the classes 1..K-1.
        steps: int [n], the decoder step of each object, from 0.
        objectness: float [T'], 0..1, of every step that was run.
    """

    masks: np.ndarray
    class_probs: np.ndarray
    steps: np.ndarray
    objectness: np.ndarray


@dataclass(frozen=True)
class StepOutputs:
    """The network's output for one image, for every step that was run, before any threshold.

    Attributes:
        probs: float [T', H, W], 0..1, mask probabilities at the network's input size.
        class_probs: float [T', K-1], 0..1, over the classes 1..K-1.
        objectness: float [T'], 0..1.
    """

    probs: torch.Tensor
    class_probs: np.ndarray
    objectness: np.ndarray


def find_objects(
    network: RSISNetwork, images: torch.Tensor, sizes: Sequence[tuple[int, int]], section: PredictSection
) -> list[DetectedObjects]:
    """Find the objects of a batch.

    Args:
        network: In eval mode.
        images: uint8 [B, 3, H, W] on the network's device.
        sizes: Size (H', W') of the masks to return for each image.
        section: Thresholds.

    Returns:
        The objects of each image.
    """
    outputs = decode(network, images, section)
    return [read_out(output, size, section) for output, size in zip(outputs, sizes, strict=True)]


@torch.inference_mode()
def decode(network: RSISNetwork, images: torch.Tensor, section: PredictSection) -> list[StepOutputs]:
    """Run the network on images uint8 [B, 3, H, W] until all sequences have ended, for at most `num_steps` steps."""
    output = _decode(network, normalize(images).contiguous(memory_format=torch.channels_last), section)
    probs = mask_probs(output, (images.shape[-2], images.shape[-1]))  # [B, T', H, W]
    objectness = torch.sigmoid(output.objectness_logits).cpu().numpy()  # [B, T']
    # class 0 is left out: no object has it, and matched targets never have it
    classes = output.class_logits[..., 1:].softmax(dim=-1).cpu().numpy()  # [B, T', K-1]
    return [StepOutputs(*of_image) for of_image in zip(probs, classes, objectness, strict=True)]


@torch.inference_mode()
def read_out(decoded: StepOutputs, size: tuple[int, int], section: PredictSection) -> DetectedObjects:
    """Return the objects in the output for one image, with masks of `size` (H', W')."""
    # the sequence ends at the first step with an objectness below the threshold (paper, section 3.2)
    length = int((decoded.objectness >= section.objectness_threshold).cumprod().sum())
    masks = binary_masks(decoded.probs[:length], size, section).cpu().numpy()  # [length, H', W']
    steps = np.flatnonzero(masks.sum(axis=(1, 2)) > least_area(size, section))
    return DetectedObjects(masks[steps], decoded.class_probs[steps], steps, decoded.objectness)


def least_area(size: tuple[int, int], section: PredictSection) -> float:
    """Return the number of pixels that a mask in an image of `size` (H', W') must exceed to be an object, 0 or more."""
    return section.min_area * size[0] * size[1]


def _decode(network: RSISNetwork, images: torch.Tensor, section: PredictSection) -> RSISOutput:
    """Run the decoder until all sequences have ended, for at most `section.num_steps` steps."""
    state = network.start(images)
    going = torch.ones(len(images), dtype=torch.bool, device=images.device)
    outputs: list[RSISOutput] = []
    for first in range(0, section.num_steps, _STEPS_AT_ONCE):
        output, state = network.decode(state, min(_STEPS_AT_ONCE, section.num_steps - first))
        outputs.append(output)
        going &= (torch.sigmoid(output.objectness_logits) >= section.objectness_threshold).all(dim=1)
        if not bool(going.any()):
            break
    return join_steps(outputs)


def binary_masks(probs: torch.Tensor, size: tuple[int, int], section: PredictSection) -> torch.Tensor:
    """Return binary masks, bool [T, H', W'] at `size` (H', W'), from probabilities [T, H, W].

    Probabilities are resized before the threshold, as in the released code, so that contours stay smooth. With
    `exclusive`, a pixel in more than one mask is kept only in the most probable one. With `largest_component`,
    only the largest 8-connected component of each mask is kept (released code for Cityscapes).
    """
    if len(probs) == 0:
        return torch.zeros(0, *size, dtype=torch.bool)
    full = upsample(probs[:, None], size)[:, 0]  # [T, H', W']
    masks = full > section.mask_threshold
    if section.exclusive:
        masks &= full.argmax(dim=0) == torch.arange(len(full), device=full.device)[:, None, None]
    if section.largest_component:
        masks = torch.from_numpy(np.stack([largest_component(mask) for mask in masks.cpu().numpy()]))
    return masks


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Return the largest 8-connected component of a bool mask [H, W]; the first of equal ones; an empty mask as is."""
    components, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count < 2:
        return mask
    largest: np.ndarray = components == np.bincount(components.ravel())[1:].argmax() + 1
    return largest
