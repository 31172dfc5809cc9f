"""Reader of the instance annotations of sbdataset, the Semantic Boundaries Dataset: one MATLAB file per image.

    inst/2008_000003.mat    a struct GTinst with
        Segmentation        [H, W] integers, 0 = background, i = object i
        Categories          [N, 1] integers, row i has the class 1..20 of object i
        Boundaries          not read

Every pixel is annotated; there are no void pixels. Source: Hariharan et al., Semantic Contours from Inverse
Detectors, ICCV 2011.
"""

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from rsis.data.readers.base import BadSampleError

# what scipy raises for damaged files; the type depends on the place of the damage
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    NameError,
    NotImplementedError,
    OverflowError,
    MemoryError,
    zlib.error,
    MatReadError,
)


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
    fields = _read_fields(path)
    segmentation, categories = (_whole_numbers(fields[name], name, path) for name in ("Segmentation", "Categories"))
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


def _read_fields(path: Path) -> np.void:
    """Return the record GTinst, which has at least Segmentation and Categories."""
    try:
        stream: Any = io.BytesIO(path.read_bytes())  # given a path, scipy does not report a missing file
        content = loadmat(stream, variable_names=["GTinst"])
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise BadSampleError(f"{path}: not a readable MATLAB file ({reason}); restore the file") from error
    record = content.get("GTinst")
    names = getattr(getattr(record, "dtype", None), "names", None) or ()
    if record is None or record.size != 1 or not {"Segmentation", "Categories"} <= set(names):
        raise BadSampleError(
            f"{path}: no struct GTinst with Segmentation and Categories in it; restore the file from inst of sbdataset"
        )
    fields: np.void = record.flat[0]
    return fields


def _whole_numbers(values: object, name: str, path: Path) -> np.ndarray:
    """Return integers as int64; MATLAB may have stored them in any numeric type."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "uif":
        with np.errstate(invalid="ignore"):  # the comparison below detects NaN
            whole = values.astype(np.int64)
        if (whole == values).all():
            return whole
    raise BadSampleError(f"{path}: {name} of GTinst is not made of whole numbers; restore the file")
