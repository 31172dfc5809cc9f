"""Choice of the module that reads a format of an annotation tool."""

from pathlib import Path
from typing import Literal, assert_never

from rsis.config.datasets import ExportDataset
from rsis.data.readers.base import OnMissing
from rsis.data.readers.exports.cvat import read_cvat
from rsis.data.readers.exports.geojson import read_geojson
from rsis.data.readers.exports.imagej import read_imagej
from rsis.data.readers.exports.labelme import read_labelme
from rsis.data.readers.exports.labelstudio import read_labelstudio
from rsis.data.readers.exports.source import Classes, Source
from rsis.data.readers.exports.via import read_via
from rsis.data.readers.exports.yolo import read_yolo
from rsis.data.readers.outline_reader import AnnotationDocument, OutlineReader
from rsis.data.readers.pictures import PictureRules
from rsis.splits.exports import ExportSplit
from rsis.splits.share import select_share


def open_export(
    dataset: ExportDataset, root: Path, split: ExportSplit, on_missing: OnMissing, rules: PictureRules
) -> OutlineReader:
    """Return the reader of a split; an image id is the picture's path relative to the split's `images`.

    Args:
        dataset: The data set's section of params.yaml.
        root: Folder that the split's paths are relative to.
        split: The split.
        on_missing: Called for each picture that is missing, and for each annotation file whose picture is missing.
        rules: How to read the pictures.

    Raises:
        UserError: A file is missing or has no sensible meaning, or an object has a class that the data set lacks.
    """
    annotations = root / split.annotations
    source = Source(
        annotations,
        root / split.images,
        Classes(dataset.classes),
        on_missing,
        dataset.class_key,
        dataset.numbered_labels,
        trains=split == dataset.splits.get("train"),
    )
    document = _read(dataset.format, source)
    return OutlineReader(document, select_share(document.pictures, split, annotations), rules)


def _read(
    name: Literal["yolo", "labelme", "cvat", "labelstudio", "via", "geojson", "imagej"], source: Source
) -> AnnotationDocument:
    match name:
        case "yolo":
            return read_yolo(source)
        case "labelme":
            return read_labelme(source)
        case "cvat":
            return read_cvat(source)
        case "labelstudio":
            return read_labelstudio(source)
        case "via":
            return read_via(source)
        case "geojson":
            return read_geojson(source)
        case "imagej":
            return read_imagej(source)
        case _:
            assert_never(name)
