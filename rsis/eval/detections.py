"""From predicted masks to the detections or the map that a scorer counts, by the rules of the run's `score` section.

The released code emits every mask once per class, each with score class probability x objectness, and takes
the pixels that the ground truth ignores out of every mask. Both are parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pycocotools import mask as coco_mask

from rsis.eval.truths.base import GroundTruth
from rsis.machine.pool import map_in_processes
from rsis.masks import RLE, decode_rle, encode_rle, masks_to_map
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile

ClassRule = Literal["all", "best"]
OverlapRule = Literal["first", "probable"]


@dataclass(frozen=True)
class Detection:
    """One mask said to be one object of one class.

    Attributes:
        rle: The mask, at the image's original size.
        class_id: 1..K-1, position in the prediction file's class names counted from 1.
        score: Class probability times objectness, 0..1.
    """

    rle: RLE
    class_id: int
    score: float


def detections_of(image: ImagePrediction, classes: ClassRule) -> list[Detection]:
    """Return the detections of an image in predicted order.

    Args:
        image: Its masks.
        classes: "all": every mask once per class (released code); "best": once, for its most probable class.
    """
    found = []
    for instance in image.instances:
        ids = range(1, len(instance.class_probs) + 1) if classes == "all" else [instance.class_id]
        for class_id in ids:
            score = instance.class_probs[class_id - 1] * instance.objectness
            found.append(Detection(instance.rle, class_id, score))
    return found


def overlaps(found: Sequence[RLE], regions: Sequence[RLE], *, crowd: bool = False) -> np.ndarray:
    """Return float [found, regions]: IoU of masks, or of crowd regions the share of the mask that lies in each."""
    if not found or not regions:
        return np.zeros((len(found), len(regions)))
    return np.asarray(coco_mask.iou(list(found), list(regions), [int(crowd)] * len(regions)))


def instance_map_of(image: ImagePrediction, overlap: OverlapRule) -> np.ndarray:
    """Return an image's masks as one map, int32 [H, W]: 0 = background, 1..N = objects in order of precedence.

    A mask that loses all its pixels has no label, so labels stay consecutive. Classes play no part.

    Args:
        image: Its masks.
        overlap: Which object keeps a contested pixel: "first", the one predicted first; "probable", the one
            of the highest objectness, of equals the first.
    """
    instances = list(image.instances)
    if overlap == "probable":
        instances.sort(key=lambda item: -item.objectness)
    masks = np.zeros((len(instances), *image.size), bool)
    for mask, instance in zip(masks, instances, strict=True):
        mask[:] = decode_rle(instance.rle)
    return masks_to_map(masks)


def without_ignored(predictions: PredictionFile, truth: GroundTruth) -> PredictionFile:
    """Take the pixels that the truth says nothing about out of every mask; masks left empty are dropped.

    Crowd regions stay: the scorers forgive what lies in them, which they could not of a mask without its pixels.

    Args:
        predictions: Of any images of `truth`, in the same sizes.
        truth: Says which pixels these are.
    """
    return replace(predictions, images=tuple(map_in_processes(_WithoutIgnored(truth), predictions.images)))


class _WithoutIgnored:
    """What `without_ignored` does to one image; sent once to every process."""

    def __init__(self, truth: GroundTruth) -> None:
        self._truth = truth

    def __call__(self, image: ImagePrediction) -> ImagePrediction:
        ignored = self._truth.ignore_mask(image.image_id)
        for item in self._truth.annotations(image.image_id) if ignored.any() else ():
            if item.iscrowd:
                ignored &= ~decode_rle(item.rle)
        return _masked(image, encode_rle(~ignored)) if ignored.any() else image


def _masked(image: ImagePrediction, counted: RLE) -> ImagePrediction:
    instances: list[InstancePrediction] = []
    for instance in image.instances:
        rest = coco_mask.merge([instance.rle, counted], intersect=True)
        if int(np.asarray(coco_mask.area(rest))) > 0:
            rle = RLE(size=list(image.size), counts=rest["counts"].decode("ascii"))
            instances.append(replace(instance, rle=rle))
    return replace(image, instances=tuple(instances))
