"""Which files of a user's folder belong to its data set; a note or a table beside them does not change the data.

A manifest of a user's folder has them under `only`: suffixes such as ".png", and paths of single files.
"""

from pathlib import PurePosixPath

from PIL import Image

from rsis.config.datasets import AnyDataset, CocoDataset, MapsDataset, MasksDataset, VocDataset

_MORE = (".npy", ".lsm", ".stk")  # arrays and TIFF files under suffixes that Pillow does not know
_OF_BENCHMARKS = {
    "cvppp": (".png", ".csv", ".h5", ".hdf5"),
    "voc": (".jpg", ".png", ".txt", ".mat"),
    "cityscapes": (".png", ".json"),
}


def relevant_files(dataset: AnyDataset) -> tuple[str, ...] | None:
    """Return suffixes in lower case and paths relative to the source; None if every file may belong to it."""
    pictures = {*Image.registered_extensions(), *_MORE}
    match dataset:
        case CocoDataset():
            documents = {PurePosixPath(split.annotations).as_posix() for split in dataset.splits.values()}
            return tuple(sorted(pictures | documents))
        case MapsDataset() | MasksDataset():
            return tuple(sorted(pictures))
    return _OF_BENCHMARKS.get(dataset.format)


def has_lists(dataset: AnyDataset) -> bool:
    """Return whether annotation files or lists name the images, so that a further picture belongs to no split."""
    return isinstance(dataset, CocoDataset | VocDataset)
