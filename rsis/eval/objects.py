"""How well each true object was found, whatever the scorers make of it."""

import numpy as np
import pandas as pd
from pycocotools import mask as coco_mask

from rsis.eval.ground_truth import GroundTruth
from rsis.eval.prediction_file import PredictionFile
from rsis.eval.scores import OBJECT_COLUMNS


def score_objects(predictions: PredictionFile, truth: GroundTruth) -> pd.DataFrame:
    """Return a row for each true object of the predicted images, crowd regions aside.

    Columns image_id, class_name, area (pixels), iou (with the predicted mask that overlaps it most, of
    whatever class, 0..1), step (the decoder step of that mask; NaN where no mask touches the object) and
    share (of the image's pixels, 0..1). Several objects may have the same mask as their best.
    """
    rows = []
    for image in predictions.images:
        targets = [item for item in truth.annotations(image.image_id) if not item.iscrowd]
        found = [instance.rle for instance in image.instances]
        iou = np.zeros((len(found), len(targets)))
        if found and targets:
            iou = np.asarray(coco_mask.iou(found, [item.rle for item in targets], [0] * len(targets)))
        for n, item in enumerate(targets):
            best = int(iou[:, n].argmax()) if found else -1
            overlap = float(iou[best, n]) if found else 0.0
            step = image.instances[best].step if overlap > 0 else np.nan
            name = truth.class_names[item.class_id - 1]
            share = item.area / (image.size[0] * image.size[1])
            rows.append((image.image_id, name, item.area, overlap, step, share))
    return pd.DataFrame(rows, columns=list(OBJECT_COLUMNS))
