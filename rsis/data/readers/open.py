"""Choice of the reader of a split by the data set's format."""

from pathlib import Path
from typing import Any, assert_never, cast

from rsis.config.datasets import (
    AnyDataset,
    CityscapesDataset,
    CocoDataset,
    CvpppDataset,
    ExportDataset,
    MapsDataset,
    MasksDataset,
    OwnDataset,
    VocDataset,
)
from rsis.config.types import Split
from rsis.data.readers.base import OnMissing, SampleReader, refuse
from rsis.data.readers.coco import CocoReader
from rsis.data.readers.cvppp import CvpppReader
from rsis.data.readers.exports.open import open_export
from rsis.data.readers.own import MapsReader, MasksReader
from rsis.data.readers.pictures import PLAIN, PictureRules
from rsis.data.readers.voc import VocReader
from rsis.errors import UserError
from rsis.machine.extras import require
from rsis.machine.pixels import allow_pixels


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
    return callback if skip_bad and isinstance(dataset, OwnDataset) else refuse


def rules_of(dataset: AnyDataset) -> PictureRules:
    """Return how the pictures of a data set are read: by its keys, or plainly for the formats of benchmarks."""
    if not isinstance(dataset, OwnDataset):
        return PLAIN
    return PictureRules(dataset.intensity, dataset.channels, dataset.page, dataset.annotated)


def reading_of(dataset: AnyDataset) -> dict[str, Any]:
    """Return the keys that decide how the files of a data set are read, without those that have their default."""
    keys = ("intensity", "channels", "page", "annotated", "ignore_value", "numbered_labels")
    fields = type(dataset).model_fields
    return {
        key: getattr(dataset, key) for key in keys if key in fields and getattr(dataset, key) != fields[key].default
    }


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
    allow_pixels(dataset.max_pixels)
    name = cast("Split", split)
    match dataset:
        case CvpppDataset():
            plants = dataset.splits[name]
            return CvpppReader(root / plants.folder, plants.take, labels=plants.labels, on_missing=on_missing)
        case CocoDataset():
            document, train = dataset.splits[name], dataset.splits.get("train")
            return CocoReader(
                root / document.annotations,
                root / document.images,
                on_missing,
                document,
                rules_of(dataset),
                # a network has the classes of train, so they are those of all splits
                classes_of=root / train.annotations if train and train.annotations != document.annotations else None,
                crowd=dataset.crowd,
            )
        case VocDataset():
            return VocReader(root, dataset, dataset.splits[name], on_missing)
        case MapsDataset():
            maps = dataset.splits[name]
            return MapsReader(
                root,
                maps,
                dataset.class_name,
                on_missing,
                rules_of(dataset),
                dataset.ignore_value,
                None if dataset.classes is None else dict(dataset.classes),
            )
        case MasksDataset():
            return MasksReader(root, dataset.splits[name], dataset.class_name, on_missing, rules_of(dataset))
        case ExportDataset():
            return open_export(dataset, root, dataset.splits[name], on_missing, rules_of(dataset))
        case CityscapesDataset():
            require("format cityscapes", "cityscapesscripts")
            from rsis.data.readers.cityscapes import CityscapesReader

            return CityscapesReader(root, dataset.splits[name], on_missing)
        case _:
            assert_never(dataset)
