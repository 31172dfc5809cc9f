"""Pictures of more than 8 bits a channel: which of their values become 0 and 255.

The values of a 12-bit camera lie in the lowest sixteenth of a 16-bit file, those of a float file in any range. A data
set has one pair of them for all its pictures, so that a bright picture stays brighter than a dark one: percentiles of
the training split, which a single hot pixel does not move. Pictures of 8 bits stay as they are.
"""

from collections.abc import Iterable

import numpy as np

from rsis.masks import bands

DARK = 48  # of 255: in pictures with no brighter value hardly anything can be seen
_PERCENTILES = (0.1, 99.9)
_SAMPLED = 20_000  # most pixels of a picture that are looked at


def to_8_bits(pixels: np.ndarray, intensity: tuple[float, float]) -> np.ndarray:
    """Return uint8 of the same shape: values up to the first number are 0, those from the second on 255.

    Args:
        pixels: Finite numbers of any type.
        intensity: (low, high); equal numbers are taken as (low, low + 1).
    """
    low, high = intensity
    rounded = np.empty(pixels.shape, np.uint8)
    for rows in bands(pixels):
        scaled = (pixels[rows].astype(np.float64) - low) * (255 / (high - low if high > low else 1.0))
        rounded[rows] = np.rint(scaled.clip(0, 255))
    return rounded


def sampled(pixels: np.ndarray) -> np.ndarray:
    """Return float64 [at most 20 000], values of pixels that are evenly spaced over a picture, [H, W] or [H, W, 3]."""
    values = pixels.ravel()
    return values[:: max(1, -(-values.size // _SAMPLED))].astype(np.float64)


def percentiles_of(samples: Iterable[np.ndarray]) -> tuple[float, float] | None:
    """Return the 0.1th and the 99.9th percentile of the `sampled` values of pictures; None without pictures."""
    values = list(samples)
    if not values:
        return None
    low, high = np.percentile(np.concatenate(values), _PERCENTILES)
    return float(low), float(high)
