"""The division of annotated pictures into train, val and test: by folder and file names, or by fractions of one set."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rsis.errors import UserError

Section = dict[str, Any]
"""A split's section of params.yaml, its paths relative to the user's folder."""

SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_THIRDS = {"train": (0.0, 0.34), "val": (0.34, 0.67), "test": (0.67, 1.0)}  # one of three images each
_HELD_OUT = {"train": (0.0, 0.7), "val": (0.7, 0.85), "test": (0.85, 1.0)}  # fractions of a single set
_VALIDATION = {"train": (0.0, 0.85), "val": (0.85, 1.0)}  # fractions of a training set that has a test set


def words_of(name: str) -> list[str]:
    """Return the words in a name, in lower case: "Stage1_train" gives "stage" and "train"."""
    return "".join(letter if letter.isalpha() else " " for letter in name.lower()).split()


def split_of(path: Path) -> str:
    """Return the split named in the last part of a path that names one; "" if no part does."""
    for part in reversed(path.parts):
        words = words_of(part)
        for split, names in SPLIT_NAMES.items():
            if any(word in names for word in words):
                return split
    return ""


def divide(folder: Path, known: Mapping[str, Section], count: Callable[[Section], int]) -> dict[str, Section]:
    """Return the sections of train, val and, if there are pictures for it, test.

    A single set is divided into all three, at 70, 15 and 15 %, by a seeded shuffle. With a training set and a test set
    but no validation set, 15 % of the training set are used for validation.

    Args:
        folder: The user's folder, for error messages.
        known: The section of each split that was found; "" is a set without the name of a split.
        count: Returns the number of images of a section.

    Raises:
        UserError: There are too few images to divide, or no images to train on.
    """
    if set(known) == {""} or set(known) == {"train"}:
        (section,) = known.values()
        number = count(section)
        if number < 3:
            raise UserError(
                f"{folder}: {number} annotated pictures; expected three at least, one each to train, validate and "
                "test; add some"
            )
        shares = _THIRDS if number == 3 else _HELD_OUT
        return {split: section | {"share": share} for split, share in shares.items()}
    named = {split: known[split] for split in SPLIT_NAMES if split in known}
    if "" in known:  # for example beside a test set in its own folder
        named.setdefault("train", known[""])
    if "train" not in named:
        raise UserError(
            f"{folder}: has pictures of {' and '.join(named)} but none of train; name folders or files train, val, test"
        )
    if "val" not in named:
        if (number := count(named["train"])) < 2:
            raise UserError(f"{folder}: {number} annotated pictures to train on; expected two at least; add some")
        named |= {split: named["train"] | {"share": share} for split, share in _VALIDATION.items()}
    return {split: named[split] for split in SPLIT_NAMES if split in named}
