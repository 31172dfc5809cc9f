"""From a checkpoint and a prepared split to a prediction file at the images' original sizes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from scipy import ndimage

from rsis.data.hdf5 import PreparedSplit
from rsis.errors import UserError
from rsis.eval.prediction_file import ImagePrediction, InstancePrediction, PredictionFile, write_predictions
from rsis.files import sha256_of
from rsis.masks import encode_rle
from rsis.model.checkpoint import load_checkpoint
from rsis.model.decoder import join_steps, upsample
from rsis.model.rsis import RSIS, mask_probs, normalize
from rsis.run_config import PredictSection, RunSection
from rsis.structures import RSISOutput

# Steps between two looks at whether there is anything left: several together use the hardware better, fewer are
# fewer in vain.
_STEPS_AT_ONCE = 4


def predict(name: str, run: RunSection, processed: Path, checkpoint: Path, target: Path, *, progress: bool) -> None:
    """Write the prediction file of a run.

    Args:
        name: Name of the run.
        run: Its section of params.yaml.
        processed: Folder with the prepared splits.
        checkpoint: The trained network.
        target: Where the prediction file goes.
        progress: Whether to show a progress bar.

    Raises:
        UserError: The checkpoint is missing, damaged, of another architecture, or of other classes or sizes
            than the data; the prepared split is missing or damaged.
    """
    section = run.predict
    split = PreparedSplit(processed / f"{section.split}.h5")
    network, info = load_checkpoint(checkpoint, expected=run.model)
    for what, ours, theirs in (("classes", info.class_names, split.class_names), ("size", info.size, split.size)):
        if ours != theirs:
            raise UserError(
                f"{checkpoint}: trained on {what} {ours}, but {run.dataset} has {theirs}; "
                f"run `rsis prepare {run.dataset}` and `rsis train {name}` again"
            )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    file = PredictionFile(
        dataset=run.dataset,
        run=name,
        split=section.split,
        checkpoint=sha256_of(checkpoint),
        class_names=info.class_names,
        parameters=section.model_dump(mode="json"),
        images=(),
    )
    write_predictions(target, file, _predictions(network, split, section, progress=progress))


def _predictions(
    network: RSIS, split: PreparedSplit, section: PredictSection, *, progress: bool
) -> Iterator[ImagePrediction]:
    """Yield the prediction of every image of a split, in its order."""
    device = next(network.parameters()).device
    starts = range(0, len(split), section.batch_size)
    for start in track(starts, description="predict", disable=not progress):
        samples = [split.read(i) for i in range(start, min(start + section.batch_size, len(split)))]
        batch = torch.stack([sample.image for sample in samples]).to(device)
        ids_and_sizes = [(sample.image_id, sample.original_size) for sample in samples]
        yield from predict_batch(network, batch, ids_and_sizes, section)


@dataclass(frozen=True)
class Emitted:
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


def predict_batch(
    network: RSIS, images: torch.Tensor, ids_and_sizes: list[tuple[str, tuple[int, int]]], section: PredictSection
) -> list[ImagePrediction]:
    """Predict the objects of a batch, as a prediction file holds them.

    Args:
        network: In eval mode.
        images: uint8 [B, 3, H, W] on the network's device.
        ids_and_sizes: Image id and original (H, W) of each.
        section: Thresholds.

    Returns:
        One prediction for each image, objects in the order the network emitted them.
    """
    results = []
    found = find_objects(network, images, [size for _, size in ids_and_sizes], section)
    for (image_id, size), emitted in zip(ids_and_sizes, found, strict=True):
        instances = [
            InstancePrediction(encode_rle(mask), tuple(probs.tolist()), float(emitted.objectness[step]), int(step))
            for mask, probs, step in zip(emitted.masks, emitted.class_probs, emitted.steps, strict=True)
        ]
        said = tuple(emitted.objectness.tolist())
        results.append(ImagePrediction(image_id, size, tuple(instances), said))
    return results


@dataclass(frozen=True)
class Decoded:
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
    network: RSIS, images: torch.Tensor, sizes: Sequence[tuple[int, int]], section: PredictSection
) -> list[Emitted]:
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
def decode(network: RSIS, images: torch.Tensor, section: PredictSection) -> list[Decoded]:
    """Run the network on images uint8 [B, 3, H, W] until every sequence has ended, `num_steps` steps at most."""
    output = _decode(network, normalize(images).contiguous(memory_format=torch.channels_last), section)
    probs = mask_probs(output, (images.shape[-2], images.shape[-1]))  # [B, T', H, W]
    objectness = torch.sigmoid(output.objectness_logits).cpu().numpy()  # [B, T']
    # among the real classes: class 0 is no class of an object, and matched targets never hold it
    classes = output.class_logits[..., 1:].softmax(dim=-1).cpu().numpy()  # [B, T', K-1]
    return [Decoded(*of_image) for of_image in zip(probs, classes, objectness, strict=True)]


@torch.inference_mode()
def read_out(decoded: Decoded, size: tuple[int, int], section: PredictSection) -> Emitted:
    """Return the objects of what was decoded, their masks of `size` (H', W')."""
    # the sequence ends at the first step that says there is no object (paper, section 3.2)
    length = int((decoded.objectness >= section.objectness_threshold).cumprod().sum())
    masks = binary_masks(decoded.probs[:length], size, section).cpu().numpy()  # [length, H', W']
    steps = np.flatnonzero(masks.sum(axis=(1, 2)) > least_area(size, section))
    return Emitted(masks[steps], decoded.class_probs[steps], steps, decoded.objectness)


def least_area(size: tuple[int, int], section: PredictSection) -> float:
    """Return the pixels that a mask of a picture of `size` must exceed: at least 0, an empty mask is no object."""
    return section.min_area * size[0] * size[1]


def _decode(network: RSIS, images: torch.Tensor, section: PredictSection) -> RSISOutput:
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
