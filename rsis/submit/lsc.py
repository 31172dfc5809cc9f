"""A submission to the Leaf Segmentation Challenge (LSC 2017), and the same instance maps as PNG files.

    submission.h5            /A1/plant003/label           uint8 [H, W] at the original size, 0 = background,
                                                          1..N = leaves; uint16 if there are more than 255
                             /A1/plant003/label_filename  text, "plant003_label.png"
    A1/plant003_label.png    the same map as palette indices; 16-bit grey if there are more than 255 leaves

The organisers' scorer uses the lowest label of a map as background, and the largest minus the lowest label as
the number of leaves. So the labels are 1..N without gaps. If the leaves cover the whole image, one pixel of
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
_NAME = re.compile("[A-Za-z0-9_-]+")  # valid as the name of an HDF5 group and of a file


def write_lsc_submission(folder: Path, set_name: str, maps: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write a submission into an existing folder; equal maps give equal bytes.

    Args:
        folder: Folder for `submission.h5` and the folder of the PNG files.
        set_name: Name of a set of the challenge, such as "A1".
        maps: Name of each plant, such as "plant003", and its instance map, integer [H, W] at the original size.

    Raises:
        UserError: The name of the set or of a plant has a character that is not allowed.
        OSError: The folder cannot be written.
    """
    _check_name("set", set_name)
    (folder / set_name).mkdir()
    content = io.BytesIO()  # in memory, since it is small and HDF5 may crash on a full disk
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
    """Return the instance map in the form of a submission, uint8 [H, W], or uint16 for more than 255 objects.

    The labels are 1..N in the order of the map's labels, and at least one pixel is 0.
    """
    labels = relabel(instance_map)
    if labels.min() > 0:
        largest = np.bincount(labels.ravel()).argmax()
        labels.flat[np.argmax(labels == largest)] = 0
        labels = relabel(labels)  # if that object had a single pixel, it is gone now
    return labels.astype(np.uint8 if labels.max() <= 255 else np.uint16)


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{what} {name!r}: the Leaf Segmentation Challenge takes names of letters, digits, - and _; "
            "correct the data set's folder or file names, then prepare and predict again"
        )
