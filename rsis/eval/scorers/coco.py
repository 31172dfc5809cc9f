"""The scorer of COCO: average precision and recall of masks, computed by pycocotools.

It runs in this process, prints nothing and writes no file. Images, objects and classes get new integer
ids: ids of an annotation file may be text, and pycocotools treats an object with id 0 as unmatched.
"""

import contextlib
import io
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rsis.config.runs import ScoreSection
from rsis.eval.detections import detections_of
from rsis.eval.scores import ScorerResult
from rsis.eval.truths.base import GroundTruth
from rsis.prediction_file import PredictionFile


def score_coco(predictions: PredictionFile, truth: GroundTruth, rules: ScoreSection) -> ScorerResult:
    """Score a prediction file.

    Overlapping masks are not changed. Crowd regions are ignored as in pycocotools: a detection inside of a crowd
    region is not a false positive.

    Args:
        predictions: Predictions for at least one image.
        truth: Ground truth with all images of `predictions` in the same sizes, and all its class names.
        rules: `classes` decides whether a mask counts for each class or for its most probable one.

    Returns:
        Metrics, overall and per class: coco/AP (mean over IoU .50:.05:.95), coco/AP50, coco/AP75,
        coco/AP_small (objects under 32^2 pixels), coco/AP_medium, coco/AP_large (over 96^2), and coco/AR1,
        coco/AR10, coco/AR100 (mean recall with at most that many detections per image). A metric without
        any object is left out of the metrics and is NaN in a class's row.
    """
    evaluation = _evaluate(predictions, truth, rules)
    precision, recall = evaluation["precision"], evaluation["recall"]
    figures = _figures(precision, recall)
    rows = []
    for k, name in enumerate(truth.class_names):
        rows.append({"class_name": name, **_figures(precision[:, :, [k]], recall[:, [k]])})
    return ScorerResult(
        version=f"pycocotools {version('pycocotools')}",
        metrics={name: value for name, value in figures.items() if not np.isnan(value)},
        per_image=pd.DataFrame({"image_id": [image.image_id for image in predictions.images]}),
        per_class=pd.DataFrame(rows),
        curve=pd.DataFrame(
            {"iou": np.arange(50, 100, 5) / 100, "ap": [_mean(precision[i, ..., 0, 2]) for i in range(10)]}
        ),
    )


def _evaluate(predictions: PredictionFile, truth: GroundTruth, rules: ScoreSection) -> dict[str, Any]:
    """Run pycocotools; return its precision [IoU, recall, class, area, limit] and its recall [IoU, class, area, limit].

    A value of -1 is undefined; "limit" is the maximum number of detections per image.
    """
    images: list[dict[str, Any]] = []
    targets: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    class_ids = [truth.class_names.index(name) + 1 for name in predictions.class_names]
    for image_number, image in enumerate(predictions.images, 1):
        images.append({"id": image_number, "height": image.size[0], "width": image.size[1]})
        for annotated in truth.annotations(image.image_id):
            target = {"segmentation": annotated.rle, "area": annotated.area, "iscrowd": int(annotated.iscrowd)}
            target |= {"id": len(targets) + 1, "image_id": image_number, "category_id": annotated.class_id}
            targets.append(target)
        for item in detections_of(image, rules.classes):
            detection = {"segmentation": item.rle, "area": float(coco_mask.area(item.rle)), "iscrowd": 0}
            detection |= {"id": len(detections) + 1, "image_id": image_number, "score": item.score}
            detections.append(detection | {"category_id": class_ids[item.class_id - 1]})
    categories = [{"id": k, "name": name} for k, name in enumerate(truth.class_names, 1)]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_index(images, categories, targets), _index(images, categories, detections), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
    result: dict[str, Any] = evaluation.eval
    return result


def _index(images: list[dict[str, Any]], categories: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> COCO:
    index = COCO()
    index.dataset = {"images": images, "categories": categories, "annotations": annotations}
    index.createIndex()
    return index


def _figures(precision: np.ndarray, recall: np.ndarray) -> dict[str, float]:
    """Return the metrics, each a mean over the defined values of its settings; NaN if there are none."""
    return {
        "coco/AP": _mean(precision[..., 0, 2]),
        "coco/AP50": _mean(precision[0, ..., 0, 2]),
        "coco/AP75": _mean(precision[5, ..., 0, 2]),
        "coco/AP_small": _mean(precision[..., 1, 2]),
        "coco/AP_medium": _mean(precision[..., 2, 2]),
        "coco/AP_large": _mean(precision[..., 3, 2]),
        "coco/AR1": _mean(recall[..., 0, 0]),
        "coco/AR10": _mean(recall[..., 0, 1]),
        "coco/AR100": _mean(recall[..., 0, 2]),
    }


def _mean(values: np.ndarray) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else float("nan")
