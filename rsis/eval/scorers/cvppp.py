"""The scorer of the CVPPP leaf segmentation challenge, implemented from its published definition.

The metrics of two instance maps of the same size, a prediction and a target:

    Dice(x, y)   = 2 |x and y| / (|x| + |y|)
    BD(a, b)     = mean over the labels of a of the highest Dice with any label of b
    SBD          = min(BD(pred, target), BD(target, pred))
    FgBgDice     = Dice of the unions of all labels
    DiC          = number of labels of pred - number of labels of target

The functions on two maps follow the organisers' conventions:

- The lowest label that occurs is background and is not counted.
- The number of labels is the largest label minus the lowest. So a skipped label counts, and its best Dice is 0.
- BD of a map with a single value is 0, and so is the FgBgDice of two such maps. So an empty prediction for an image
  without objects scores 0, not 1.

The first convention loses an object where a map has no background pixel; the second adds objects where labels have
gaps. So `score_cvppp` renumbers both maps 1..N and appends to each a pixel that is background in both. This pixel is in
no object, so it does not change the metrics of maps that have background.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from rsis import __version__
from rsis.config.runs import ScoreSection
from rsis.eval.detections import instance_map_of
from rsis.eval.scores import ScorerResult
from rsis.eval.truths.base import GroundTruth
from rsis.machine.pool import map_in_processes
from rsis.masks import relabel
from rsis.prediction_file import ImagePrediction, PredictionFile


@dataclass(frozen=True)
class PairScore:
    """Metrics of one predicted instance map against one target.

    Attributes:
        sbd: Symmetric best Dice, 0..1.
        fg_bg_dice: Dice of the foregrounds, 0..1.
        dic: Difference in count (DiC): number of predicted objects - number of target objects.
        abs_dic: Absolute value of `dic`.
    """

    sbd: float
    fg_bg_dice: float
    dic: int
    abs_dic: int


@dataclass(frozen=True)
class Overlap:
    """Sufficient statistics of two instance maps a and b, from which all metrics are computed.

    Attributes:
        counts: int64 [A, B], number of pixels with the i-th smallest label of a and the j-th smallest label of b;
            row 0 and column 0 are background.
        num_a: Number of objects of a, its largest minus its lowest label.
        num_b: Number of objects of b.
    """

    counts: np.ndarray
    num_a: int
    num_b: int

    @property
    def swapped(self) -> "Overlap":
        """The same statistics with a and b exchanged."""
        return Overlap(self.counts.T, self.num_b, self.num_a)


def overlap_of(a: np.ndarray, b: np.ndarray) -> Overlap:
    """Count the pixels of each pair of labels of two instance maps, integer, of the same shape.

    Raises:
        ValueError: The shapes differ, or the maps have no pixel.
    """
    if a.shape != b.shape or a.size == 0:
        raise ValueError(f"label maps of shapes {a.shape} and {b.shape}; expected one shape with at least a pixel")
    labels_a, rows = np.unique(a, return_inverse=True)
    labels_b, columns = np.unique(b, return_inverse=True)
    pairs = rows.ravel() * len(labels_b) + columns.ravel()
    counts = np.bincount(pairs, minlength=len(labels_a) * len(labels_b)).reshape(len(labels_a), len(labels_b))
    return Overlap(counts, int(labels_a[-1]) - int(labels_a[0]), int(labels_b[-1]) - int(labels_b[0]))


def score_pair(pred: np.ndarray, target: np.ndarray) -> PairScore:
    """Score a predicted instance map against a target by the organisers' conventions.

    Args:
        pred: Predicted labels, integer, any shape; the lowest label that occurs is background.
        target: True labels, integer, of the same shape.

    Raises:
        ValueError: The shapes differ, or the maps have no pixel.
    """
    overlap = overlap_of(pred, target)
    dic = overlap.num_a - overlap.num_b
    sbd = min(best_dice(overlap), best_dice(overlap.swapped))
    return PairScore(sbd, _fg_bg_dice(overlap), dic, abs(dic))


def score_cvppp(predictions: PredictionFile, truth: GroundTruth, rules: ScoreSection) -> ScorerResult:
    """Score each image of a prediction file; the classes of the objects are ignored.

    The predicted masks of an image are merged into one instance map, in which the pixels that the ground truth ignores
    are background. This map is scored against the true one. The metrics of the file are the means over its images and
    the population standard deviations over its images (ddof = 0).

    Args:
        predictions: Predictions for at least one image.
        truth: Ground truth with all images of `predictions` in the same sizes.
        rules: `overlap` decides which object a pixel of two or more masks belongs to (see `instance_map_of`).

    Returns:
        Metrics cvppp/{sbd, fg_bg_dice, dic, abs_dic}, the means, and the same names with "_std", the standard
        deviations; per image the four metrics without "_std".
    """
    rows = []
    for image, score in zip(predictions.images, map_in_processes(_Task(truth, rules), predictions.images), strict=True):
        rows.append({"image_id": image.image_id} | {f"cvppp/{name}": value for name, value in asdict(score).items()})
    per_image = pd.DataFrame(rows)
    metrics = {}
    for name in per_image.columns[1:]:
        metrics[name] = float(per_image[name].mean())
        metrics[f"{name}_std"] = float(per_image[name].std(ddof=0))
    per_class = pd.DataFrame({"class_name": list(truth.class_names)})
    return ScorerResult(f"rsis {__version__}", metrics, per_image, per_class)


class _Task:
    """Function that scores one image; it is sent once to each process."""

    def __init__(self, truth: GroundTruth, rules: ScoreSection) -> None:
        self._truth, self._rules = truth, rules

    def __call__(self, image: ImagePrediction) -> PairScore:
        pred = np.where(self._truth.ignore_mask(image.image_id), 0, instance_map_of(image, self._rules.overlap))
        return score_pair(_with_background(pred), _with_background(self._truth.instance_map(image.image_id)))


def _with_background(instance_map: np.ndarray) -> np.ndarray:
    return np.append(relabel(instance_map), 0)


def best_dice(overlap: Overlap) -> float:
    """Return the best Dice BD(a, b), 0..1: how well b covers the objects of a."""
    if overlap.num_a == 0 or overlap.num_b == 0:
        return 0.0
    sizes = overlap.counts.sum(axis=1)[1:, None] + overlap.counts.sum(axis=0)[None, 1:]
    dice = 2 * overlap.counts[1:, 1:] / sizes
    return float(dice.max(axis=1).sum() / overlap.num_a)


def _fg_bg_dice(overlap: Overlap) -> float:
    in_a, in_b = overlap.counts[1:].sum(), overlap.counts[:, 1:].sum()
    both = overlap.counts[1:, 1:].sum()
    return float(2 * both / (in_a + in_b)) if in_a + in_b else 0.0
