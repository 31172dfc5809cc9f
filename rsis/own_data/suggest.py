"""What the data is like, and what follows from that for a run trained from scratch."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rsis.data.readers import open_split
from rsis.data.samples import BadSampleError
from rsis.dataset_config import AnyDataset
from rsis.errors import UserError

_MOST_READ = 400  # images of a split that are looked at, evenly spaced
_MOST_STEPS = 21  # decoder steps: 20 objects, as many as the paper keeps, and one to end at
_SIDE = 6.0  # pixels that the 10th percentile of the objects keeps on a side
_SIZES = (64, 512)  # of the network's input, multiples of 32
_STEPS = 3000  # of the optimiser, from which on a training from scratch shows what it can
_EPOCHS = (10, 300)


@dataclass(frozen=True)
class Findings:
    """What the images hold.

    Attributes:
        images: Number of images of each split.
        counts: int [images], objects of each image that was looked at.
        sizes: int [images, 2], their (H, W).
        sides: float [objects], square roots of the objects' areas in pixels.
        classes: Objects of each class.
        problems: One line each: files that cannot be used, and what looks wrong.
        bad: Number of images that cannot be used.
    """

    images: dict[str, int]
    counts: np.ndarray
    sizes: np.ndarray
    sides: np.ndarray
    classes: dict[str, int]
    problems: tuple[str, ...]
    bad: int


@dataclass(frozen=True)
class Suggestion:
    """A run's numbers, each with its reason.

    Attributes:
        size: (H, W) of the network's input.
        num_steps: T, also the most objects kept of an image.
        batch_size: Images a step.
        epochs: Of the training.
        reasons: By the name of the number.
        tiling: What to say of images with more objects than T; "" where there are none.
    """

    size: tuple[int, int]
    num_steps: int
    batch_size: int
    epochs: int
    reasons: dict[str, str]
    tiling: str


def inspect(dataset: AnyDataset, root: Path) -> Findings:
    """Look at the images of every split, at most 400 of each.

    Args:
        dataset: The section as it will stand in params.yaml; its size plays no part.
        root: The folder.

    Raises:
        UserError: A split is missing something as a whole, or none of its images can be read.
    """
    lost: list[str] = []
    images: dict[str, int] = {}
    counts: list[int] = []
    sizes: list[tuple[int, int]] = []
    sides: list[float] = []
    problems: list[str] = []
    classes: Counter[str] = Counter()
    bad = 0
    for split in dataset.splits:
        reader = open_split(dataset, root, split, lambda _, message: lost.append(message))
        images[split] = len(reader.image_ids)
        read = 0
        for image_id in _some(reader.image_ids):
            try:
                sample = reader.read(image_id)
            except BadSampleError as error:
                problems.append(str(error))
                bad += 1
                continue
            read += 1
            areas = np.bincount(sample.instance_map.ravel())[1:]
            counts.append(len(areas))
            sizes.append((sample.image.shape[0], sample.image.shape[1]))
            sides.extend(np.sqrt(areas).tolist())
            classes.update(reader.class_names[k - 1] for k in sample.class_ids.tolist())
        if not read:
            raise UserError(f"{root}: none of the {images[split]} images of {split} can be used: {problems[0]}")
        for name in reader.class_names:
            classes.setdefault(name, 0)
    problems = list(dict.fromkeys(lost)) + problems
    found = Findings(
        images, np.array(counts), np.array(sizes), np.array(sides), dict(classes), (), bad + len(set(lost))
    )
    return Findings(**{**vars(found), "problems": (*problems, *_oddities(found))})


def _some(ids: Sequence[str]) -> list[str]:
    if len(ids) <= _MOST_READ:
        return list(ids)
    return [ids[i * len(ids) // _MOST_READ] for i in range(_MOST_READ)]


def _oddities(found: Findings) -> list[str]:
    """Return what is readable and yet probably not what was meant."""
    odd = []
    without = int((found.counts == 0).sum())
    if without:
        odd.append(f"{without} of {len(found.counts)} images have no object")
    if len(found.counts) > 1 and found.counts.max() == 1:
        odd.append("no image has two objects: these may be masks of a class, not of each object")
    unused = [name for name, count in found.classes.items() if count == 0]
    if unused:
        odd.append(f"no object of {', '.join(unused)}")
    return odd


def suggest(found: Findings) -> Suggestion:
    """Derive a run's numbers from what the images hold.

    Raises:
        UserError: There is no object.
    """
    if not len(found.sides):
        raise UserError("no image has an object; expected annotated ones, with numbers or masks above 0")
    most, small = int(found.counts.max()), float(np.percentile(found.sides, 10))
    num_steps = min(most + 1, _MOST_STEPS)
    height, width = (float(side) for side in np.median(found.sizes, axis=0))
    scale = min(_SIDE / small, 1.0)
    size = (_round(height * scale, height), _round(width * scale, width))
    train = found.images["train"]
    batch = max(1, min(8, train))
    low, high = _EPOCHS
    epochs = max(low, min(high, math.ceil(_STEPS / max(1, train // batch))))
    reasons = {
        "size": f"median image {height:.0f} x {width:.0f}, a tenth of the objects under {small:.0f} pixels a side",
        "num_steps": f"one more than the most objects of an image, {most}" + (", at most 21" if most > 20 else ""),
        "epochs": f"{max(1, train // batch)} steps each",
    }
    over = int((found.counts > num_steps - 1).sum())
    tiling = ""
    if over:
        share = math.sqrt((num_steps - 1) / (2 * most))  # a tile with half as many as it could have, for uneven ones
        tile = [max(32, round(side * share)) for side in (height, width)]
        tiling = (
            f"{over} of {len(found.counts)} images have more objects than the {num_steps - 1} that one sequence emits: "
            f"the largest are kept in training; predict with tiles, --tile {tile[0]} {tile[1]}"
        )
    return Suggestion(size, num_steps, batch, epochs, reasons, tiling)


def _round(side: float, original: float) -> int:
    """Return a multiple of 32 within the allowed sizes, and not far above the original."""
    low, high = _SIZES
    most = max(low, min(high, 32 * math.ceil(original / 32)))
    return int(min(most, max(low, 32 * round(side / 32))))


def run_numbers(chosen: Suggestion, findings: Findings) -> dict[str, Any]:
    """Return what else the run needs that depends on the numbers: when it validates and how its sequence grows."""
    return {
        "validate_every": max(1, chosen.epochs // 10),
        # at its full length after half of the training
        "grow_every": max(1, chosen.epochs // (2 * chosen.num_steps)),
        "start": min(3, chosen.num_steps),
        "split": "test" if "test" in findings.images else "val",
        "scorers": "[cvppp, coco]" if len(findings.classes) == 1 else "[coco]",
    }
