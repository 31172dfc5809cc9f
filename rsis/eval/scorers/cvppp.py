"""The scorer of the CVPPP leaf segmentation challenge, from its published definition.

Over two label maps of one size:

    Dice(x, y)   = 2 |x and y| / (|x| + |y|)
    BD(a, b)     = mean over the labels of a of the best Dice with any label of b
    SBD          = min(BD(pred, target), BD(target, pred))
    FgBgDice     = Dice of the unions of all labels
    DiC          = number of labels of pred - number of labels of target

The organisers' conventions hold for the functions on two label maps: the lowest label present is
background and counts for nothing; the number of labels is the largest minus the lowest, so a label that
is skipped counts and its best Dice is 0; BD of a map with a single value is 0, and so is the FgBgDice of
two such maps: an image rightly left empty scores 0, not 1.

The first of these conventions loses an object where a map has no background pixel, the second invents
objects where labels have gaps. So `score_cvppp` renumbers both maps 1..N, and appends one pixel to them
that is background in both. It is in no object and so changes no figure of a map that has background.
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
    """Figures of one predicted label map against one target.

    Attributes:
        sbd: Symmetric best Dice, 0..1.
        fg_bg_dice: Dice of the foregrounds, 0..1.
        dic: Difference in count, predicted - target.
        abs_dic: Its absolute value.
    """

    sbd: float
    fg_bg_dice: float
    dic: int
    abs_dic: int


@dataclass(frozen=True)
class Overlap:
    """Sufficient statistics of two label maps a and b: all figures follow from them.

    Attributes:
        counts: int64 [A, B], pixels that have the i-th smallest label of a and the j-th smallest of b;
            row 0 and column 0 are background.
        num_a: Largest minus lowest label of a, its number of objects.
        num_b: The same of b.
    """

    counts: np.ndarray
    num_a: int
    num_b: int

    @property
    def swapped(self) -> "Overlap":
        """The overlap of b and a."""
        return Overlap(self.counts.T, self.num_b, self.num_a)


def overlap_of(a: np.ndarray, b: np.ndarray) -> Overlap:
    """Count the pixels of each pair of labels of two integer maps of one shape.

    Raises:
        ValueError: The shapes differ, or there is no pixel.
    """
    if a.shape != b.shape or a.size == 0:
        raise ValueError(f"label maps of shapes {a.shape} and {b.shape}; expected one shape with at least a pixel")
    labels_a, rows = np.unique(a, return_inverse=True)
    labels_b, columns = np.unique(b, return_inverse=True)
    pairs = rows.ravel() * len(labels_b) + columns.ravel()
    counts = np.bincount(pairs, minlength=len(labels_a) * len(labels_b)).reshape(len(labels_a), len(labels_b))
    return Overlap(counts, int(labels_a[-1]) - int(labels_a[0]), int(labels_b[-1]) - int(labels_b[0]))


def score_pair(pred: np.ndarray, target: np.ndarray) -> PairScore:
    """Score one integer label map against another by the organisers' conventions.

    Args:
        pred: Predicted labels, any shape; the lowest label present is background.
        target: True labels, of the same shape.

    Raises:
        ValueError: The shapes differ, or there is no pixel.
    """
    overlap = overlap_of(pred, target)
    dic = overlap.num_a - overlap.num_b
    sbd = min(best_dice(overlap), best_dice(overlap.swapped))
    return PairScore(sbd, _fg_bg_dice(overlap), dic, abs(dic))


def score_cvppp(predictions: PredictionFile, truth: GroundTruth, rules: ScoreSection) -> ScorerResult:
    """Score every image of a prediction file; classes and scores of the objects play no part.

    Masks become a label map; pixels that the ground truth ignores are background in it. The metrics are
    means over images, each with its
    standard deviation over these images (divided by their number).

    Args:
        predictions: At least one image.
        truth: Has all the images of `predictions`, in the same sizes.
        rules: Which object keeps a contested pixel: the one predicted first, or the most probable one.

    Returns:
        Metrics cvppp/{sbd, fg_bg_dice, dic, abs_dic}, each also with "_std"; the same four per image.
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
    """How to score one image; sent once to every process."""

    def __init__(self, truth: GroundTruth, rules: ScoreSection) -> None:
        self._truth, self._rules = truth, rules

    def __call__(self, image: ImagePrediction) -> PairScore:
        pred = np.where(self._truth.ignore_mask(image.image_id), 0, instance_map_of(image, self._rules.overlap))
        return score_pair(_with_background(pred), _with_background(self._truth.instance_map(image.image_id)))


def _with_background(instance_map: np.ndarray) -> np.ndarray:
    return np.append(relabel(instance_map), 0)


def best_dice(overlap: Overlap) -> float:
    """Return BD(a, b), 0..1: how well b covers the objects of a."""
    if overlap.num_a == 0 or overlap.num_b == 0:
        return 0.0
    sizes = overlap.counts.sum(axis=1)[1:, None] + overlap.counts.sum(axis=0)[None, 1:]
    dice = 2 * overlap.counts[1:, 1:] / sizes
    return float(dice.max(axis=1).sum() / overlap.num_a)


def _fg_bg_dice(overlap: Overlap) -> float:
    in_a, in_b = overlap.counts[1:].sum(), overlap.counts[:, 1:].sum()
    both = overlap.counts[1:, 1:].sum()
    return float(2 * both / (in_a + in_b)) if in_a + in_b else 0.0
