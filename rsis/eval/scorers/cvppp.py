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
gaps. So `CvpppScorer` renumbers both maps 1..N and appends to each a pixel that is background in both. This pixel is in
no object, so it does not change the metrics of maps that have background.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from rsis import __version__
from rsis.eval.detections import instance_map_of
from rsis.eval.scorers.base import Scorer
from rsis.eval.scores import ScorerResult
from rsis.masks import relabel
from rsis.prediction_file import ImagePrediction


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
    labels_a, rows = _ranks(a)
    labels_b, columns = _ranks(b)
    pairs = rows * len(labels_b) + columns
    counts = np.bincount(pairs, minlength=len(labels_a) * len(labels_b)).reshape(len(labels_a), len(labels_b))
    return Overlap(counts, int(labels_a[-1]) - int(labels_a[0]), int(labels_b[-1]) - int(labels_b[0]))


def _ranks(label_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels that occur, rising, and int64 [pixels], the position of each pixel's label among them."""
    labels = label_map.ravel().astype(np.int64)
    if labels.min() < 0 or labels.max() > labels.size:  # a table of all possible labels would be too long
        found, ranks = np.unique(labels, return_inverse=True)
        return found, ranks.ravel()
    present = np.bincount(labels) > 0
    return np.flatnonzero(present), (np.cumsum(present) - 1).take(labels)


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


class CvpppScorer(Scorer[PairScore]):
    """SBD and counts of each image; the classes of the objects are ignored.

    The predicted masks of an image are merged into one instance map, in which the pixels that the ground truth ignores
    are background; `rules.overlap` decides which object a pixel of two or more masks belongs to (see
    `instance_map_of`). This map is scored against the true one. The metrics are the means over the images and the
    population standard deviations over the images (ddof = 0): cvppp/{sbd, fg_bg_dice, dic, abs_dic}, and the same names
    with "_std"; per image the four metrics without "_std".
    """

    def measure(self, image: ImagePrediction) -> PairScore:
        """Return the metrics of one image."""
        pred = np.where(self.truth.ignore_mask(image.image_id), 0, instance_map_of(image, self.rules.overlap))
        return score_pair(_with_background(pred), _with_background(self.truth.instance_map(image.image_id)))

    def combine(self, image_ids: Sequence[str], measured: Sequence[PairScore]) -> ScorerResult:
        """Return the means and the deviations over the images."""
        per_image = pd.DataFrame(
            {"image_id": image_id} | {f"cvppp/{name}": value for name, value in asdict(score).items()}
            for image_id, score in zip(image_ids, measured, strict=True)
        )
        metrics = {}
        for name in per_image.columns[1:]:
            metrics[name] = float(per_image[name].mean())
            metrics[f"{name}_std"] = float(per_image[name].std(ddof=0))
        per_class = pd.DataFrame({"class_name": list(self.truth.class_names)})
        return ScorerResult(f"rsis {__version__}", metrics, per_image, per_class)


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
