"""Reader of the instance annotations of sbdataset, the Semantic Boundaries Dataset: one MATLAB file per image.

    inst/2008_000003.mat    a struct GTinst with
        Segmentation        [H, W] integers, 0 = background, i = object i
        Categories          [N, 1] integers, row i has the class 1..20 of object i
        Boundaries          not read

Every pixel is annotated; there are no void pixels. Source: Hariharan et al., Semantic Contours from Inverse
Detectors, ICCV 2011.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from rsis.data.readers.base import BadSampleError
from rsis.machine.child import ChildError, InChild


def read_sbdataset(path: Path, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the objects of one image.

    Args:
        path: The image's file in `inst`.
        num_classes: The valid classes are 1..num_classes.

    Returns:
        The instance map, int32 [H, W], 0 = background, object numbers perhaps with gaps; and class_ids, int64 [N], of
        the object numbers that occur, in rising order.

    Raises:
        BadSampleError: The file is damaged, lacks GTinst or one of its fields, or an object's class is missing or
            outside 1..num_classes.
    """
    fields = zip(_read_fields(path), ("Segmentation", "Categories"), strict=True)
    segmentation, categories = (_whole_numbers(values, name, path) for values, name in fields)
    if segmentation.ndim != 2 or segmentation.size == 0 or segmentation.min() < 0:
        raise BadSampleError(f"{path}: Segmentation is no image of object numbers from 0 up; restore the file")
    numbers = np.unique(segmentation[segmentation > 0])
    classes = categories.ravel()
    if len(numbers) and numbers[-1] > len(classes):
        raise BadSampleError(
            f"{path}: Segmentation has object {numbers[-1]}, but Categories only {len(classes)} entries; "
            "restore the file"
        )
    class_ids = classes[numbers - 1]
    for number, class_id in zip(numbers, class_ids, strict=True):
        if not 1 <= class_id <= num_classes:
            raise BadSampleError(
                f"{path}: object {number} has class {class_id}, expected 1 to {num_classes}; restore the file"
            )
    return segmentation.astype(np.int32), class_ids


def _read_fields(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return Segmentation and Categories of GTinst, of any type."""
    try:
        fields = _parsed(path.read_bytes())
    except (OSError, ChildError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadSampleError(f"{path}: not a readable MATLAB file ({reason}); restore the file") from error
    if fields is None:
        raise BadSampleError(
            f"{path}: no struct GTinst with Segmentation and Categories in it; restore the file from inst of sbdataset"
        )
    return fields


def _parse(content: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """Return Segmentation and Categories of the struct GTinst; None if there is no such struct."""
    stream: Any = io.BytesIO(content)
    record = loadmat(stream, variable_names=["GTinst"]).get("GTinst")
    names = getattr(getattr(record, "dtype", None), "names", None) or ()
    if record is None or record.size != 1 or not {"Segmentation", "Categories"} <= set(names):
        return None
    fields = record.flat[0]
    return _plain(fields["Segmentation"]), _plain(fields["Categories"])


def _plain(values: object) -> np.ndarray:
    """Return the values if they are numbers; text in place of anything else, which `_whole_numbers` refuses."""
    return values if isinstance(values, np.ndarray) and values.dtype.kind in "uif" else np.array("no numbers")


_parsed = InChild(_parse)  # damaged files can crash scipy


def _whole_numbers(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    """Return integers as int64; MATLAB may have stored them in any numeric type."""
    if values.dtype.kind in "uif":
        with np.errstate(invalid="ignore"):  # the comparison below detects NaN
            whole = values.astype(np.int64)
        if (whole == values).all():
            return whole
    raise BadSampleError(f"{path}: {name} of GTinst is not made of whole numbers; restore the file")
