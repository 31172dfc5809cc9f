"""How far the predicted order of objects is that of some quantity of theirs: Kendall's tau, and consecutive pairs.

No torch here: objects come as plain numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

PATTERNS = ("right-to-left", "bottom-to-top", "large-to-small")
PAIR_SHARE = 0.15  # of the axis, by which a pair must differ to follow a pattern (paper, figure 7)
LEAST_PAIRS = 20  # occurrences that make a pair of classes worth a row (paper, figure 7)
_DIRECTIONS = (
    *("right-to-left", "left-to-right"),
    *("bottom-to-top", "top-to-bottom"),
    *("large-to-small", "small-to-large"),
)
_RESAMPLES, _CONFIDENCE = 9999, 0.95


@dataclass(frozen=True)
class Emission:
    """The objects of one image in predicted order, as numbers.

    Attributes:
        image_id: Of the image.
        size: (H, W) that the numbers refer to.
        class_ids: int [n], 1..K-1.
        centres: float [n, 2], row and column of each mask's centre of mass.
        areas: int [n], pixels.
        activations: For (block, pooling, stage) float [n], the block's activation inside each mask; pooling "mean"
            or "max", stage "before" or "after" training.
    """

    image_id: str
    size: tuple[int, int]
    class_ids: np.ndarray
    centres: np.ndarray
    areas: np.ndarray
    activations: Mapping[tuple[str, str, str], np.ndarray]


def kendall_tau(values: np.ndarray) -> float:
    """Return tau = (P - Q) / (n (n - 1) / 2) of the order that objects have and their order by falling value.

    P pairs fall, Q pairs rise, and pairs of equal value are neither, so that tau of equal values is 0 (tau a).

    Args:
        values: float [n], in the order to be judged; NaN for fewer than two.

    Returns:
        -1 (the values rise) to 1 (they fall).
    """
    n = len(values)
    if n < 2:
        return float("nan")
    signs = np.sign(values[:, None] - values[None, :])  # [n, n], 1 where the earlier is the greater
    return float(np.triu(signs, 1).sum()) / (n * (n - 1) / 2)


def taus(emissions: Sequence[Emission]) -> pd.DataFrame:
    """Return tau of each image with two objects or more, against every order.

    Columns image_id, objects, pattern (of `PATTERNS`, or a block "f0".."f4"), pooling ("" for patterns), stage
    ("after" for patterns: they are of the trained network's masks alone), tau.
    """
    rows = []
    for item in emissions:
        if len(item.areas) < 2:
            continue
        spatial = dict(zip(PATTERNS, (item.centres[:, 1], item.centres[:, 0], item.areas), strict=True))
        keys = {(name, "", "after"): values for name, values in spatial.items()} | dict(item.activations)
        rows += [(item.image_id, len(item.areas), *key, kendall_tau(values)) for key, values in keys.items()]
    return pd.DataFrame(rows, columns=["image_id", "objects", "pattern", "pooling", "stage", "tau"])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Sum up `taus` over images.

    Columns pattern, pooling, stage, tau (mean over images), low and high (its 95 % bootstrap interval over images,
    percentiles of 9999 resamples; NaN for one image), abs_tau (mean of the images' |tau|), consistency (share of
    images whose tau has the sign of the mean, 0..1) and images.
    """
    rows = []
    for key, group in table.groupby(["pattern", "pooling", "stage"], sort=False):
        values = group["tau"].to_numpy()
        mean = float(values.mean())
        low, high = _interval(values)
        consistency = float((np.sign(values) == np.sign(mean)).mean())
        rows.append((*key, mean, low, high, float(np.abs(values).mean()), consistency, len(values)))
    columns = ["pattern", "pooling", "stage", "tau", "low", "high", "abs_tau", "consistency", "images"]
    return pd.DataFrame(rows, columns=columns)


def _interval(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2:
        return float("nan"), float("nan")
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=_RESAMPLES,
        confidence_level=_CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def consecutive_pairs(emissions: Sequence[Emission], class_names: Sequence[str]) -> pd.DataFrame:
    """Say of objects that follow one another which way the sequence moves, by the classes of the two.

    A pair moves along an axis of the image when the centres differ by more than 15 % of its length, and by size when
    the areas differ by more than 15 % of the larger one.

    Args:
        emissions: Of any images.
        class_names: Of classes 1..K-1.

    Returns:
        A row for each two classes with at least 20 such pairs, the most frequent first, and one for all pairs of
        whatever class, the first: columns first, second (class names; "any"), pairs, and the share 0..1 of pairs
        that move right-to-left, left-to-right, bottom-to-top, top-to-bottom, large-to-small, small-to-large.
    """
    moves = [row for item in emissions for row in _moves(item, class_names)]
    columns = ["first", "second", *_DIRECTIONS]
    table = pd.DataFrame(moves, columns=columns)
    everything = pd.DataFrame([("any", "any", len(table), *table[list(_DIRECTIONS)].mean().fillna(0.0))])
    everything.columns = pd.Index(["first", "second", "pairs", *_DIRECTIONS])
    grouped = table.groupby(["first", "second"], sort=False)
    shares = grouped[list(_DIRECTIONS)].mean()
    shares.insert(0, "pairs", grouped.size())
    frequent = shares[shares["pairs"] >= LEAST_PAIRS].sort_values("pairs", ascending=False, kind="stable")
    return pd.concat([everything, frequent.reset_index()], ignore_index=True)


def _moves(item: Emission, class_names: Sequence[str]) -> list[tuple[object, ...]]:
    """Return the two class names and six truths for each pair of consecutive objects."""
    rows: list[tuple[object, ...]] = []
    for i in range(len(item.areas) - 1):
        (y, x), (next_y, next_x) = item.centres[i], item.centres[i + 1]
        area, next_area = float(item.areas[i]), float(item.areas[i + 1])
        falls = (
            (x - next_x) / item.size[1],
            (y - next_y) / item.size[0],
            (area - next_area) / max(area, next_area),
        )
        names = (class_names[item.class_ids[i] - 1], class_names[item.class_ids[i + 1] - 1])
        rows.append((*names, *(truth for fall in falls for truth in (fall > PAIR_SHARE, fall < -PAIR_SHARE))))
    return rows
