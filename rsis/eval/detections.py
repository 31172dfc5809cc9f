"""Conversion of predicted masks to detections or to an instance map, by the rules of the run's `score` section.

The original implementation makes one detection per mask and class, with score class probability x objectness, and
removes the pixels that the ground truth ignores from each mask. Both rules are parameters here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pycocotools import mask as coco_mask

from rsis.eval.truths.base import GroundTruth
from rsis.masks import RLE, decode_rle, encode_rle, pixels_of, relabel
from rsis.prediction_file import ImagePrediction, InstancePrediction

ClassRule = Literal["all", "best"]
OverlapRule = Literal["first", "probable"]


@dataclass(frozen=True)
class Detection:
    """One detection: a mask, a class and a score.

    Attributes:
        rle: Mask at the image's original size.
        class_id: Class, 1..K-1, in the order of the prediction file's class names.
        score: Class probability times objectness, 0..1.
    """

    rle: RLE
    class_id: int
    score: float


def detections_of(image: ImagePrediction, classes: ClassRule) -> list[Detection]:
    """Return the detections of an image in predicted order.

    Args:
        image: The predicted masks of the image.
        classes: "all" makes one detection per mask and class, as the original implementation does; "best" makes one
            detection per mask, of its most probable class.
    """
    detections = []
    for instance in image.instances:
        ids = range(1, len(instance.class_probs) + 1) if classes == "all" else [instance.class_id]
        for class_id in ids:
            score = instance.class_probs[class_id - 1] * instance.objectness
            detections.append(Detection(instance.rle, class_id, score))
    return detections


def overlaps(predicted: Sequence[RLE], regions: Sequence[RLE], *, crowd: bool = False) -> np.ndarray:
    """Return float [masks, regions], 0..1: the IoU or, for crowd regions, the fraction of the mask in the region."""
    if not predicted or not regions:
        return np.zeros((len(predicted), len(regions)))
    return np.asarray(coco_mask.iou(list(predicted), list(regions), [int(crowd)] * len(regions)))


def instance_map_of(image: ImagePrediction, overlap: OverlapRule) -> np.ndarray:
    """Return an image's masks as one instance map, int32 [H, W]: 0 = background, 1..N = objects by precedence.

    A mask that loses all its pixels gets no label, so the labels are consecutive. Classes are ignored.

    Args:
        image: The predicted masks of the image.
        overlap: The object that a pixel of several masks belongs to: "first" is the object that was predicted first;
            "probable" is the object with the highest objectness, or the first of equally probable ones.
    """
    instances = list(image.instances)
    if overlap == "probable":
        instances.sort(key=lambda item: -item.objectness)
    height, width = image.size
    columns = np.zeros(height * width, np.int32)  # one after the other, as in run-length encodings
    for precedence, instance in reversed(list(enumerate(instances, 1))):
        columns[pixels_of(instance.rle)] = precedence
    return relabel(np.ascontiguousarray(columns.reshape(width, height).T))


def without_ignored(image: ImagePrediction, truth: GroundTruth) -> ImagePrediction:
    """Remove the pixels that the ground truth ignores from each mask; drop the masks that become empty.

    The pixels of crowd regions are kept: the scorers ignore masks that lie in crowd regions, and need these pixels to
    do so.

    Args:
        image: Predictions of an image of `truth`, in the same size.
        truth: The ground truth, which provides the ignore mask and the crowd regions.
    """
    ignored = truth.ignore_mask(image.image_id)
    if not ignored.any():
        return image
    for item in truth.annotations(image.image_id):
        if item.iscrowd:
            ignored = ignored & ~decode_rle(item.rle)
    return _masked(image, encode_rle(~ignored)) if ignored.any() else image


def _masked(image: ImagePrediction, counted: RLE) -> ImagePrediction:
    instances: list[InstancePrediction] = []
    for instance in image.instances:
        rest = coco_mask.merge([instance.rle, counted], intersect=True)
        if int(np.asarray(coco_mask.area(rest))) > 0:
            rle = RLE(size=list(image.size), counts=rest["counts"].decode("ascii"))
            instances.append(replace(instance, rle=rle))
    return replace(image, instances=tuple(instances))
