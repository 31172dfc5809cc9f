"""The scorer of Cityscapes: the instance evaluation of the official package, run in this process.

The package's own functions match predictions with objects, compute precision and recall, and average them. The
package's entry point to these functions is not used. It reads one file per mask, compares each mask with each object
pixel by pixel, caches the ground truth of the first data set in the installed package, writes `matches.json` to the
working directory, and fails with current numpy. Instead `match_image` counts the overlaps in one pass per mask, and
passes them to these functions in the package's own form. Nothing is written.

Summary of the metric: AP is the mean over IoU .50:.05:.95 and over the classes that occur. When two or more
predictions overlap an object enough, one is a true positive and the others are false positives. A prediction that
matches no object is not a false positive when it lies mostly in void, in groups, or in objects under 100 pixels.
"""

import warnings
from copy import copy
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as official

from rsis.config.runs import ScoreSection
from rsis.errors import UserError
from rsis.eval.detections import detections_of
from rsis.eval.scorers.cityscapes_overlaps import Matches, match_image
from rsis.eval.scores import ScorerResult
from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.cityscapes import LABEL_IDS, CityscapesTruth
from rsis.machine.pool import map_in_processes
from rsis.prediction_file import ImagePrediction, PredictionFile

_METRICS = {"cityscapes/AP": "Ap", "cityscapes/AP50": "Ap50%"}
_FEWEST = 8  # images whose work takes as long as the start of a process
_DISTANCE_METRICS = {"cityscapes/AP100m": "Ap100m", "cityscapes/AP50m": "Ap50m"}


def score_cityscapes(
    predictions: PredictionFile, truth: GroundTruth, rules: ScoreSection, workers: int | None = None
) -> ScorerResult:
    """Score a prediction file; overlapping masks are not changed.

    The distance of an object is the median over its pixels that have a disparity. An object with a disparity at fewer
    than half of its pixels is in no distance range. The thresholds are the official ones; the measurement is this
    module's, since the package has none.

    Args:
        predictions: Predictions for at least one image.
        truth: Ground truth of Cityscapes, with all images of `predictions` in the same sizes, and all its class names.
        rules: `classes` decides whether a mask counts for each class or for its most probable one.
        workers: Number of processes that compare masks; None chooses it (see `map_in_processes`), 1 uses this process
            alone. The result does not depend on it.

    Returns:
        Metrics, overall and per class: cityscapes/AP, cityscapes/AP50 (IoU .50 only), and if there are disparities
        cityscapes/AP100m and cityscapes/AP50m (AP of objects up to that distance in metres). A metric without any
        object is left out of the metrics and is NaN in a class's row.

    Raises:
        UserError: `truth` is of another format, a class is not one of Cityscapes, an annotation cannot be
            read, or a worker process was killed.
    """
    if not isinstance(truth, CityscapesTruth):
        raise UserError(
            "score.scorers: cityscapes judges data sets of format cityscapes alone, this one is of another; "
            "take it out of the run's scorers in params.yaml"
        )
    task = _Task(truth, label_ids(predictions.class_names), rules)
    results = map_in_processes(task, predictions.images, workers, fewest=_FEWEST)
    matches = dict(zip((image.image_id for image in predictions.images), results, strict=True))
    return _result(matches, predictions, truth)


def label_ids(class_names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the Cityscapes label id of each class.

    Raises:
        UserError: A class is not one of the eight evaluated ones.
    """
    for name in class_names:
        if name not in LABEL_IDS:
            raise UserError(
                f"class {name!r} is not one of Cityscapes' ({', '.join(LABEL_IDS)}); predict with a model of these"
            )
    return tuple(LABEL_IDS[name] for name in class_names)


def _arguments(with_distances: bool) -> Any:
    """Return a changed copy of the package's settings; the original settings stay."""
    arguments = copy(official.args)
    arguments.quiet, arguments.distanceAvailable = True, with_distances
    official.setInstanceLabels(arguments)
    return arguments


def _result(matches: dict[str, Matches], predictions: PredictionFile, truth: CityscapesTruth) -> ScorerResult:
    """Compute the package's averages over the matches of all images, and rename its metrics."""
    arguments = _arguments(truth.has_distances)
    precision = _precisions(matches, arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean over no class is NaN, as intended
        averages = official.computeAverages(precision, arguments)
        curve = pd.DataFrame({"iou": np.round(arguments.overlaps, 2), "ap": np.nanmean(precision[0], axis=0)})
    columns = _METRICS | (_DISTANCE_METRICS if truth.has_distances else {})
    figures = {name: float(averages[f"all{key}"]) for name, key in columns.items()}
    of_class = averages["classes"]
    rows = [
        {"class_name": name} | {column: float(of_class[name][key.lower()]) for column, key in columns.items()}
        for name in truth.class_names
    ]
    return ScorerResult(
        version=f"cityscapesscripts {version('cityscapesscripts')}",
        metrics={name: value for name, value in figures.items() if not np.isnan(value)},
        per_image=pd.DataFrame({"image_id": [image.image_id for image in predictions.images]}),
        per_class=pd.DataFrame(rows),
        curve=curve,
    )


def _precisions(matches: dict[str, Matches], arguments: Any) -> np.ndarray:
    """Return the package's AP, float [distance range, class, IoU threshold]; NaN where there is no object.

    The package raises IndexError for a class whose objects are all missed and whose predictions are all ignored, since
    the precision-recall curve has no point. So each value is computed separately, and such a value is 0.
    """
    limits = list(zip(arguments.minRegionSizes, arguments.distanceThs, arguments.distanceConfs, strict=True))
    limits = limits if arguments.distanceAvailable else limits[:1]
    precision = np.zeros((len(limits), len(arguments.instLabels), len(arguments.overlaps)))
    one = copy(arguments)
    for d, k, o in np.ndindex(*precision.shape):
        one.minRegionSizes, one.distanceThs, one.distanceConfs = ([value] for value in limits[d])
        one.instLabels, one.overlaps = [arguments.instLabels[k]], [arguments.overlaps[o]]
        try:
            precision[d, k, o] = official.evaluateMatches(matches, one).item()
        except IndexError:
            precision[d, k, o] = 0.0
    return precision


class _Task:
    """Function that matches the predictions of one image; it is sent once to each worker process."""

    def __init__(self, truth: CityscapesTruth, labels_of: tuple[int, ...], rules: ScoreSection) -> None:
        self._truth, self._labels_of, self._rules = truth, labels_of, rules

    def __call__(self, image: ImagePrediction) -> Matches:
        ids = self._truth.instance_ids(image.image_id)
        distances = self._truth.distances(image.image_id) if self._truth.has_distances else None
        detections = detections_of(image, self._rules.classes)
        named = [(f"{image.image_id}_{n:02d}.png", detection) for n, detection in enumerate(detections)]
        return match_image(ids, distances, named, self._labels_of)
