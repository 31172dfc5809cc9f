"""A submission to the Leaf Segmentation Challenge (LSC 2017), and the same labels as PNG files.

    submission.h5            /A1/plant003/label           uint8 [H, W] at the original size, 0 = background,
                                                          1..N = leaves; uint16 when there are more than 255
                             /A1/plant003/label_filename  text, "plant003_label.png"
    A1/plant003_label.png    the same labels as indices of a palette; 16-bit grey when there are more than 255

The organisers' scorer takes the lowest label of a map for background, and the largest minus the lowest for
the number of leaves. So labels are 1..N without gaps, and where leaves cover the whole image one pixel of
the largest leaf becomes background.
"""

import io
import re
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from rsis.data.download.lsc_hdf5 import LABEL_PALETTE
from rsis.errors import UserError
from rsis.masks import relabel

HDF5_NAME = "submission.h5"
_NAME = re.compile("[A-Za-z0-9_-]+")  # becomes the name of a group and of a file


def write_lsc_submission(folder: Path, set_name: str, maps: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write a submission into a folder that is there; equal maps give equal bytes.

    Args:
        folder: Where `submission.h5` and the PNG files' folder go.
        set_name: Of the challenge, such as "A1".
        maps: Name of each plant, such as "plant003", and its instance map, integer [H, W] at the original size.

    Raises:
        UserError: The set or a plant has a name that the challenge has not.
        OSError: The folder cannot be written.
    """
    _check_name("set", set_name)
    (folder / set_name).mkdir()
    content = io.BytesIO()  # small, and HDF5 does not survive a disk that is full
    with h5py.File(content, "w") as file:
        for plant, instance_map in maps:
            _check_name("plant", plant)
            labels = to_labels(instance_map)
            png = f"{plant}_label.png"
            group = file.create_group(f"{set_name}/{plant}")
            group.create_dataset("label", data=labels, chunks=labels.shape, compression="gzip", track_times=False)
            group.create_dataset("label_filename", data=png, dtype=h5py.string_dtype(), track_times=False)
            image = Image.fromarray(labels)
            if labels.dtype == np.uint8:
                image.putpalette(LABEL_PALETTE)
            image.save(folder / set_name / png)
    (folder / HDF5_NAME).write_bytes(content.getvalue())


def to_labels(instance_map: np.ndarray) -> np.ndarray:
    """Return the labels to submit for an instance map, uint8 [H, W], or uint16 for more than 255 objects.

    They are 1..N in the order of the map's, and at least one pixel is 0.
    """
    labels = relabel(instance_map)
    if labels.min() > 0:
        largest = np.bincount(labels.ravel()).argmax()
        labels.flat[np.argmax(labels == largest)] = 0
        labels = relabel(labels)  # an object of a single pixel is gone now
    return labels.astype(np.uint8 if labels.max() <= 255 else np.uint16)


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{what} {name!r}: the Leaf Segmentation Challenge takes names of letters, digits, - and _; "
            "correct the data set's folder or file names, then prepare and predict again"
        )
