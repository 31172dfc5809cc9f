"""The places of files that the tests do not write themselves: golden numbers and real pictures.

The variable RSIS_GOLDEN names a folder with further golden numbers besides tests/golden (see the README there).
RSIS_SHARED names a folder with data that may not be passed on. Neither has a default outside the repository.
"""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NUCLEI = REPOSITORY / "examples" / "nuclei"  # train, val, test: instances.json and images/
GOLDEN = REPOSITORY / "tests" / "golden"
GOLDEN_NAMES = ("manifest.json", "extra_*.npz", "cvppp_expected.csv", "cityscapes_expected.json")


def golden_files(name: str) -> list[Path]:
    """Return all golden files that match a name, at any depth of both folders."""
    return [path for folder in _golden_folders() for path in sorted(folder.rglob(name))]


def check_golden_folder() -> None:
    """Stop the tests if RSIS_GOLDEN names a folder without golden numbers."""
    named = os.environ.get("RSIS_GOLDEN")
    if named and not any(any(Path(named).rglob(name)) for name in GOLDEN_NAMES):
        raise pytest.UsageError(
            f"RSIS_GOLDEN: no golden numbers in {named}; expected {', '.join(GOLDEN_NAMES)} at any depth; "
            "correct the variable or unset it"
        )


def voc_sample() -> Path | None:
    """Return the folder with 44 images of Pascal VOC 2007; None if RSIS_SHARED names no folder that contains it."""
    shared = os.environ.get("RSIS_SHARED")
    sample = Path(shared, "data", "voc2007_sample") if shared else None
    return sample if sample and (sample / "ImageSets").is_dir() else None


def _golden_folders() -> list[Path]:
    named = os.environ.get("RSIS_GOLDEN")
    more = Path(named).resolve() if named else GOLDEN
    return [GOLDEN] if more == GOLDEN else [GOLDEN, more]
