"""Correlation of the predicted order of objects with their position, size or activation: Kendall's tau, and pairs.

This module does not need torch: objects are given as numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

PATTERNS = ("right-to-left", "bottom-to-top", "large-to-small")
PAIR_SHARE = 0.15  # a pair follows a pattern if it differs by more than this fraction of the axis (paper, figure 7)
LEAST_PAIRS = 20  # a pair of classes has a row if it occurs at least this often (paper, figure 7)
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
        image_id: Id of the image.
        size: (H, W) in pixels, the frame of the centres and areas.
        class_ids: int [n], 1..K-1.
        centres: float [n, 2], row and column of each mask's centre of mass.
        areas: int [n], pixels.
        activations: By (block, pooling, stage) float [n], the block's activation inside each mask; pooling is "mean"
            or "max", stage is "before" or "after" training.
    """

    image_id: str
    size: tuple[int, int]
    class_ids: np.ndarray
    centres: np.ndarray
    areas: np.ndarray
    activations: Mapping[tuple[str, str, str], np.ndarray]


def kendall_tau(values: np.ndarray) -> float:
    """Return Kendall's tau (tau a) between the given order of objects and their order by decreasing value.

    tau = (P - Q) / (n (n - 1) / 2): P pairs decrease, Q pairs increase, and pairs of equal value are neither, so tau of
    equal values is 0.

    Args:
        values: float [n], in the given order.

    Returns:
        -1 (the values increase) to 1 (they decrease); NaN for fewer than two values.
    """
    n = len(values)
    if n < 2:
        return float("nan")
    signs = np.sign(values[:, None] - values[None, :])  # [n, n], 1 where the earlier is the greater
    return float(np.triu(signs, 1).sum()) / (n * (n - 1) / 2)


def taus(emissions: Sequence[Emission]) -> pd.DataFrame:
    """Return tau of each image with two objects or more, for every pattern and block.

    The columns are image_id, objects, pattern (of `PATTERNS`, or a block "f0".."f4"), pooling ("" for patterns), stage
    ("after" for patterns, which depend only on the masks of the trained network), tau.
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
    """Average `taus` over images.

    The columns are pattern, pooling, stage, tau (mean over images), low and high (its 95 % bootstrap interval over
    images, percentiles of 9999 resamples; NaN for one image), abs_tau (mean of the images' |tau|), consistency
    (fraction of images whose tau has the sign of the mean, 0..1) and images.
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
    """Return in which direction pairs of consecutive objects move, by the classes of the two objects.

    A pair moves along an axis of the image if the centres differ by more than 15 % of the axis' length, and by size if
    the areas differ by more than 15 % of the larger area.

    Args:
        emissions: The objects of any images.
        class_names: Names of classes 1..K-1.

    Returns:
        First a row for all pairs of any class, then a row for each two classes with at least 20 pairs, the most
        frequent first. The columns are first, second (class names, or "any"), pairs, and the fractions 0..1 of pairs
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
    """Return the two class names and, for each of the six directions, a bool for each pair of consecutive objects."""
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
