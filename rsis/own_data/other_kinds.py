"""Which annotation tool wrote a file that is neither JSON nor XML, by its first bytes or its name."""

import re
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

from rsis.own_data.facts import AnnotationFile, Facts, text_of

NO_LABELS = ("classes.txt", "labels.txt", "notes.txt", "train.txt", "val.txt", "test.txt")
"""Names of text files that are never YOLO's labels of a picture."""
_HEAD = 4096  # bytes of a text that tell what it is
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
            is_yolo = name not in NO_LABELS and _begins_like_yolo(text_of(path, _HEAD))
            return _yolo(relative, text_of(path)) if is_yolo else None
        if suffix == ".csv":
            kind = _kind_of_table(name, text_of(path, _HEAD))
        elif suffix == ".roi":
            with path.open("rb") as file:
                kind = "imagej" if file.read(4) == b"Iout" else ""
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


def _begins_like_yolo(text: str) -> bool:
    """Return whether a text begins with a class and at least four fractions of a picture's sides."""
    words = text.split(maxsplit=5)[:5]
    try:
        class_id, *fractions = (float(word) for word in words)
    except ValueError:
        return False
    return class_id.is_integer() and len(fractions) == 4 and all(-1 <= number <= 2 for number in fractions)


def _yolo(relative: str, text: str) -> AnnotationFile:
    """Return the objects of a label file of YOLO: lines of a class and the fractions of a box or of an outline."""
    lines = [words for line in text.splitlines() if (words := line.split())]
    boxes = sum(len(words) == 5 for words in lines)
    return AnnotationFile(
        relative, "yolo", Facts(classes=Counter(words[0] for words in lines), objects=len(lines), boxes=boxes)
    )


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


def _is_roi(name: str) -> bool:
    return name.lower().endswith(".roi") and not PurePosixPath(name).name.startswith(".")  # macOS adds such files


def _has_rois(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(map(_is_roi, archive.namelist()))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError):
        return False
