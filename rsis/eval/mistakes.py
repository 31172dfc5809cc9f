"""Error analysis: the kind of error of each predicted mask, and whether objects were left at each decoder step.

A mask counts once, for its most probable class. The masks of an image are judged in falling order of their score
(class probability times objectness). A mask has the first of these kinds whose condition holds; IoU is with true
objects, not with crowd regions:

    correct         IoU >= 0.5 with an object of its class that is not matched yet; the best such object is matched
    duplicate       IoU >= 0.5 with an object of its class, but each of them is matched already
    classification  IoU >= 0.5 with an object of another class
    ignored         at least half of the mask lies in a crowd region
    localisation    IoU >= 0.1 with an object of any class
    background      IoU < 0.1 with every object
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rsis.eval.detections import overlaps
from rsis.eval.scores import MASK_COLUMNS, OBJECT_COLUMNS, STEP_COLUMNS
from rsis.eval.truths.base import GroundTruth, TrueObject
from rsis.prediction_file import ImagePrediction

KINDS = ("correct", "duplicate", "classification", "localisation", "background", "ignored")
FOUND_IOU, TOUCHED_IOU = 0.5, 0.1

Row = tuple[Any, ...]


@dataclass(frozen=True)
class ImageRows:
    """The rows of one image in the tables of `rsis.eval.scores`, each a tuple in the order of the table's columns.

    Attributes:
        objects: One for each true object, without crowd regions. One mask may be the best mask of two or more objects.
        masks: One for each predicted mask, in predicted order; `iou` is the highest with a true object of any class.
        steps: One for each decoder step that was run; `left` is 1 if the image has more than `step` true objects, so
            that a perfect network would predict another object at this step, otherwise 0.
    """

    objects: tuple[Row, ...]
    masks: tuple[Row, ...]
    steps: tuple[Row, ...]


def judge_image(image: ImagePrediction, class_names: Sequence[str], truth: GroundTruth) -> ImageRows:
    """Return the rows of an image.

    Args:
        image: The predictions of an image of `truth`.
        class_names: Names of their classes.
        truth: The ground truth.
    """
    annotated = truth.annotations(image.image_id)
    targets = [item for item in annotated if not item.iscrowd]
    predicted = [instance.rle for instance in image.instances]
    iou = overlaps(predicted, [item.rle for item in targets])
    in_crowd = overlaps(predicted, [item.rle for item in annotated if item.iscrowd], crowd=True)
    classes = [class_names[instance.class_id - 1] for instance in image.instances]
    true_classes = [truth.class_names[item.class_id - 1] for item in targets]
    kinds = _kinds(image, iou, in_crowd, np.array([[a == b for b in true_classes] for a in classes], bool))
    masks = tuple(
        (image.image_id, instance.step, name, instance.objectness, float(iou[n].max(initial=0.0)), kinds[n])
        for n, (instance, name) in enumerate(zip(image.instances, classes, strict=True))
    )
    steps = tuple(
        (image.image_id, step, value, int(step < len(targets))) for step, value in enumerate(image.objectness)
    )
    return ImageRows(_object_rows(image, targets, true_classes, iou), masks, steps)


def tables_of(rows: Sequence[ImageRows]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the tables of objects, masks and steps with the rows of all images."""
    objects = [row for image in rows for row in image.objects]
    masks = [row for image in rows for row in image.masks]
    steps = [row for image in rows for row in image.steps]
    return (
        pd.DataFrame(objects, columns=list(OBJECT_COLUMNS)),
        pd.DataFrame(masks, columns=list(MASK_COLUMNS)),
        pd.DataFrame(steps, columns=list(STEP_COLUMNS)),
    )


def _object_rows(
    image: ImagePrediction, targets: Sequence[TrueObject], names: Sequence[str], iou: np.ndarray
) -> tuple[Row, ...]:
    """Return the row of each true object; `step` is NaN if no mask overlaps it, `iou` is float [masks, objects]."""
    rows = []
    for n, (item, name) in enumerate(zip(targets, names, strict=True)):
        best = int(iou[:, n].argmax()) if len(iou) else -1
        overlap = float(iou[best, n]) if len(iou) else 0.0
        step = image.instances[best].step if overlap > 0 else np.nan
        rows.append((image.image_id, name, item.area, overlap, step, item.area / (image.size[0] * image.size[1])))
    return tuple(rows)


def _kinds(image: ImagePrediction, iou: np.ndarray, in_crowd: np.ndarray, same_class: np.ndarray) -> list[str]:
    """Return the kind of each mask of an image.

    Args:
        image: The predicted masks.
        iou: float [masks, objects].
        in_crowd: float [masks, crowd regions], the fraction of the mask in the region.
        same_class: bool [masks, objects], whether the mask's most probable class is the object's.
    """
    same_class = same_class.reshape(iou.shape)
    kinds = [""] * len(iou)
    matched = np.zeros(iou.shape[1], bool)
    scores = [instance.class_prob * instance.objectness for instance in image.instances]
    for n in np.argsort(-np.array(scores), kind="stable").tolist():
        overlapping = iou[n] >= FOUND_IOU
        free = overlapping & same_class[n] & ~matched
        if free.any():
            matched[np.where(free, iou[n], -1).argmax()] = True
            kinds[n] = "correct"
        elif (overlapping & same_class[n]).any():
            kinds[n] = "duplicate"
        elif overlapping.any():
            kinds[n] = "classification"
        elif in_crowd[n].max(initial=0.0) >= FOUND_IOU:
            kinds[n] = "ignored"
        else:
            kinds[n] = "localisation" if (iou[n] >= TOUCHED_IOU).any() else "background"
    return kinds
