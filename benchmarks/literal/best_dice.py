"""The leaf challenge's symmetric best dice, computed for one pair of objects after the other."""

import numpy as np


def symmetric_best_dice(pred: np.ndarray, target: np.ndarray) -> float:
    """Return the symmetric best dice (SBD), 0..1, of two instance maps [H, W] whose lowest value is background."""
    return min(_best_dice(pred, target), _best_dice(target, pred))


def _best_dice(one: np.ndarray, other: np.ndarray) -> float:
    labels, others = (range(int(array.min()) + 1, int(array.max()) + 1) for array in (one, other))
    if not labels or not others:
        return 0.0
    total = 0.0
    for label in labels:
        mask = one == label
        best = 0.0
        for candidate in others:
            against = other == candidate
            both = int(mask.sum()) + int(against.sum())
            if both:
                best = max(best, 2 * int((mask & against).sum()) / both)
        total += best
    return total / len(labels)
