"""Maps of classes beside instance maps: which class each pixel has, and so each object."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rsis.data.readers.base import BadSampleError
from rsis.errors import UserError
from rsis.masks import bands, distinct

_SHOWN = 5  # most numbers that a message names


def check_classes(classes: Mapping[str, int], where: Path) -> None:
    """Raise UserError if two classes have one number."""
    names = {number: name for name, number in classes.items()}
    for name, number in classes.items():
        if names[number] != name:
            raise UserError(
                f"{where}: {name!r} and {names[number]!r} of the data set's classes have the number {number}; give "
                "each class its own"
            )


def class_ids_of(path: Path, objects: np.ndarray, numbers: np.ndarray, classes: Mapping[str, int]) -> np.ndarray:
    """Return the class of each object: that of most of its pixels, of two such that with the smaller number.

    Pixels with a number that is no class do not count.

    Args:
        path: The map of classes, for messages.
        objects: Integers [H, W]; 0 = background, each other number is an object.
        numbers: [H, W] of any type, the numbers in the map of classes.
        classes: The number of each class by its name; class i, from 1, is the i-th.

    Returns:
        int64 [N], in the order of the objects' numbers.

    Raises:
        BadSampleError: An object has no pixel of a class.
    """
    found = distinct(objects)
    ids = {number: class_id for class_id, number in enumerate(classes.values(), start=1)}
    known = sorted(ids)
    counts = np.zeros((len(known), len(found)), np.int64)
    for rows in bands(objects):
        places, band = np.searchsorted(found, objects[rows]), numbers[rows]
        for i, number in enumerate(known):
            counts[i] += np.bincount(places[band == number], minlength=len(found))
    for place in np.flatnonzero((counts.max(axis=0) == 0) & (found != 0)):
        there = np.unique(numbers[objects == found[place]])
        shown = ", ".join(f"{number:g}" if numbers.dtype.kind == "f" else str(number) for number in there[:_SHOWN])
        raise BadSampleError(
            f"{path}: has on object {found[place]} the numbers {shown}{', ...' if len(there) > _SHOWN else ''}; "
            f"expected one of classes ({', '.join(f'{name} {number}' for name, number in classes.items())}); correct "
            "the map, or add the class to the data set"
        )
    return np.array([ids[known[best]] for best in counts.argmax(axis=0)[found != 0]], np.int64)
