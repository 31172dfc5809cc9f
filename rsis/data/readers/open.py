"""Choice of the reader of a split by the data set's format."""

from pathlib import Path
from typing import assert_never, cast

from rsis.config.datasets import (
    AnyDataset,
    CityscapesDataset,
    CocoDataset,
    CvpppDataset,
    MapsDataset,
    MasksDataset,
    VocDataset,
)
from rsis.config.types import Split
from rsis.data.readers.base import OnMissing, SampleReader, refuse
from rsis.data.readers.coco import CocoReader
from rsis.data.readers.cvppp import CvpppReader
from rsis.data.readers.own import MapsReader, MasksReader
from rsis.data.readers.voc import VocReader
from rsis.errors import UserError
from rsis.machine.extras import require


def on_lost(dataset: AnyDataset, callback: OnMissing, *, skip_bad: bool) -> OnMissing:
    """Return the `on_missing` callback that fits a data set.

    With `skip_bad`, an image of a user's data set that lacks a file is left out. An image of a benchmark is never left
    out, since the list of images is part of the benchmark's definition.

    Args:
        dataset: The data set's section of params.yaml.
        callback: Called for each missing file when images may be left out.
        skip_bad: Whether images of a user's data set may be left out.

    Returns:
        `callback` when images may be left out, otherwise `refuse`.
    """
    return callback if skip_bad and isinstance(dataset, CocoDataset | MapsDataset | MasksDataset) else refuse


def open_split(dataset: AnyDataset, root: Path, split: str, on_missing: OnMissing = refuse) -> SampleReader:
    """Return the reader of one split.

    Args:
        dataset: The data set's section of params.yaml.
        root: Folder that the paths of the split are relative to (`Manifest.root`).
        split: "train", "val" or "test".
        on_missing: Called for each missing file of an image; the default raises.

    Raises:
        UserError: The data set has no such split, the split's files are missing or inconsistent, or the
            package that reads the format is not installed.
    """
    if split not in dataset.splits:
        known = ", ".join(dataset.splits)
        raise UserError(f"splits: no split {split!r}; the data set has {known}; name one of them")
    name = cast("Split", split)
    match dataset:
        case CvpppDataset():
            plants = dataset.splits[name]
            return CvpppReader(root / plants.folder, plants.take, labels=plants.labels, on_missing=on_missing)
        case CocoDataset():
            document = dataset.splits[name]
            return CocoReader(root / document.annotations, root / document.images, on_missing, document)
        case VocDataset():
            return VocReader(root, dataset, dataset.splits[name], on_missing)
        case MapsDataset():
            return MapsReader(root, dataset.splits[name], dataset.class_name, on_missing)
        case MasksDataset():
            return MasksReader(root, dataset.splits[name], dataset.class_name, on_missing)
        case CityscapesDataset():
            require("format cityscapes", "cityscapesscripts")
            from rsis.data.readers.cityscapes import CityscapesReader

            return CityscapesReader(root, dataset.splits[name], on_missing)
        case _:
            assert_never(dataset)
