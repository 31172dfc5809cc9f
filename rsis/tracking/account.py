"""What of a data set is used, and what is not: the table that `rsis init`, `check` and `prepare` print.

             train  val
    pictures    12    3
      used      11    3
      left out   1    0
    annotations 62   14
      used      57   13
      crowd      3    0
      too small at 96 x 128
                 2    1

Rows of reasons that never occur are left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rsis.data.prepared.resize import too_small
from rsis.masks import resize_map
from rsis.structures import RawSample

_SHOWN = 5  # most pictures that are named


@dataclass(frozen=True)
class Account:
    """The pictures and annotations of one split.

    Attributes:
        split: "train", "val" or "test".
        images: Number of pictures that are used.
        left_out: One line for each picture that is not used, with the reason.
        objects: Number of annotations that are used, each an object at the network's size.
        dropped: Number of annotations of used pictures that are not used, by reason: a `DropReason` of
            `rsis.structures`, or "too small at H x W".
    """

    split: str
    images: int
    left_out: Sequence[str]
    objects: int
    dropped: Mapping[str, int]


def count_annotations(sample: RawSample, size: tuple[int, int]) -> tuple[int, Counter[str]]:
    """Return the number of objects that are left at the network's size, and the annotations that are not used.

    Args:
        sample: A sample of a reader.
        size: (H, W) of the network's input.
    """
    left = count_left(sample.instance_map, size)
    dropped: Counter[str] = Counter(sample.dropped)
    if lost := len(sample.class_ids) - left:
        dropped[too_small(size)] = lost
    return left, dropped


def count_left(instance_map: np.ndarray, size: tuple[int, int]) -> int:
    """Return the number of objects of an instance map, int32 [H, W], that have pixels left at a size (H, W)."""
    return int(np.count_nonzero(np.unique(resize_map(instance_map, size))))


def table_of(accounts: Sequence[Account]) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the rows of the table, with a column for each split."""
    reasons = dict.fromkeys(reason for account in accounts for reason in account.dropped)
    rows = [
        ["pictures", *(str(account.images + len(account.left_out)) for account in accounts)],
        ["  used", *(str(account.images) for account in accounts)],
        ["  left out", *(str(len(account.left_out)) for account in accounts)],
        ["annotations", *(str(account.objects + sum(account.dropped.values())) for account in accounts)],
        ["  used", *(str(account.objects) for account in accounts)],
    ]
    if not any(account.left_out for account in accounts):
        del rows[2]
    rows += [[f"  {reason}", *(str(account.dropped.get(reason, 0)) for account in accounts)] for reason in reasons]
    return ["", *(account.split for account in accounts)], rows


def lines_of(accounts: Sequence[Account]) -> list[str]:
    """Return a line for each of the first pictures that are left out, and one that counts the others."""
    named = list(dict.fromkeys(line for account in accounts for line in account.left_out))
    lines = [f"left out: {line}" for line in named[:_SHOWN]]
    return [*lines, f"left out: {len(named) - _SHOWN} more"] if len(named) > _SHOWN else lines
