"""Suggest parameters of a run that is trained from scratch on a user's images."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rsis.errors import UserError
from rsis.own_data.findings import Findings

_MOST_STEPS = 51  # decoder steps in training: more take long, and a shorter sequence teaches as much
_MOST_OBJECTS = 100  # least of the steps in prediction, which ends by itself
_SIDE = 14.0  # pixels: least side of the 10th percentile of the objects at the network's size
_SIZES = (64, 512)  # least and largest side of the network's input, multiples of 32
_STEPS = 1500  # optimiser steps that a training from scratch needs for good results
_STEPS_EACH = 40  # fewer for few images, which more steps would only learn by heart: so many for each
_FEWEST = 300  # but at least so many
_EPOCHS = (10, 500)  # least and most; each writes a checkpoint, which dominates the time of many short epochs
_BATCHES = (8, 4)  # images in a batch; smaller batches bring no benefit, and harm batch normalisation
_FEW_STEPS = 8  # optimiser steps in an epoch: with fewer, the smaller batch is taken


@dataclass(frozen=True)
class Suggestion:
    """Suggested parameters of a run, each with its reason.

    Attributes:
        size: (H, W) of the network's input.
        num_steps: T, also the most objects kept of an image.
        batch_size: Images in a batch.
        epochs: Number of epochs.
        reasons: The reason for each parameter, by its name.
        notes: One line for each limit that the images exceed: more objects than T - 1, objects that are too small.
    """

    size: tuple[int, int]
    num_steps: int
    batch_size: int
    epochs: int
    reasons: dict[str, str]
    notes: tuple[str, ...]


def suggest(found: Findings) -> Suggestion:
    """Derive a run's parameters from the statistics of the images.

    Raises:
        UserError: No image has an object.
    """
    if not len(found.sides):
        raise UserError(_nothing(found))
    most = int(found.counts.max())
    num_steps = min(most + 1, _MOST_STEPS)
    height, width = (float(side) for side in np.median(found.sizes, axis=0))
    small = _small(found, (height, width))
    scale = _scale(small, (height, width))
    size = (_round(height * scale, height), _round(width * scale, width))
    train = found.images["train"]
    large, little = _BATCHES
    batch = large if train >= large * _FEW_STEPS else max(1, min(little, train))
    steps = max(1, train // batch)
    low, high = _EPOCHS
    wanted = max(_FEWEST, min(_STEPS, _STEPS_EACH * train))
    epochs = max(low, min(high, math.ceil(wanted / steps)))
    limit = f", at most {_MOST_STEPS}" if most >= _MOST_STEPS else ""
    reasons = {
        "size": f"median image {height:.0f} x {width:.0f}, a tenth of the objects under {small:.0f} pixels a side",
        "num_steps": f"one more than the most objects of an image, {most}{limit}",
        "batch_size": f"{train} images to train on",
        "epochs": f"of {steps} {'step' if steps == 1 else 'steps'}, {epochs * steps} in all",
    }
    notes = [*_dense(found, num_steps), *_tiny(small, size, (height, width), float(np.percentile(found.sides, 10)))]
    return Suggestion(size, num_steps, batch, epochs, reasons, tuple(notes))


def _nothing(found: Findings) -> str:
    """Return why no image has an object, and what to do."""
    if not found.dropped:
        return "no image has an object; expected annotated ones, with numbers or masks above 0"
    reason = max(found.dropped, key=lambda reason: found.dropped[reason])
    number, whole = found.dropped[reason], sum(found.dropped.values())
    named = {
        "crowd": ("are iscrowd, and these are ignored", "take them as objects with --crowd object"),
        "box without outline": ("are boxes without outlines", "export polygons or masks, or draw them first"),
        "cannot be drawn": ("cannot be drawn", "export them again"),
        "empty mask": ("have no pixel in their image", "correct their coordinates"),
        "hidden by others": ("are hidden by others", "correct their masks"),
    }
    what, remedy = named[reason]
    shown = "".join(f" ({line})" for line in found.oddities if f"({reason})" in line)
    return f"no image has an object: {number} of {whole} annotations {what}{shown}; {remedy}"


def _small(found: Findings, image: tuple[float, float]) -> float:
    """Return the 10th percentile of the objects' sides, in pixels of an image of this size (H, W).

    Every picture is resized to the same size, so an object counts in proportion to its own picture.
    """
    own = np.sqrt(found.sizes.prod(axis=1, dtype=np.float64)).repeat(found.counts)
    return float(np.percentile(found.sides / own, 10)) * math.sqrt(image[0] * image[1])


def _scale(small: float, image: tuple[float, float]) -> float:
    """Return the factor, at most 1, by which to scale images whose small objects have `small` pixels a side.

    The objects keep at least `_SIDE` pixels if the limits `_SIZES` of the image's sides allow it.
    """
    low, high = _SIZES
    enough = max(min(_SIDE / small, 1.0), min(low / min(image), 1.0))
    return min(enough, high / max(image))


def _round(side: float, original: float) -> int:
    """Return the side as a multiple of 32 within `_SIZES`; except at the lower limit, less than 32 above `original`."""
    low, high = _SIZES
    most = max(low, min(high, 32 * math.ceil(original / 32)))
    return int(min(most, max(low, 32 * round(side / 32))))


def _dense(found: Findings, num_steps: int) -> list[str]:
    over = int((found.counts > num_steps - 1).sum())
    if not over:
        return []
    return [
        f"{over} of {len(found.counts)} images have more objects than the {num_steps - 1} of a sequence in training, "
        "where the largest are kept; cut pictures and annotations into smaller ones, or raise num_steps and "
        "max_instances, which takes longer. Prediction has no such limit"
    ]


def _tiny(small: float, size: tuple[int, int], image: tuple[float, float], drawn: float) -> list[str]:
    """Return a note if objects, `drawn` pixels a side in their own pictures, become too small for the network."""
    left = small * math.sqrt(size[0] * size[1] / (image[0] * image[1]))
    if left >= _SIDE / 2 or drawn < _SIDE / 2:
        return []
    return [
        f"a tenth of the objects are under {left:.1f} pixels a side at the network's size, {size[0]} x {size[1]}: "
        "cut the pictures and their annotations into smaller ones before training"
    ]


def run_numbers(chosen: Suggestion, findings: Findings) -> dict[str, Any]:
    """Return the run's other parameters that depend on these: for validation, prediction and scoring."""
    return {
        "validate_every": max(1, chosen.epochs // 10),
        "most_steps": max(_MOST_OBJECTS, 2 * chosen.num_steps),
        "split": "test" if "test" in findings.images else "val",
        "scorers": "[cvppp, coco]" if findings.used_classes == 1 else "[coco]",
    }
