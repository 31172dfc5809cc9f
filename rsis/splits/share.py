"""Random shares of a data set's images: a division into train, val and test that is the same on every machine."""

import math
from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import model_validator

from rsis.config.types import Fraction, Section, Seed
from rsis.errors import UserError


class SharedSplit(Section):
    """A split that may take a share of its images."""

    share: tuple[Fraction, Fraction] = (0.0, 1.0)
    """From which to below which fraction of the images, in an order shuffled by `seed`. Shares that meet divide a set:
    no image is in both."""
    seed: Seed = 0
    """Of that order; equal in all splits that divide a set."""

    @model_validator(mode="after")
    def _share_rises(self) -> Self:
        if self.share[0] >= self.share[1]:
            raise ValueError(f"share runs from {self.share[0]} to {self.share[1]}; the second must be larger")
        return self


WHOLE = SharedSplit()
"""The share that contains all images."""


def select_share(ids: Iterable[str], split: SharedSplit, where: object) -> tuple[str, ...]:
    """Return the ids in a split's share, sorted.

    The n ids are sorted, then shuffled with `split.seed`. The share has the positions from floor(share[0] * n) to
    floor(share[1] * n) - 1 of that order. Adjacent shares, such as (0, 0.8) and (0.8, 1), divide the images: each
    image is in exactly one of them.

    Args:
        ids: Unique image ids, in any order.
        split: The share and its seed.
        where: Start of the error message, such as the folder of the images.

    Raises:
        UserError: The share is empty.
    """
    ordered = sorted(ids)
    # the order is the same on every machine; a test fails should a future numpy change it
    shuffled = np.random.default_rng(split.seed).permutation(np.array(ordered))
    first, last = (math.floor(share * len(ordered)) for share in split.share)
    selected = tuple(sorted(str(image_id) for image_id in shuffled[first:last]))
    if not selected:
        raise UserError(
            f"{where}: share {list(split.share)} of {len(ordered)} images takes none; "
            "widen share of the split in params.yaml"
        )
    return selected
