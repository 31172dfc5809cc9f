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

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd

from rsis.eval.detections import detections_of, overlaps
from rsis.eval.scorers.base import Scorer
from rsis.eval.scores import ScorerResult
from rsis.prediction_file import ImagePrediction

OVERLAPS = (0.5, 0.6, 0.7, 0.8, 0.9)
RECALL_OVERLAPS = (0.5, 0.7, 0.85)
PROPOSALS = (10, 50)


@dataclass(frozen=True)
class ImageOverlaps:
    """What the metrics need of an image with N objects and D detections.

    Attributes:
        object_classes: int64 [N], class of each object.
        classes: int64 [D], class of each detection, by the ground truth's numbers.
        scores: float64 [D], class probability times objectness.
        best: float64 [D], the highest IoU with an object of the class, 0..1.
        objects: int64 [D], number of that object among the objects of its class in the image; -1 if there is none.
        covered: float64 [limits, N], the highest IoU of each object with one of the best proposals, by `PROPOSALS`.
    """

    object_classes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    best: np.ndarray
    objects: np.ndarray
    covered: np.ndarray


class VocScorer(Scorer[ImageOverlaps]):
    """AP^r and recall; crowd regions of the ground truth are not used, since VOC has none.

    A mask counts for each class or for its most probable one, as `rules.classes` says.

    The metrics: voc/APr50 .. voc/APr90 (AP^r at IoU .5 .. .9) and their mean voc/APr, overall and per class (NaN for a
    class without objects); overall also voc/AR10_iou50, voc/AR10_iou70, voc/AR10_iou85, the recall at these IoU
    thresholds with at most 10 proposals per image, and the same with AR50 for 50 proposals. All are 0..1.
    """

    def measure(self, image: ImagePrediction) -> ImageOverlaps:
        """Return the overlap of each detection with the objects of its class, and that of each object."""
        targets = [item for item in self.truth.annotations(image.image_id) if not item.iscrowd]
        iou = overlaps([item.rle for item in image.instances], [item.rle for item in targets])  # [masks, N]
        object_classes = np.array([item.class_id for item in targets], np.int64)
        number_of = {id(item.rle): number for number, item in enumerate(image.instances)}
        detections = detections_of(image, self.rules.classes)
        masks = np.array([number_of[id(item.rle)] for item in detections], np.int64)
        class_ids = np.array([self.truth.class_names.index(name) + 1 for name in self.class_names])
        classes = class_ids[[item.class_id - 1 for item in detections]] if detections else np.zeros(0, np.int64)
        best, objects = np.zeros(len(detections)), np.full(len(detections), -1)
        for class_id in np.unique(object_classes):
            of_class = classes == class_id
            with_objects = iou[masks[of_class]][:, object_classes == class_id]
            best[of_class], objects[of_class] = with_objects.max(axis=1), with_objects.argmax(axis=1)
        ranked = np.argsort([-item.objectness for item in image.instances], kind="stable")
        covered = np.array([iou[ranked[:limit]].max(axis=0, initial=0.0) for limit in PROPOSALS])
        scores = np.array([item.score for item in detections], np.float64)
        return ImageOverlaps(object_classes, classes, scores, best, objects, covered)

    def combine(self, image_ids: Sequence[str], measured: Sequence[ImageOverlaps]) -> ScorerResult:
        """Return the precisions of each class and the recalls."""
        rows = []
        for class_id, name in enumerate(self.truth.class_names, 1):
            values = _class_precisions(measured, class_id)
            columns = dict(zip((f"voc/APr{round(100 * t)}" for t in OVERLAPS), values, strict=True))
            rows.append({"class_name": name, **columns, "voc/APr": float(np.mean(values))})
        per_class = pd.DataFrame(rows)
        means = {str(key): float(value) for key, value in per_class.drop(columns="class_name").mean().items()}
        metrics = {key: value for key, value in means.items() if not np.isnan(value)}
        metrics |= _recalls(np.concatenate([image.covered for image in measured], axis=1))
        values = [metrics.get(f"voc/APr{round(100 * t)}", np.nan) for t in OVERLAPS]
        return ScorerResult(
            version=f"rsis, masks by pycocotools {version('pycocotools')}",
            metrics=metrics,
            per_image=pd.DataFrame({"image_id": list(image_ids)}),
            per_class=per_class,
            curve=pd.DataFrame({"iou": OVERLAPS, "ap": values}),
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


def _class_precisions(measured: Sequence[ImageOverlaps], class_id: int) -> list[float]:
    """Return AP at each of `OVERLAPS` for one class; all NaN when it has no object."""
    counts = [int((image.object_classes == class_id).sum()) for image in measured]
    if not any(counts):
        return [float("nan")] * len(OVERLAPS)
    chosen = [image.classes == class_id for image in measured]
    scores = np.concatenate([image.scores[mine] for image, mine in zip(measured, chosen, strict=True)])
    best = np.concatenate([image.best[mine] for image, mine in zip(measured, chosen, strict=True)])
    first = np.cumsum([0, *counts[:-1]])  # number of an image's first object among all objects of the class
    numbers = np.concatenate(
        [
            np.where(image.objects[mine] < 0, -1, image.objects[mine] + n)
            for image, mine, n in zip(measured, chosen, first, strict=True)
        ]
    )
    order = np.argsort(-scores, kind="stable")
    return [average_precision(_first_hits(best[order] >= t, numbers[order]), sum(counts)) for t in OVERLAPS]


def _first_hits(enough: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return bool [D], true for each detection that is the first one to overlap its object enough."""
    is_true = np.zeros(len(enough), bool)
    hits = np.flatnonzero(enough)
    is_true[hits[np.unique(target[hits], return_index=True)[1]]] = True
    return is_true


def _recalls(covered: np.ndarray) -> dict[str, float]:
    """Return the recalls of all objects, covered as in `ImageOverlaps`; empty without an object."""
    if not covered.shape[1]:
        return {}
    return {
        f"voc/AR{limit}_iou{round(100 * t)}": float((values >= t).mean())
        for limit, values in zip(PROPOSALS, covered, strict=True)
        for t in RECALL_OVERLAPS
    }
