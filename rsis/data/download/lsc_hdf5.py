"""Conversion of the HDF5 files of the Leaf Segmentation Challenge 2017 to the CVPPP folder layout.

    CVPPP2017_training_images.h5   /A1/plant001/rgb    uint8 [H, W, 3 or 4]
                                   /A1/plant001/{rgb_filename, fg, fg_filename, centers}
    CVPPP2017_training_truth.h5    /A1/plant001/label  uint8 [H, W], 0 = background, 1..N = leaves
                                   /A1/plant001/{label_filename, count}
    CVPPP2017_testing_images.h5    /A1/plant003/rgb    and so on, without labels

A file with "testing" in its name goes to `testing/<set>`, any other file to `training/<set>`. Pictures
and instance maps may be in one file or in two. For each plant `plantNNN_rgb.png` and `plantNNN_label.png` are
written, and for each set with counts `<set>.csv`. The file names and the other arrays in the HDF5 files add no
information and are not read.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from rsis.errors import UserError
from rsis.files.hdf5 import own_dataset, own_group

# what h5py raises for damaged files
_UNREADABLE = (OSError, LookupError, RuntimeError, ValueError, TypeError, OverflowError, MemoryError)
_KINDS = ("_rgb.png", "_label.png")
LABEL_PALETTE = [(value * step) % 256 for value in range(256) for step in (97, 151, 211)]
"""Palette of the instance maps: R, G, B of the indices 0..255; background is black."""


def find_lsc_files(folder: Path) -> list[Path]:
    """Return the HDF5 files (`*.h5`) of a folder, sorted, without hidden files."""
    return sorted(path for path in folder.glob("*.h5") if not path.name.startswith("."))


def extract_lsc(files: Sequence[Path], wanted: Collection[str], target: Path) -> None:
    """Write the plants of HDF5 files as PNG files; no pixel changes.

    Args:
        files: The HDF5 files.
        wanted: Folders to write, such as "training/A1" and "testing/A1"; other sets are skipped.
        target: An empty folder, in which these folders are made.

    Raises:
        UserError: A file cannot be read or has another layout, a wanted folder has no plant, or a plant has an
            instance map but no picture or one of another size. Also if a plant has a picture but no instance map, in a
            folder under "training" or in one where other plants have instance maps.
    """
    counts: dict[str, dict[str, int]] = {name: {} for name in wanted}
    sizes: dict[Path, tuple[int, ...]] = {}
    for path in files:
        for plant in _read_plants(path, wanted):
            (target / plant.folder).mkdir(parents=True, exist_ok=True)
            stem = target / plant.folder / plant.name
            for values in (plant.picture, plant.label):
                if values is not None and sizes.setdefault(stem, values.shape[:2]) != values.shape[:2]:
                    found = f"a picture and an instance map of sizes {sizes[stem]} and {values.shape[:2]}"
                    raise UserError(f"{path}: {plant.folder}/{plant.name} has {found}; fetch the files again")
            if plant.picture is not None:
                Image.fromarray(plant.picture).save(f"{stem}_rgb.png")
            if plant.label is not None:
                image = Image.fromarray(plant.label)
                image.putpalette(LABEL_PALETTE)
                image.save(f"{stem}_label.png")
            if plant.count is not None:
                counts[plant.folder][plant.name] = plant.count
    for name in wanted:
        _check_complete(files, target / name, name)
        if counts[name]:
            lines = (f"{plant}_rgb.png,{count}\n" for plant, count in sorted(counts[name].items()))
            (target / name / f"{Path(name).name}.csv").write_text("".join(lines), encoding="ascii")


@dataclass(frozen=True)
class _Plant:
    """The content of one HDF5 file for one plant; an example of `folder` is "training/A1"."""

    folder: str
    name: str
    picture: np.ndarray | None  # uint8 [H, W, 3 or 4]
    label: np.ndarray | None  # uint8 [H, W]
    count: int | None


def _read_plants(path: Path, wanted: Collection[str]) -> Iterator[_Plant]:
    part = "testing" if "testing" in path.name.lower() else "training"
    try:
        with h5py.File(path, "r") as file:
            for set_name in file:
                folder = f"{part}/{set_name}"
                if folder in wanted:
                    plants = own_group(file, set_name)
                    for name in plants:
                        yield _read_plant(f"{path}: {plants.name}/{name}", folder, name, own_group(plants, name))
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()).strip("'\"")
        raise UserError(f"{path}: not a readable file of the LSC 2017 ({reason}); fetch it again") from error


def _read_plant(where: str, folder: str, name: str, content: h5py.Group) -> _Plant:
    if not re.fullmatch("[A-Za-z0-9_-]+", name):  # it becomes a file name
        raise UserError(f"{where}: expected a name of letters, digits, - and _; correct the file")
    picture, label, count = (
        np.asarray(own_dataset(content, key)[()]) if content.get(key, getlink=True) is not None else None
        for key in ("rgb", "label", "count")
    )
    if picture is not None and not _is_picture(picture):
        raise UserError(f"{where}/rgb: {_describe(picture)}, expected uint8 [H, W, 3 or 4]; fetch the file again")
    if label is not None:
        label = label[..., 0] if label.ndim == 3 and label.shape[2] == 1 else label
        if label.ndim != 2 or not label.size or label.dtype.kind not in "ui" or label.min() < 0 or label.max() > 255:
            raise UserError(f"{where}/label: {_describe(label)}, expected [H, W] of 0..255; fetch the file again")
        label = label.astype(np.uint8)
    return _Plant(folder, name, picture, label, None if count is None else int(count.reshape(-1)[0]))


def _is_picture(values: np.ndarray) -> bool:
    return values.dtype == np.uint8 and values.ndim == 3 and values.shape[2] in (3, 4) and values.size > 0


def _check_complete(files: Sequence[Path], folder: Path, name: str) -> None:
    """Raise UserError when a set has no plants, or a plant lacks its picture or its instance map."""
    names = ", ".join(path.name for path in files)
    plants_of = {kind: {path.name.removesuffix(kind) for path in folder.glob(f"*{kind}")} for kind in _KINDS}
    pictures, labels = (plants_of[kind] for kind in _KINDS)
    if not pictures:
        raise UserError(f"{files[0].parent}: {names} hold no pictures for {name}; add the file of images that does")
    lacking = (labels - pictures) if labels else set()
    if name.startswith("training/") or labels:
        lacking |= pictures - labels
    for plant in sorted(lacking):
        kind = "picture" if plant in labels else "label"
        raise UserError(f"{files[0].parent}: {names} hold no {kind} of {name}/{plant}; add the file that does")


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"
