"""Activations of the encoder's blocks inside each predicted object, before and after training.

The activation of a block is the mean over the channels of its rectified output, resized bilinearly to the size of the
network's input. For each mask its mean and its maximum are computed (the paper does not say which of them it used).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import lightning.pytorch as pl
import numpy as np
import torch
from torch.nn import functional as F

from rsis.config.runs import RunSection
from rsis.data.prepared.file import PreparedSplit
from rsis.model.any import Network, make_network
from rsis.order.correlation import Emission
from rsis.predict.decode import DetectedObjects, find_objects

STAGES = ("before", "after")
POOLINGS = ("mean", "max")


@dataclass(frozen=True)
class Observed:
    """One image with its predicted objects and the activations of the encoder.

    Attributes:
        emission: Its objects as numbers.
        image: uint8 [H, W, 3], RGB, at the size of the network's input.
        masks: bool [n, H, W], in predicted order.
        maps: By (block, stage) float [H, W], the block's activation.
    """

    emission: Emission
    image: np.ndarray
    masks: np.ndarray
    maps: dict[tuple[str, str], np.ndarray]


def untrained(run: RunSection, num_classes: int) -> Network:
    """Return the network that the run's training began with: the same random numbers, the same weights.

    Raises:
        UserError: The pretrained weights of the backbone are missing and cannot be downloaded.
    """
    pl.seed_everything(run.train.seed, workers=True, verbose=False)
    return make_network(run.model, num_classes).eval()


def observe(networks: dict[str, Network], split: PreparedSplit, run: RunSection) -> Iterator[Observed]:
    """Yield every image of a split.

    Args:
        networks: The network of each stage, in eval mode, on one device; the objects are predicted by that of "after".
        split: Prepared images.
        run: The run; its section `predict` has the thresholds.
    """
    section = run.predict
    device = next(networks["after"].parameters()).device
    for start in range(0, len(split), section.batch_size):
        samples = [split.read(i) for i in range(start, min(start + section.batch_size, len(split)))]
        images = torch.stack([sample.image for sample in samples]).to(device)  # [B, 3, H, W]
        found = find_objects(networks["after"], images, [split.size] * len(samples), section)
        maps = {stage: activation_maps(network, images) for stage, network in networks.items()}
        for i, (sample, objects) in enumerate(zip(samples, found, strict=True)):
            image_maps = {(block, stage): values[i] for stage, of in maps.items() for block, values in of.items()}
            emission = _emission(sample.image_id, split.size, objects, image_maps)
            picture = sample.image.permute(1, 2, 0).numpy()
            yield Observed(emission, picture, objects.masks, image_maps)


@torch.inference_mode()
def activation_maps(network: Network, images: torch.Tensor) -> dict[str, np.ndarray]:
    """Return float32 [B, H, W] of each block of the encoder, "f4" (stride 2) to "f0" (stride 32), those there are.

    Args:
        network: In eval mode.
        images: uint8 [B, 3, H, W] on its device.
    """
    size = (images.shape[-2], images.shape[-1])
    features = network.encoder.backbone(network.normalize(images).contiguous(memory_format=torch.channels_last))
    maps = {}
    for level, feature in enumerate(features.values()):  # shallowest first
        mean = feature.relu().mean(dim=1, keepdim=True)  # [B, 1, h, w]
        resized = F.interpolate(mean, size, mode="bilinear", align_corners=False)
        maps[f"f{4 - level}"] = resized.squeeze(1).float().cpu().numpy()
    return maps


def _emission(
    image_id: str, size: tuple[int, int], objects: DetectedObjects, maps: dict[tuple[str, str], np.ndarray]
) -> Emission:
    masks = objects.masks
    areas = masks.sum(axis=(1, 2))
    rows, columns = np.arange(size[0]), np.arange(size[1])
    centres = np.stack([masks.sum(axis=2) @ rows / areas, masks.sum(axis=1) @ columns / areas], axis=1)
    activations: dict[tuple[str, str, str], np.ndarray] = {}
    for (block, stage), values in maps.items():
        pools = {"mean": [values[mask].mean() for mask in masks], "max": [values[mask].max() for mask in masks]}
        activations |= {(block, pooling, stage): np.array(pooled) for pooling, pooled in pools.items()}
    classes = objects.class_probs.argmax(axis=1) + 1
    return Emission(image_id, size, classes, centres, areas, activations)
