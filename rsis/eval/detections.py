"""From predicted masks to the detections that a scorer counts, by the rules of the run's `score` section.

The released code emits every mask once per class, each with score class probability x objectness, and takes
the pixels that the ground truth ignores out of every mask. Both are parameters.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pycocotools import mask as coco_mask

from rsis.eval.ground_truth import GroundTruth
from rsis.eval.prediction_file import ImagePrediction, InstancePrediction, PredictionFile
from rsis.masks import RLE, encode_rle

ClassRule = Literal["all", "best"]


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


def without_ignored(predictions: PredictionFile, truth: GroundTruth) -> PredictionFile:
    """Take the pixels that the truth says nothing about out of every mask; masks left empty are dropped.

    Args:
        predictions: Of any images of `truth`, in the same sizes.
        truth: Says which pixels these are.
    """
    images = []
    for image in predictions.images:
        ignored = truth.ignore_mask(image.image_id)
        images.append(_masked(image, encode_rle(~ignored)) if ignored.any() else image)
    return replace(predictions, images=tuple(images))


def _masked(image: ImagePrediction, counted: RLE) -> ImagePrediction:
    instances: list[InstancePrediction] = []
    for instance in image.instances:
        rest = coco_mask.merge([instance.rle, counted], intersect=True)
        if int(np.asarray(coco_mask.area(rest))) > 0:
            rle = RLE(size=list(image.size), counts=rest["counts"].decode("ascii"))
            instances.append(replace(instance, rle=rle))
    return replace(image, instances=tuple(instances))
