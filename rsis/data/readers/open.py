"""The reader of a split, chosen by the data set's format."""

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


def on_lost(dataset: AnyDataset, told: OnMissing, *, skip_bad: bool) -> OnMissing:
    """Return what a reader is to do about files that are not there.

    With `skip_bad` the image that lacks one is left out, of somebody's own data. Of a benchmark it never is: what it
    holds is part of its definition.

    Args:
        dataset: Its section of params.yaml.
        told: Of each file that is not there, where images are left out.
        skip_bad: Whether they are to be.
    """
    return told if skip_bad and isinstance(dataset, CocoDataset | MapsDataset | MasksDataset) else refuse


def open_split(dataset: AnyDataset, root: Path, split: str, on_missing: OnMissing = refuse) -> SampleReader:
    """Return the reader of one split.

    Args:
        dataset: Its section of params.yaml.
        root: Folder that the paths of the split are relative to (`Manifest.root`).
        split: "train", "val" or "test".
        on_missing: Told of each file of an image that is not there.

    Raises:
        UserError: The data set has no such split, the split's files are missing or contradict each other, or the
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
