"""The images of a split of a user's data set, in the two layouts without an annotation file.

maps: a picture and an instance map of the same name, in two folders, or in one folder with a suffix on the map

    images/cell7.png  labels/cell7.tif         cell7.png  cell7_label.png

masks: a folder for each picture, the layout of the Data Science Bowl 2018

    00ae65/images/00ae65.png  00ae65/masks/0e5ed2.png  00ae65/masks/1b44d2.png  ...

The reader of the training data and the truth of the scorers both use this list of images. They read the content of
the images independently of each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from rsis.errors import UserError
from rsis.files.tree import check_name
from rsis.splits.share import SharedSplit, select_share

OnLost = Callable[[Path, str], None]


class MapsSplit(SharedSplit):
    """Pictures with an instance map each: whole numbers, palette or grey; 0 is background, equal numbers one object."""

    images: str
    """Folder of the pictures, relative to the source."""
    maps: str
    """Folder of the instance maps, relative to the source; perhaps the same."""
    suffix: str = ""
    """What the name of a map has behind that of its picture, before the file's type, such as _label."""


class MasksSplit(SharedSplit):
    """A folder for each picture, with the picture in `images` and a mask for each object in `masks`."""

    folder: str = "."
    """Holds a folder for each picture; relative to the source, and the source itself if it is not given."""


@dataclass(frozen=True)
class OwnImage:
    """The files of one image.

    Attributes:
        picture: The picture.
        annotations: The instance map, or the masks of the objects sorted by name.
    """

    picture: Path
    annotations: tuple[Path, ...]


def refuse(_: Path, message: str) -> None:
    """Raise UserError with the message: the default for data that lacks a file."""
    raise UserError(message)


def leave_out(_: Path, __: str) -> None:
    """Do nothing, so that an image that lacks a file is left out without a message."""


def map_images(root: Path, split: MapsSplit, on_lost: OnLost = refuse) -> dict[str, OwnImage]:
    """Return the files of each image of a split in the layout `maps`.

    Args:
        root: Folder that the split's folders are relative to.
        split: The split.
        on_lost: Called with the path and a message for each picture without a map and each map without a picture.
            The default raises; when it returns, the file is left out.

    Returns:
        The files by image id, sorted; the id is the picture's file name without its extension.

    Raises:
        UserError: A folder is missing, a folder contains no picture, two pictures or two maps have the same name, or
            the split's share of the images is empty.
    """
    pictures = _files(root / split.images)
    maps = {path.stem: path for path in _named(_files(root / split.maps), root / split.maps).values()}
    if split.suffix or split.images == split.maps:
        suffixed = {stem: path for stem, path in maps.items() if stem.endswith(split.suffix)}
        if split.images == split.maps:
            pictures = [path for path in pictures if not path.stem.endswith(split.suffix)]
        maps = {stem.removesuffix(split.suffix): path for stem, path in suffixed.items()}
    named = _named(pictures, root / split.images)
    if not named:
        raise UserError(f"{root / split.images}: no picture in this folder; correct images of the split in params.yaml")
    for name in sorted(named.keys() ^ maps.keys()):
        unpaired, lacking = (named[name], "instance map") if name in named else (maps[name], "picture")
        on_lost(unpaired, f"{unpaired}: has no {lacking} of that name; add it, or take the file out of the folder")
    chosen = select_share(named.keys() & maps.keys(), split, root / split.images)
    return {name: OwnImage(named[name], (maps[name],)) for name in chosen}


def mask_images(root: Path, split: MasksSplit, on_lost: OnLost = refuse) -> dict[str, OwnImage]:
    """Return the files of each image of a split in the layout `masks`; an image may have no mask.

    Args:
        root: Folder that the split's folder is relative to.
        split: The split.
        on_lost: Called with the path and a message for each folder whose `images` does not contain exactly one
            picture. The default raises; when it returns, the folder is left out.

    Returns:
        The files by image id, sorted; the id is the name of the image's folder.

    Raises:
        UserError: The folder is missing, contains no image, or the split's share of the images is empty.
    """
    folder = root / split.folder
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; correct folder of the split in params.yaml")
    images = {}
    for path in sorted(path for path in folder.iterdir() if (path / "images").is_dir()):
        check_name(path)
        pictures = _files(path / "images")
        if len(pictures) != 1:
            on_lost(path, f"{path / 'images'}: holds {len(pictures)} pictures, expected one; keep exactly one there")
            continue
        masks = _files(path / "masks") if (path / "masks").is_dir() else []
        images[path.name] = OwnImage(pictures[0], tuple(masks))
    if not images:
        raise UserError(f"{folder}: no folder in it has a folder images with a picture; correct folder of the split")
    return {name: images[name] for name in select_share(images, split, folder)}


def is_picture(path: Path) -> bool:
    """Return whether a path is a file, is not hidden, and has the extension of an image format."""
    return path.suffix.lower() in Image.registered_extensions() and not path.name.startswith(".") and path.is_file()


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; correct the split in params.yaml")
    found = sorted(path for path in folder.iterdir() if is_picture(path))
    for path in found:
        check_name(path)
    return found


def _named(paths: list[Path], folder: Path) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in paths:
        if path.stem in named:
            raise UserError(
                f"{folder}: has {named[path.stem].name} and {path.name}, expected one of a name; remove one"
            )
        named[path.stem] = path
    return named
