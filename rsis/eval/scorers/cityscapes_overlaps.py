"""Overlaps of predicted masks with annotated objects, in the records of the official Cityscapes package.

The package's `assignGt2Preds` reads one file per mask and compares it with each object pixel by pixel. Here the
pixels of a mask are counted once by their instance id, from the runs of the annotation; all its overlaps follow from
these counts. They are kept as arrays; `records_of` makes the package's records of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cityscapesscripts.helpers.labels import labels

from rsis.eval.detections import Detection
from rsis.eval.truths.cityscapes import LABEL_IDS
from rsis.eval.truths.label_runs import LabelRuns

Matches = dict[str, dict[str, list[dict[str, Any]]]]
"""The package's record of an image: keys "groundTruth" and "prediction", each with a list by class name."""

_VOID_IDS = [label.id for label in labels if label.ignoreInEval and label.id >= 0]


@dataclass(frozen=True)
class ImageOverlaps:
    """What the package's records of an image are made of: N objects and groups, P masks, D detections.

    Attributes:
        ids: int64 [N], instance ids of the objects and groups of the evaluated classes, rising.
        areas: int64 [N], their pixels.
        distances: float64 [N], their distances in metres; -1 where unknown, the package's value.
        confidences: float64 [N], the fraction of their pixels with a distance.
        mask_areas: int64 [P], pixels of each mask.
        void: int64 [P], pixels of each mask in void.
        shared: int64 [P, N], pixels that a mask shares with an object.
        masks: int64 [D], the mask of each detection; detections of empty masks are left out.
        label_ids: int64 [D], label ids of their classes.
        scores: float64 [D], 0..1.
    """

    ids: np.ndarray
    areas: np.ndarray
    distances: np.ndarray
    confidences: np.ndarray
    mask_areas: np.ndarray
    void: np.ndarray
    shared: np.ndarray
    masks: np.ndarray
    label_ids: np.ndarray
    scores: np.ndarray


def count_overlaps(
    runs: LabelRuns, distances: np.ndarray | None, detections: Sequence[Detection], labels_of: Sequence[int]
) -> ImageOverlaps:
    """Count the pixels that masks share with objects.

    Args:
        runs: Runs of the instance ids.
        distances: Distances in metres, float [H, W], NaN where unknown; None if no object has a distance.
        detections: The detections of the image, which may share masks.
        labels_of: Label id of each class of the detections.
    """
    numbers, areas = runs.areas()
    index = np.searchsorted(numbers, runs.labels)
    number_of = {counts: n for n, counts in enumerate(dict.fromkeys(item.rle["counts"] for item in detections))}
    masks = {number_of[item.rle["counts"]]: item.rle for item in detections}
    pixels = np.zeros((len(masks), len(numbers)), np.int64)
    for n, rle in masks.items():
        pixels[n] = runs.pixels_under(rle, index, len(numbers))
    mask_areas = pixels.sum(axis=1)
    kept = [item for item in detections if mask_areas[number_of[item.rle["counts"]]]]
    evaluated = np.isin(np.where(numbers < 1000, numbers, numbers // 1000), list(LABEL_IDS.values()))
    return ImageOverlaps(
        numbers[evaluated],
        areas[evaluated],
        *_distances(numbers[evaluated], areas[evaluated], runs, distances),
        mask_areas=mask_areas,
        void=pixels[:, np.isin(numbers, _VOID_IDS)].sum(axis=1),
        shared=pixels[:, evaluated],
        masks=np.array([number_of[item.rle["counts"]] for item in kept], np.int64),
        label_ids=np.array([labels_of[item.class_id - 1] for item in kept], np.int64),
        scores=np.array([item.score for item in kept], np.float64),
    )


def _distances(
    ids: np.ndarray, areas: np.ndarray, runs: LabelRuns, distances: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the median distance of each object over its pixels with a distance, and the fraction of these pixels."""
    medians, confidences = np.full(len(ids), -1.0), np.zeros(len(ids))  # the package's values for "unknown"
    if distances is None:
        return medians, confidences
    columns = distances.ravel(order="F")
    for n, number in enumerate(ids):
        mine = runs.labels == number
        pixels = [columns[a:b] for a, b in zip(runs.starts[mine], runs.ends[mine], strict=True)]
        known = np.concatenate(pixels)
        known = known[~np.isnan(known)]
        confidences[n] = len(known) / int(areas[n])
        medians[n] = np.median(known) if len(known) else -1.0
    return medians, confidences


def records_of(image: ImageOverlaps, class_name: str) -> Matches:
    """Return the records that the package's `assignGt2Preds` makes of one class, but for names of files."""
    label_id = LABEL_IDS[class_name]
    own = np.flatnonzero(np.where(image.ids < 1000, image.ids, image.ids // 1000) == label_id).tolist()
    objects: dict[int, dict[str, Any]] = {
        n: {
            "instID": int(image.ids[n]),
            "labelID": label_id,
            "pixelCount": int(image.areas[n]),
            "medDist": float(image.distances[n]),
            "distConf": float(image.confidences[n]),
        }
        for n in own
    }
    targets: dict[int, dict[str, Any]] = {n: item | {"matchedPred": []} for n, item in objects.items()}
    predictions = []
    for d in np.flatnonzero(image.label_ids == label_id).tolist():
        p = image.masks[d]
        record = {
            "predID": d,
            "labelID": label_id,
            "pixelCount": int(image.mask_areas[p]),
            "confidence": float(image.scores[d]),
            "voidIntersection": int(image.void[p]),
        }
        shared = {n: int(image.shared[p, n]) for n in own if image.shared[p, n]}
        for n, pixels in shared.items():
            targets[n]["matchedPred"].append(record | {"intersection": pixels})
        matched = [objects[n] | {"intersection": pixels} for n, pixels in shared.items()]
        predictions.append(record | {"matchedGt": matched})
    return {"groundTruth": {class_name: list(targets.values())}, "prediction": {class_name: predictions}}
