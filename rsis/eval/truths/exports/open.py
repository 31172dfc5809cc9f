"""Choice of the ground truth of an annotation tool's format."""

from pathlib import Path
from typing import assert_never

from rsis.config.datasets import ExportDataset
from rsis.config.types import Split
from rsis.eval.truths.exports.base import ExportTruth
from rsis.eval.truths.exports.cvat import CvatTruth
from rsis.eval.truths.exports.geojson import GeojsonTruth
from rsis.eval.truths.exports.imagej import ImagejTruth
from rsis.eval.truths.exports.labelme import LabelmeTruth
from rsis.eval.truths.exports.labelstudio import LabelStudioTruth
from rsis.eval.truths.exports.via import ViaTruth
from rsis.eval.truths.exports.yolo import YoloTruth


def open_export(root: Path, dataset: ExportDataset, split: Split) -> ExportTruth:
    """Open the ground truth of one split.

    Args:
        root: Folder of the raw data.
        dataset: The data set's section of params.yaml.
        split: Name of the split.

    Raises:
        UserError: See `ExportTruth`.
    """
    match dataset.format:
        case "yolo":
            return YoloTruth(root, dataset, split)
        case "labelme":
            return LabelmeTruth(root, dataset, split)
        case "cvat":
            return CvatTruth(root, dataset, split)
        case "labelstudio":
            return LabelStudioTruth(root, dataset, split)
        case "via":
            return ViaTruth(root, dataset, split)
        case "geojson":
            return GeojsonTruth(root, dataset, split)
        case "imagej":
            return ImagejTruth(root, dataset, split)
        case _:
            assert_never(dataset.format)
