"""Which annotation tool wrote a file that is neither JSON nor XML, by its first bytes or its name."""

import re
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

from rsis.own_data.facts import AnnotationFile, Facts, text_of

NO_LABELS = ("classes.txt", "labels.txt", "notes.txt", "train.txt", "val.txt", "test.txt")
"""Names of text files that are never YOLO's labels of a picture."""
_HEAD = 4096  # bytes of a table that are looked at
_BY_SUFFIX = {
    ".mat": "matlab",
    ".qpproj": "qupath_project",
    ".npz": "numpy",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
    ".ndjson": "labelbox",
}
_OF_LABEL_STUDIO = re.compile(r"task-\d+-annotation-\d+-.*\.(png|npy)")


def kind_of_other(folder: Path, relative: str) -> AnnotationFile | None:
    """Return what is in a file; None if it holds no annotations as far as can be seen.

    A file that cannot be read is passed by: most of these are no annotations.
    """
    path, name = folder / relative, PurePosixPath(relative).name.lower()
    suffix = PurePosixPath(name).suffix
    try:
        if suffix == ".txt":
            return None if name in NO_LABELS else _yolo(relative, text_of(path))
        if suffix == ".csv":
            kind = _kind_of_table(name, text_of(path, _HEAD))
        elif suffix == ".roi":
            kind = "imagej" if path.open("rb").read(4) == b"Iout" else ""
        elif suffix == ".zip":
            kind = "imagej" if _has_rois(path) else ""
        elif _OF_LABEL_STUDIO.fullmatch(name):
            kind = "labelstudio_png"
        elif suffix == ".npy":
            kind = "cellpose" if name.endswith("_seg.npy") else "numpy"
        else:
            kind = _BY_SUFFIX.get(suffix, "")
    except OSError:
        return None
    return AnnotationFile(relative, kind) if kind else None


def numbers_of(line: str) -> list[float] | None:
    """Return the numbers of a line; None if it has anything else."""
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return None


def _yolo(relative: str, text: str) -> AnnotationFile | None:
    """Return the objects of a label file of YOLO: lines of a class and the fractions of a box or of an outline."""
    lines = [line for line in text.splitlines() if line.strip()]
    first = numbers_of(lines[0]) if lines else None
    if first is None or len(first) < 5 or not first[0].is_integer() or not all(-1 <= x <= 2 for x in first[1:]):
        return None
    classes = Counter(line.split()[0] for line in lines)
    boxes = sum(len(line.split()) == 5 for line in lines)
    return AnnotationFile(relative, "yolo", Facts(classes=classes, objects=len(lines), boxes=boxes))


def _kind_of_table(name: str, text: str) -> str:
    """Return the form of a CSV file, by its first line."""
    columns = [column.strip().strip('"').lower() for column in (text.splitlines() or [""])[0].split(",")]
    if {"region_shape_attributes", "filename"} <= set(columns):
        return "via_csv"
    if {"shape-type", "vertex-index"} <= set(columns):
        return "napari"
    if name == "_classes.csv" and "pixel value" in columns:
        return "class_masks"
    return "boxes_csv" if {"xmin", "ymin", "xmax", "ymax"} <= set(columns) else ""


def _has_rois(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.lower().endswith(".roi") for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError):
        return False
