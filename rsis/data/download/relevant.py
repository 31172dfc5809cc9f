"""Which files of a user's folder belong to its data set; a note or a table beside them does not change the data.

A manifest of a user's folder has them under `only`: suffixes such as ".png", and paths of single files.
"""

from pathlib import Path, PurePosixPath

from PIL import Image

from rsis.config.datasets import AnyDataset, CocoDataset, ExportDataset, MapsDataset, MasksDataset, VocDataset
from rsis.data.readers.open import open_split
from rsis.data.readers.outline_reader import OutlineReader

_MORE = (".npy", ".lsm", ".stk")  # arrays and TIFF files under suffixes that Pillow does not know
_OF_TOOLS = {  # of annotation tools that write a file for each picture; the others write one file
    "yolo": (".txt",),
    "labelme": (".json",),
    "geojson": (".geojson", ".json"),
    "imagej": (".roi", ".zip"),
}
_OF_BENCHMARKS = {
    "cvppp": (".png", ".csv", ".h5", ".hdf5"),
    "voc": (".jpg", ".png", ".txt", ".mat"),
    "cityscapes": (".png", ".json"),
}


def relevant_files(dataset: AnyDataset, root: Path) -> tuple[str, ...] | None:
    """Return suffixes in lower case and paths relative to the source; None if every file may belong to it.

    Args:
        dataset: Its section of params.yaml.
        root: Folder of its source. An annotation file in it may name pictures whose suffix is not that of a picture.

    Raises:
        UserError: A split cannot be opened.
    """
    pictures = {*Image.registered_extensions(), *_MORE}
    match dataset:
        case ExportDataset() if dataset.format in _OF_TOOLS:
            named = _named(dataset, root, pictures) if dataset.format == "labelme" else set()
            return tuple(sorted({*pictures, *_OF_TOOLS[dataset.format], *named}))
        case CocoDataset() | ExportDataset():
            documents = {PurePosixPath(split.annotations).as_posix() for split in dataset.splits.values()}
            return tuple(sorted(pictures | documents | _named(dataset, root, pictures)))
        case MapsDataset() | MasksDataset():
            return tuple(sorted(pictures))
    return _OF_BENCHMARKS.get(dataset.format)


def _named(dataset: CocoDataset | ExportDataset, root: Path, suffixes: set[str]) -> set[str]:
    """Return the paths of pictures that an annotation file names and that have none of the suffixes."""
    found = set()
    for split in dataset.splits:
        reader = open_split(dataset, root, split, lambda *_: None)
        assert isinstance(reader, OutlineReader)
        for path, _ in map(reader.picture_of, reader.image_ids):
            if path.suffix.lower() not in suffixes and path.is_relative_to(root):
                found.add(path.relative_to(root).as_posix())
    return found


def has_lists(dataset: AnyDataset) -> bool:
    """Return whether annotation files or lists name the images, so that a further picture belongs to no split."""
    one_file = isinstance(dataset, ExportDataset) and dataset.format not in _OF_TOOLS
    return one_file or isinstance(dataset, CocoDataset | VocDataset)
