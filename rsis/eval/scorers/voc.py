"""The scorer of Pascal VOC: AP^r, the average precision of masks at fixed IoU thresholds, and class-agnostic recall.

AP^r (Hariharan et al. 2014) is VOC's average precision with masks in place of boxes. The detections of one
class in all images are sorted by falling score. Each is compared with the object of its class and image with which it
has the highest IoU. It is a true positive if this IoU reaches the threshold and no earlier detection has matched the
object, and a false positive otherwise. AP is the area under the precision-recall curve, after the precision is made
non-increasing (VOC 2010 and later). The AP^r of a data set is the mean over its classes that have objects.

Recall (paper, table 4) is the fraction of all objects, of any class, for which a proposal reaches the IoU threshold.
The proposals of an image are its masks, each counted once; if there are more than allowed, those with the highest
objectness are used.
"""

from importlib.metadata import version

import numpy as np
import pandas as pd

from rsis.config.runs import ScoreSection
from rsis.eval.detections import detections_of, overlaps
from rsis.eval.scores import ScorerResult
from rsis.eval.truths.base import GroundTruth
from rsis.masks import RLE
from rsis.prediction_file import ImagePrediction, PredictionFile

OVERLAPS = (0.5, 0.6, 0.7, 0.8, 0.9)
RECALL_OVERLAPS = (0.5, 0.7, 0.85)
PROPOSALS = (10, 50)


def score_voc(predictions: PredictionFile, truth: GroundTruth, rules: ScoreSection) -> ScorerResult:
    """Score a prediction file.

    Crowd regions of the ground truth are not used, since VOC has none.

    Args:
        predictions: Predictions for at least one image.
        truth: Ground truth with all images of `predictions` in the same sizes, and all its class names.
        rules: `classes` decides whether a mask counts for each class or for its most probable one.

    Returns:
        Metrics voc/APr50 .. voc/APr90 (AP^r at IoU .5 .. .9) and their mean voc/APr, overall and per class (NaN for a
        class without objects); overall also voc/AR10_iou50, voc/AR10_iou70, voc/AR10_iou85, the recall at these IoU
        thresholds with at most 10 proposals per image, and the same with AR50 for 50 proposals. All are 0..1.
    """
    targets = {
        image.image_id: [item for item in truth.annotations(image.image_id) if not item.iscrowd]
        for image in predictions.images
    }
    rows = []
    for class_id, name in enumerate(truth.class_names, 1):
        of_class = {
            image_id: [item.rle for item in items if item.class_id == class_id] for image_id, items in targets.items()
        }
        values = _class_precisions(predictions, predictions.class_names.index(name) + 1, of_class, rules)
        columns = dict(zip((f"voc/APr{round(100 * t)}" for t in OVERLAPS), values, strict=True))
        rows.append({"class_name": name, **columns, "voc/APr": float(np.mean(values))})
    per_class = pd.DataFrame(rows)
    means = {str(key): float(value) for key, value in per_class.drop(columns="class_name").mean().items()}
    metrics = {key: value for key, value in means.items() if not np.isnan(value)}
    metrics |= _recalls(predictions, {image_id: [item.rle for item in items] for image_id, items in targets.items()})
    curve = pd.DataFrame({"iou": OVERLAPS, "ap": [metrics.get(f"voc/APr{round(100 * t)}", np.nan) for t in OVERLAPS]})
    return ScorerResult(
        version=f"rsis, masks by pycocotools {version('pycocotools')}",
        metrics=metrics,
        per_image=pd.DataFrame({"image_id": [image.image_id for image in predictions.images]}),
        per_class=per_class,
        curve=curve,
    )


def average_precision(is_true: np.ndarray, num_objects: int) -> float:
    """Return the area under the precision-recall curve, after the precision is made non-increasing.

    Args:
        is_true: bool [D], whether each detection is a true positive, in falling order of the scores.
        num_objects: Number of true objects, at least one.
    """
    hits = np.cumsum(is_true)
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    # recall rises by 1 / num_objects at each true positive, and only there
    return float(envelope[is_true].sum() / num_objects)


def _class_precisions(
    predictions: PredictionFile, class_id: int, targets: dict[str, list[RLE]], rules: ScoreSection
) -> list[float]:
    """Return AP at each of `OVERLAPS` for one class; all NaN when it has no object."""
    num_objects = sum(map(len, targets.values()))
    if num_objects == 0:
        return [float("nan")] * len(OVERLAPS)
    scores: list[float] = []
    best: list[float] = []  # highest IoU of each detection with an object
    objects: list[int] = []  # number of that object among all objects of the class
    first = 0
    for image in predictions.images:
        rles = targets[image.image_id]
        detections = [item for item in detections_of(image, rules.classes) if item.class_id == class_id]
        iou = overlaps([item.rle for item in detections], rles)  # [D, N]
        scores += [item.score for item in detections]
        best += iou.max(axis=1, initial=0.0).tolist()
        objects += (first + iou.argmax(axis=1)).tolist() if rles else [-1] * len(detections)
        first += len(rles)
    order = np.argsort(-np.array(scores), kind="stable")
    overlap, target = np.array(best)[order], np.array(objects, np.int64)[order]
    return [average_precision(_first_hits(overlap >= t, target), num_objects) for t in OVERLAPS]


def _first_hits(enough: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return bool [D], true for each detection that is the first one to overlap its object enough."""
    is_true = np.zeros(len(enough), bool)
    hits = np.flatnonzero(enough)
    is_true[hits[np.unique(target[hits], return_index=True)[1]]] = True
    return is_true


def _recalls(predictions: PredictionFile, targets: dict[str, list[RLE]]) -> dict[str, float]:
    if not any(targets.values()):
        return {}
    best = {
        limit: np.concatenate([_covered(image, targets, limit) for image in predictions.images]) for limit in PROPOSALS
    }
    return {
        f"voc/AR{limit}_iou{round(100 * t)}": float((values >= t).mean())
        for limit, values in best.items()
        for t in RECALL_OVERLAPS
    }


def _covered(image: ImagePrediction, targets: dict[str, list[RLE]], limit: int) -> np.ndarray:
    """Return float [N], the highest IoU of each object of an image with one of its best `limit` proposals."""
    ranked = sorted(image.instances, key=lambda item: -item.objectness)[:limit]
    covered: np.ndarray = overlaps([item.rle for item in ranked], targets[image.image_id]).max(axis=0, initial=0.0)
    return covered
