"""The scorer of Cityscapes: the instance evaluation of the official package, run in this process.

The package's own functions match predictions with objects, compute precision and recall, and average them. The
package's entry point to these functions is not used. It reads one file per mask, compares each mask with each object
pixel by pixel, caches the ground truth of the first data set in the installed package, writes `matches.json` to the
working directory, and fails with current numpy. Instead `count_overlaps` counts the overlaps of an image from run
lengths, and `records_of` passes them to these functions in the package's own form. Nothing is written.

Summary of the metric: AP is the mean over IoU .50:.05:.95 and over the classes that occur. When two or more
predictions overlap an object enough, one is a true positive and the others are false positives. A prediction that
matches no object is not a false positive when it lies mostly in void, in groups, or in objects under 100 pixels.
"""

import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as official

from rsis.config.runs import ScoreSection
from rsis.errors import UserError
from rsis.eval.detections import detections_of
from rsis.eval.scorers.base import Scorer
from rsis.eval.scorers.cityscapes_overlaps import ImageOverlaps, count_overlaps, records_of
from rsis.eval.scores import ScorerResult
from rsis.eval.truths.base import GroundTruth, ReadOnce
from rsis.eval.truths.cityscapes import LABEL_IDS, CityscapesTruth
from rsis.prediction_file import ImagePrediction

_METRICS = {"cityscapes/AP": "Ap", "cityscapes/AP50": "Ap50%"}
_DISTANCE_METRICS = {"cityscapes/AP100m": "Ap100m", "cityscapes/AP50m": "Ap50m"}


class CityscapesScorer(Scorer[ImageOverlaps]):
    """AP of the official package; overlapping masks are not changed.

    A mask counts for each class or for its most probable one, as `rules.classes` says. The distance of an object is the
    median over its pixels that have a disparity. An object with a disparity at fewer than half of its pixels is in no
    distance range. The thresholds are the official ones; the measurement is this package's, since the official one has
    none.

    The metrics, overall and per class: cityscapes/AP, cityscapes/AP50 (IoU .50 only), and if there are disparities
    cityscapes/AP100m and cityscapes/AP50m (AP of objects up to that distance in metres). A metric without any object is
    left out of the metrics and is NaN in a class's row.

    Raises:
        UserError: `truth` is of another format, or a class is not one of Cityscapes.
    """

    handles_ignored = True  # the official rules forgive what lies in ignored pixels
    fewest = 24

    def __init__(self, truth: GroundTruth, class_names: Sequence[str], rules: ScoreSection) -> None:
        source = truth.source if isinstance(truth, ReadOnce) else truth
        if not isinstance(source, CityscapesTruth):
            raise UserError(
                "score.scorers: cityscapes judges data sets of format cityscapes alone, this one is of another; "
                "take it out of the run's scorers in params.yaml"
            )
        super().__init__(truth, class_names, rules)
        self._source, self._labels_of = source, label_ids(class_names)

    def measure(self, image: ImagePrediction) -> ImageOverlaps:
        """Return the pixels that the masks share with the objects."""
        distances = self._source.distances(image.image_id) if self._source.has_distances else None
        detections = detections_of(image, self.rules.classes)
        return count_overlaps(self._source.runs(image.image_id), distances, detections, self._labels_of)

    def combine(self, image_ids: Sequence[str], measured: Sequence[ImageOverlaps]) -> ScorerResult:
        """Compute the package's averages over the matches of all images, and rename its metrics."""
        with_distances = self._source.has_distances
        arguments = _arguments(with_distances)
        precision = _precisions(dict(zip(image_ids, measured, strict=True)), arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean over no class is NaN, as intended
            averages = official.computeAverages(precision, arguments)
            curve = pd.DataFrame({"iou": np.round(arguments.overlaps, 2), "ap": np.nanmean(precision[0], axis=0)})
        columns = _METRICS | (_DISTANCE_METRICS if with_distances else {})
        figures = {name: float(averages[f"all{key}"]) for name, key in columns.items()}
        of_class = averages["classes"]
        rows = [
            {"class_name": name} | {column: float(of_class[name][key.lower()]) for column, key in columns.items()}
            for name in self.truth.class_names
        ]
        return ScorerResult(
            version=f"cityscapesscripts {version('cityscapesscripts')}",
            metrics={name: value for name, value in figures.items() if not np.isnan(value)},
            per_image=pd.DataFrame({"image_id": list(image_ids)}),
            per_class=pd.DataFrame(rows),
            curve=curve,
        )


def label_ids(class_names: Sequence[str]) -> tuple[int, ...]:
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


def _precisions(overlaps: Mapping[str, ImageOverlaps], arguments: Any) -> np.ndarray:
    """Return the package's AP, float [distance range, class, IoU threshold]; NaN where there is no object.

    The package raises IndexError for a class whose objects are all missed and whose predictions are all ignored, since
    the precision-recall curve has no point. So each value is computed separately, and such a value is 0. The package's
    records, which need far more memory than the overlaps, are made for one class at a time.
    """
    limits = list(zip(arguments.minRegionSizes, arguments.distanceThs, arguments.distanceConfs, strict=True))
    limits = limits if arguments.distanceAvailable else limits[:1]
    precision = np.zeros((len(limits), len(arguments.instLabels), len(arguments.overlaps)))
    one = copy(arguments)
    for k, class_name in enumerate(arguments.instLabels):
        matches = {image_id: records_of(found, class_name) for image_id, found in overlaps.items()}
        one.instLabels = [class_name]
        for d, o in np.ndindex(len(limits), len(arguments.overlaps)):
            one.minRegionSizes, one.distanceThs, one.distanceConfs = ([value] for value in limits[d])
            one.overlaps = [arguments.overlaps[o]]
            try:
                precision[d, k, o] = official.evaluateMatches(matches, one).item()
            except IndexError:
                precision[d, k, o] = 0.0
    return precision
