"""Overlaps of predicted masks with annotated objects, in the records of the official Cityscapes package.

The package's `assignGt2Preds` reads a file per mask and compares it with each object pixel by pixel. Here the
pixels under a mask are counted once, by their annotated number, and all overlaps are read off the counts.
"""

from functools import cache
from typing import Any

import numpy as np
from cityscapesscripts.helpers.labels import id2label, labels

from rsis.eval.detections import Detection
from rsis.eval.truths.cityscapes import LABEL_IDS
from rsis.masks import pixels_of

Matches = dict[str, dict[str, list[dict[str, Any]]]]
"""The package's record of an image: under "groundTruth" and "prediction", a list for each class name."""

_VOID_IDS = [label.id for label in labels if label.ignoreInEval and label.id >= 0]
_IDS = 1000 * (max(id2label) + 1)  # annotated numbers are below this


def match_image(
    ids: np.ndarray, distances: np.ndarray | None, detections: list[tuple[str, Detection]], labels_of: tuple[int, ...]
) -> Matches:
    """Return what the package's `assignGt2Preds` finds for one image, in plain numbers.

    Args:
        ids: int32 [H, W], the annotation's numbers.
        distances: float [H, W] metres, NaN where unknown; None: no object has a distance.
        detections: Each with the name under which the package would know its mask.
        labels_of: Label id of each of the detections' classes.
    """
    columns = ids.ravel(order="F")  # in the order of a mask's runs
    objects = _describe_objects(columns, None if distances is None else distances.ravel(order="F"))
    targets = {name: [item | {"matchedPred": []} for item in items] for name, items in objects.items()}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in LABEL_IDS}

    @cache
    def pixels_under(counts: str, size: tuple[int, int]) -> np.ndarray:
        """Return int64 [ids]: pixels of each number under a mask, which several detections may share."""
        under = pixels_of({"size": list(size), "counts": counts})  # mostly far fewer than the image has
        return np.bincount(columns[under], minlength=_IDS)

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
        found[class_name].append(record | {"matchedGt": matched})
        predicted += 1
    return {"groundTruth": targets, "prediction": found}


def _describe_objects(columns: np.ndarray, distances: np.ndarray | None) -> dict[str, list[dict[str, Any]]]:
    """Return the package's description of every object and group, by class name and rising number."""
    counts = np.bincount(columns, minlength=_IDS)
    objects: dict[str, list[dict[str, Any]]] = {name: [] for name in LABEL_IDS}
    for number in map(int, np.flatnonzero(counts)):
        label_id = number if number < 1000 else number // 1000
        name = id2label[label_id].name
        if name not in objects:
            continue
        distance, confidence = -1.0, 0.0  # the package's values for "not known"
        if distances is not None:
            known = distances[columns == number]
            known = known[~np.isnan(known)]
            confidence = len(known) / int(counts[number])
            distance = float(np.median(known)) if len(known) else distance
        item = {"instID": number, "labelID": label_id, "pixelCount": int(counts[number])}
        objects[name].append(item | {"medDist": distance, "distConf": confidence})
    return objects
