"""The scorer of COCO: average precision and recall of masks, computed by pycocotools.

It prints nothing and writes no file. pycocotools compares the masks of one image at a time, and sums up the matches of
all images. Images, objects and classes get new integer ids: ids of an annotation file may be text, and pycocotools
treats an object with id 0 as unmatched.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rsis.eval.detections import detections_of
from rsis.eval.scorers.base import Scorer
from rsis.eval.scores import ScorerResult
from rsis.prediction_file import ImagePrediction


@dataclass(frozen=True)
class ClassMatches:
    """pycocotools' matches of one class in one image, for A ranges of area, T thresholds, D detections and N objects.

    Attributes:
        scores: float64 [D], falling; at most 100 detections.
        matched: bool [A, T, D], whether a detection is matched with an object.
        ignored: bool [A, T, D], whether a detection is ignored.
        objects_ignored: bool [A, N], whether an object is ignored.
    """

    scores: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray
    objects_ignored: np.ndarray

    def record(self, a: int) -> dict[str, Any]:
        """Return pycocotools' own record for a range of area, as far as its summation reads it."""
        return {
            "dtScores": self.scores,
            "dtMatches": self.matched[a],
            "dtIgnore": self.ignored[a],
            "gtIgnore": self.objects_ignored[a],
        }


class CocoScorer(Scorer[dict[int, ClassMatches]]):
    """Average precision and recall of pycocotools; overlapping masks are not changed.

    A mask counts for each class or for its most probable one, as `rules.classes` says. Crowd regions are ignored as in
    pycocotools: a detection inside of a crowd region is not a false positive.

    The metrics, overall and per class: coco/AP (mean over IoU .50:.05:.95), coco/AP50, coco/AP75, coco/AP_small
    (objects under 32^2 pixels), coco/AP_medium, coco/AP_large (over 96^2), and coco/AR1, coco/AR10, coco/AR100 (mean
    recall with at most that many detections per image). A metric without any object is left out of the metrics and is
    NaN in a class's row.
    """

    def measure(self, image: ImagePrediction) -> dict[int, ClassMatches]:
        """Return the matches by class id, 1..K-1; a class without a detection and an object is left out."""
        evaluation = self._evaluation(image)
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.evaluate()
        records = np.array(evaluation.evalImgs, object).reshape(len(self.truth.class_names), -1)  # [class, area]
        return {k: _class_matches(list(of_class)) for k, of_class in enumerate(records, 1) if of_class[0] is not None}

    def combine(self, image_ids: Sequence[str], measured: Sequence[dict[int, ClassMatches]]) -> ScorerResult:
        """Sum up the matches of all images with pycocotools."""
        evaluation = COCOeval(iouType="segm")
        parameters = evaluation.params
        parameters.imgIds = list(range(1, len(image_ids) + 1))
        parameters.catIds = list(range(1, len(self.truth.class_names) + 1))
        evaluation._paramsEval = parameters
        evaluation.evalImgs = [
            of_image[k].record(a) if k in of_image else None
            for k in parameters.catIds
            for a in range(len(parameters.areaRng))
            for of_image in measured
        ]
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.accumulate()
        # [IoU, recall, class, area, limit] and [IoU, class, area, limit]; "limit" is the maximum number of detections
        # per image; a value of -1 is undefined
        precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
        figures = _figures(precision, recall)
        rows = []
        for k, name in enumerate(self.truth.class_names):
            rows.append({"class_name": name, **_figures(precision[:, :, [k]], recall[:, [k]])})
        return ScorerResult(
            version=f"pycocotools {version('pycocotools')}",
            metrics={name: value for name, value in figures.items() if not np.isnan(value)},
            per_image=pd.DataFrame({"image_id": list(image_ids)}),
            per_class=pd.DataFrame(rows),
            curve=pd.DataFrame(
                {"iou": np.arange(50, 100, 5) / 100, "ap": [_mean(precision[i, ..., 0, 2]) for i in range(10)]}
            ),
        )

    def _evaluation(self, image: ImagePrediction) -> COCOeval:
        """Return pycocotools' evaluation of one image, whose id is 1."""
        class_ids = [self.truth.class_names.index(name) + 1 for name in self.class_names]
        images = [{"id": 1, "height": image.size[0], "width": image.size[1]}]
        targets = [
            {"id": number, "image_id": 1, "category_id": item.class_id, "segmentation": item.rle}
            | {"area": item.area, "iscrowd": int(item.iscrowd)}
            for number, item in enumerate(self.truth.annotations(image.image_id), 1)
        ]
        found = detections_of(image, self.rules.classes)
        areas = {item.rle["counts"]: float(coco_mask.area(item.rle)) for item in image.instances}
        detections = [
            {"id": number, "image_id": 1, "category_id": class_ids[item.class_id - 1], "segmentation": item.rle}
            | {"area": areas[item.rle["counts"]], "iscrowd": 0, "score": item.score}
            for number, item in enumerate(found, 1)
        ]
        categories = [{"id": k, "name": name} for k, name in enumerate(self.truth.class_names, 1)]
        with contextlib.redirect_stdout(io.StringIO()):
            return COCOeval(_index(images, categories, targets), _index(images, categories, detections), "segm")


def _class_matches(records: list[dict[str, Any]]) -> ClassMatches:
    """Return pycocotools' records of one class, one for each range of area, as arrays."""
    return ClassMatches(
        scores=np.array(records[0]["dtScores"], np.float64),
        matched=np.stack([record["dtMatches"] for record in records]) > 0,
        ignored=np.stack([record["dtIgnore"] for record in records]).astype(bool),
        objects_ignored=np.stack([record["gtIgnore"] for record in records]).astype(bool),
    )


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
