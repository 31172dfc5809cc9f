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

import numpy as np
import pandas as pd

from rsis.eval.detections import overlaps
from rsis.eval.scores import MASK_COLUMNS, OBJECT_COLUMNS, STEP_COLUMNS
from rsis.eval.truths.base import GroundTruth
from rsis.prediction_file import ImagePrediction, PredictionFile

KINDS = ("correct", "duplicate", "classification", "localisation", "background", "ignored")
FOUND_IOU, TOUCHED_IOU = 0.5, 0.1


def judge_masks(predictions: PredictionFile, truth: GroundTruth) -> pd.DataFrame:
    """Return a row for each predicted mask, in predicted order.

    The columns are image_id, step (decoder step), class_name (the most probable class), objectness (0..1), iou (the
    highest IoU with a true object of any class, 0..1) and kind (see the top of the module).
    """
    rows = []
    for image in predictions.images:
        annotated = truth.annotations(image.image_id)
        targets = [item for item in annotated if not item.iscrowd]
        predicted = [instance.rle for instance in image.instances]
        iou = overlaps(predicted, [item.rle for item in targets])
        in_crowd = overlaps(predicted, [item.rle for item in annotated if item.iscrowd], crowd=True)
        classes = [predictions.class_names[instance.class_id - 1] for instance in image.instances]
        true_classes = [truth.class_names[item.class_id - 1] for item in targets]
        kinds = _kinds(image, iou, in_crowd, np.array([[a == b for b in true_classes] for a in classes], bool))
        for n, (instance, name) in enumerate(zip(image.instances, classes, strict=True)):
            best = float(iou[n].max(initial=0.0))
            rows.append((image.image_id, instance.step, name, instance.objectness, best, kinds[n]))
    return pd.DataFrame(rows, columns=list(MASK_COLUMNS))


def judge_steps(predictions: PredictionFile, truth: GroundTruth) -> pd.DataFrame:
    """Return a row for each decoder step that was run.

    The columns are image_id, step (counted from 0), objectness (0..1) and left: 1 if the image has more than `step`
    true objects, so that a perfect network would predict another object at this step, otherwise 0.
    """
    rows = []
    for image in predictions.images:
        count = sum(not item.iscrowd for item in truth.annotations(image.image_id))
        rows += [(image.image_id, step, value, int(step < count)) for step, value in enumerate(image.objectness)]
    return pd.DataFrame(rows, columns=list(STEP_COLUMNS))


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


def score_objects(predictions: PredictionFile, truth: GroundTruth) -> pd.DataFrame:
    """Return a row for each true object of the predicted images, without crowd regions.

    The columns are image_id, class_name, area (pixels), iou (the highest IoU with a predicted mask of any class,
    0..1), step (the decoder step of that mask; NaN if no mask overlaps the object) and share (the area as a fraction
    of the image, 0..1). One mask may be the best mask of two or more objects.
    """
    rows = []
    for image in predictions.images:
        targets = [item for item in truth.annotations(image.image_id) if not item.iscrowd]
        iou = overlaps([instance.rle for instance in image.instances], [item.rle for item in targets])
        for n, item in enumerate(targets):
            best = int(iou[:, n].argmax()) if len(iou) else -1
            overlap = float(iou[best, n]) if len(iou) else 0.0
            step = image.instances[best].step if overlap > 0 else np.nan
            name = truth.class_names[item.class_id - 1]
            share = item.area / (image.size[0] * image.size[1])
            rows.append((image.image_id, name, item.area, overlap, step, share))
    return pd.DataFrame(rows, columns=list(OBJECT_COLUMNS))
