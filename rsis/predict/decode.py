"""The objects of a batch of images: the network's steps, the end of each sequence, binary masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from rsis.config.runs import PredictSection
from rsis.model.convlstm.decoder import join_steps, upsample
from rsis.model.network import RSISNetwork, mask_probs, normalize
from rsis.structures import RSISOutput

# Steps between two looks at whether there is anything left: several together use the hardware better, fewer are
# fewer in vain.
_STEPS_AT_ONCE = 4


@dataclass(frozen=True)
class DetectedObjects:
    """What the network found in one image, before anyone's file format.

    Attributes:
        masks: bool [n, H', W'] at the image's own size, in the order they were emitted; none is empty.
        class_probs: float [n, K-1], among the real classes, 0..1.
        steps: int [n], the decoder steps, from 0.
        objectness: float [T'], of every step that was run, 0..1.
    """

    masks: np.ndarray
    class_probs: np.ndarray
    steps: np.ndarray
    objectness: np.ndarray


@dataclass(frozen=True)
class StepOutputs:
    """What the network said of one image, before any threshold on masks.

    Attributes:
        probs: float [T', H, W], the masks' probabilities at the network's size, of every step that was run.
        class_probs: float [T', K-1], among the real classes, 0..1.
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
        sizes: (H', W') that the masks of each image are to have.
        section: Thresholds.
    """
    decoded = decode(network, images, section)
    return [read_out(item, size, section) for item, size in zip(decoded, sizes, strict=True)]


@torch.inference_mode()
def decode(network: RSISNetwork, images: torch.Tensor, section: PredictSection) -> list[StepOutputs]:
    """Run the network on images uint8 [B, 3, H, W] until every sequence has ended, `num_steps` steps at most."""
    output = _decode(network, normalize(images).contiguous(memory_format=torch.channels_last), section)
    probs = mask_probs(output, (images.shape[-2], images.shape[-1]))  # [B, T', H, W]
    objectness = torch.sigmoid(output.objectness_logits).cpu().numpy()  # [B, T']
    # among the real classes: class 0 is no class of an object, and matched targets never hold it
    classes = output.class_logits[..., 1:].softmax(dim=-1).cpu().numpy()  # [B, T', K-1]
    return [StepOutputs(*of_image) for of_image in zip(probs, classes, objectness, strict=True)]


@torch.inference_mode()
def read_out(decoded: StepOutputs, size: tuple[int, int], section: PredictSection) -> DetectedObjects:
    """Return the objects of what was decoded, their masks of `size` (H', W')."""
    # the sequence ends at the first step that says there is no object (paper, section 3.2)
    length = int((decoded.objectness >= section.objectness_threshold).cumprod().sum())
    masks = binary_masks(decoded.probs[:length], size, section).cpu().numpy()  # [length, H', W']
    steps = np.flatnonzero(masks.sum(axis=(1, 2)) > least_area(size, section))
    return DetectedObjects(masks[steps], decoded.class_probs[steps], steps, decoded.objectness)


def least_area(size: tuple[int, int], section: PredictSection) -> float:
    """Return the pixels that a mask of a picture of `size` must exceed: at least 0, an empty mask is no object."""
    return section.min_area * size[0] * size[1]


def _decode(network: RSISNetwork, images: torch.Tensor, section: PredictSection) -> RSISOutput:
    """Run the network until every image's sequence has ended, `section.num_steps` steps at most."""
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
    """Return bool [T, H', W'] at the image's own size (H', W') from probabilities [T, H, W].

    Probabilities are resized before the threshold, as the original does, so that contours stay smooth. With
    `exclusive` a pixel that several objects claim goes to the most probable one. With `largest_component`
    a mask keeps the largest of its 8-connected parts (released code for Cityscapes).
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
    """Return the largest 8-connected part of a bool mask [H, W], of equals the first; an empty mask stays."""
    parts, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count < 2:
        return mask
    largest: np.ndarray = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    return largest
