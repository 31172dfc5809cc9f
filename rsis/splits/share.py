"""A share of a data set's images, the same on every machine: how one set becomes train, val and test."""

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
"""All images."""


def select_share(ids: Iterable[str], split: SharedSplit, where: object) -> tuple[str, ...]:
    """Return the ids that a split takes, sorted.

    The sorted ids are shuffled by `split.seed`. Of n in that order, positions floor(share[0] * n) up to before
    floor(share[1] * n) are taken. Shares that meet divide the images: none is in both, none is lost.

    Args:
        ids: Unique names.
        split: Which share.
        where: What to name in the error.

    Raises:
        UserError: The share is empty.
    """
    ordered = sorted(ids)
    # the same order on every machine; a future numpy may change it, which a test would notice
    shuffled = np.random.default_rng(split.seed).permutation(np.array(ordered))
    first, last = (math.floor(share * len(ordered)) for share in split.share)
    found = tuple(sorted(str(image_id) for image_id in shuffled[first:last]))
    if not found:
        raise UserError(
            f"{where}: share {list(split.share)} of {len(ordered)} images takes none; "
            "widen share of the split in params.yaml"
        )
    return found
