"""Measure which pixel values of a data set's deep pictures become 0 and 255 (`rsis.data.readers.depth`)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from rsis.config.datasets import AnyDataset, OwnDataset
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.depth import percentiles_of, sampled
from rsis.data.readers.images import DAMAGE
from rsis.data.readers.open import open_split, rules_of
from rsis.data.readers.outline_reader import OutlineReader
from rsis.data.readers.own import MapsReader, MasksReader
from rsis.data.readers.rules import PictureRules
from rsis.data.readers.values import read_values
from rsis.files.embedded import open_picture

_MOST_PICTURES = 200
_DEEP_MODES = ("I", "F")


def measure_intensity(dataset: AnyDataset, root: Path) -> tuple[float, float] | None:
    """Return the values (low, high) that become 0 and 255: percentiles of at most 200 pictures that train.

    Pictures that cannot be read are left out, since the reader reports them.

    Args:
        dataset: Its section of params.yaml; its own `intensity` is not looked at.
        root: Folder that the paths of the splits are relative to.

    Returns:
        Both rounded to 6 digits; None without pictures of more than 8 bits, and for the formats of benchmarks.

    Raises:
        UserError: The split cannot be opened.
    """
    if not isinstance(dataset, OwnDataset):
        return None
    split = "train" if "train" in dataset.splits else next(iter(dataset.splits))
    reader = open_split(dataset, root, split, lambda _, __: None)
    assert isinstance(reader, OutlineReader | MapsReader | MasksReader)
    found = percentiles_of(_samples(rules_of(dataset), reader))
    if found is None:
        return None
    low, high = (float(f"{value:.6g}") for value in found)
    if not low < high:  # rounding took the difference
        low, high = found
    return (low, high) if low < high else (low, low + 1.0)


def _samples(rules: PictureRules, reader: OutlineReader | MapsReader | MasksReader) -> Iterator[np.ndarray]:
    ids = reader.image_ids
    for number in range(min(len(ids), _MOST_PICTURES)):
        path, page = reader.picture_of(ids[number * len(ids) // min(len(ids), _MOST_PICTURES)])
        try:
            if _may_be_deep(path):
                pixels = read_values(path, rules, page).pixels
                if pixels.dtype != np.uint8:
                    yield sampled(pixels)
        except BadSampleError:
            continue


def _may_be_deep(path: Path) -> bool:
    """Return whether a picture may have more than 8 bits, from its first bytes; Pillow says of most files no."""
    try:
        with open_picture(path) as file:
            head = file.read(26)
            if head[:4] == b"\x89PNG":
                return head[24:25] == b"\x10"
        with open_picture(path) as file, Image.open(file) as image:
            return image.format == "TIFF" or image.mode in _DEEP_MODES or image.mode.startswith("I;16")
    except DAMAGE:
        return True  # of a TIFF file perhaps, which Pillow does not know
