"""Choice of the ground truth of a split by the data set's format."""

from pathlib import Path
from typing import assert_never

from rsis.config.datasets import (
    AnyDataset,
    CityscapesDataset,
    CocoDataset,
    CvpppDataset,
    ExportDataset,
    MapsDataset,
    MasksDataset,
    VocDataset,
)
from rsis.config.types import Split
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.coco import CocoTruth
from rsis.eval.truths.cvppp import CvpppTruth
from rsis.eval.truths.exports.open import open_export
from rsis.eval.truths.own import MapsTruth, MasksTruth
from rsis.eval.truths.voc import VocTruth
from rsis.files.manifest import Manifest
from rsis.machine.extras import require
from rsis.machine.pixels import allow_pixels


def load_ground_truth(dataset: AnyDataset, root: Path, split: Split, manifest: Manifest | None = None) -> GroundTruth:
    """Open the ground truth of one split.

    Args:
        dataset: The data set's section of params.yaml.
        root: Folder of the raw data; the paths in `dataset.splits` are relative to it.
        split: Name of the split.
        manifest: Manifest of the raw data. If given, files that are unsafe to parse when damaged (MATLAB files) are
            compared with it first.

    Raises:
        UserError: The split is not configured; a folder or file is missing, empty or not of its format; the
            package that reads the format is not installed. The methods of the result raise it too, since they read
            the files of one image each.
    """
    if split not in dataset.splits:
        raise UserError(
            f"params.yaml: the data set has no split {split!r}, but {', '.join(dataset.splits)}; "
            "add it to its splits, or choose another in the run's predict.split and predict again"
        )
    allow_pixels(dataset.max_pixels)
    match dataset:
        case CvpppDataset():
            return CvpppTruth(root, dataset.splits[split])
        case CocoDataset():
            train = dataset.splits.get("train", dataset.splits[split])
            other = train.annotations != dataset.splits[split].annotations
            classes_of = root / train.annotations if other else None
            return CocoTruth(root, dataset.splits[split], dataset.annotated, classes_of, dataset.crowd)
        case VocDataset():
            return VocTruth(root, dataset, dataset.splits[split], manifest)
        case MapsDataset():
            return MapsTruth(root, dataset, split)
        case MasksDataset():
            return MasksTruth(root, dataset, split)
        case ExportDataset():
            return open_export(root, dataset, split)
        case CityscapesDataset():
            require("format cityscapes", "cityscapesscripts")
            from rsis.eval.truths.cityscapes import CityscapesTruth

            return CityscapesTruth(root, dataset.splits[split])
        case _:
            assert_never(dataset)
