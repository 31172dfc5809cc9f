"""Overlaps of predicted masks with annotated objects, in the records of the official Cityscapes package.

The package's `assignGt2Preds` reads one file per mask and compares it with each object pixel by pixel. Here the
pixels of a mask are counted once by their instance id, and all its overlaps follow from these counts.
"""

from functools import cache
from typing import Any

import numpy as np
from cityscapesscripts.helpers.labels import id2label, labels

from rsis.eval.detections import Detection
from rsis.eval.truths.cityscapes import LABEL_IDS
from rsis.masks import pixels_of

Matches = dict[str, dict[str, list[dict[str, Any]]]]
"""The package's record of an image: keys "groundTruth" and "prediction", each with a list by class name."""

_VOID_IDS = [label.id for label in labels if label.ignoreInEval and label.id >= 0]
_IDS = 1000 * (max(id2label) + 1)  # all instance ids are below this


def match_image(
    ids: np.ndarray, distances: np.ndarray | None, detections: list[tuple[str, Detection]], labels_of: tuple[int, ...]
) -> Matches:
    """Return the record that the package's `assignGt2Preds` makes for one image.

    Args:
        ids: Instance ids of the annotation, int32 [H, W].
        distances: Distances in metres, float [H, W], NaN where unknown; None if no object has a distance.
        detections: (name, detection) pairs; the name is the file name that the mask would have for the package.
        labels_of: Label id of each class of the detections.
    """
    columns = ids.ravel(order="F")  # column by column, as in run-length encodings
    objects = _describe_objects(columns, None if distances is None else distances.ravel(order="F"))
    targets = {name: [item | {"matchedPred": []} for item in items] for name, items in objects.items()}
    predictions: dict[str, list[dict[str, Any]]] = {name: [] for name in LABEL_IDS}

    @cache
    def pixels_under(counts: str, size: tuple[int, int]) -> np.ndarray:
        """Return int64 [ids], a mask's pixels of each instance id; cached, since detections may share a mask."""
        positions = pixels_of({"size": list(size), "counts": counts})  # usually a small part of the image
        return np.bincount(columns[positions], minlength=_IDS)

    predicted = 0
    for mask_name, detection in detections:
        label_id = labels_of[detection.class_id - 1]
        class_name = id2label[label_id].name
        pixels = pixels_under(detection.rle["counts"], (detection.rle["size"][0], detection.rle["size"][1]))
        area = int(pixels.sum())
        if not area:
            continue
        record = {
            "imgName": mask_name,
            "predID": predicted,
            "labelID": label_id,
            "pixelCount": area,
            "confidence": detection.score,
            "voidIntersection": int(pixels[_VOID_IDS].sum()),
        }
        matched = []
        for item, target in zip(objects[class_name], targets[class_name], strict=True):
            intersection = int(pixels[item["instID"]])
            if intersection:
                matched.append(item | {"intersection": intersection})
                target["matchedPred"].append(record | {"intersection": intersection})
        predictions[class_name].append(record | {"matchedGt": matched})
        predicted += 1
    return {"groundTruth": targets, "prediction": predictions}


def _describe_objects(columns: np.ndarray, distances: np.ndarray | None) -> dict[str, list[dict[str, Any]]]:
    """Return the package's record of each object and group, by class name, in rising order of the instance ids."""
    counts = np.bincount(columns, minlength=_IDS)
    objects: dict[str, list[dict[str, Any]]] = {name: [] for name in LABEL_IDS}
    for number in map(int, np.flatnonzero(counts)):
        label_id = number if number < 1000 else number // 1000
        name = id2label[label_id].name
        if name not in objects:
            continue
        distance, confidence = -1.0, 0.0  # the package's values for "unknown"
        if distances is not None:
            known = distances[columns == number]
            known = known[~np.isnan(known)]
            confidence = len(known) / int(counts[number])
            distance = float(np.median(known)) if len(known) else distance
        item = {"instID": number, "labelID": label_id, "pixelCount": int(counts[number])}
        objects[name].append(item | {"medDist": distance, "distConf": confidence})
    return objects
