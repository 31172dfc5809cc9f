"""Which images a split of somebody's own data has, in the two layouts that need no annotation file.

maps: a picture and an instance map of equal names, in two folders or in one with a suffix

    images/cell7.png  labels/cell7.tif         cell7.png  cell7_label.png

masks: a folder for each picture, as the Data Science Bowl 2018 was distributed

    00ae65/images/00ae65.png  00ae65/masks/0e5ed2.png  00ae65/masks/1b44d2.png  ...

Decided here once, for the reader of the training data and for the truth of the scorers; what an image holds is read
twice, independently.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from rsis.errors import UserError
from rsis.splits.share import SharedSplit, select_share

OnLost = Callable[[Path, str], None]


class MapsSplit(SharedSplit):
    """Pictures with an instance map each: whole numbers, palette or grey; 0 is background, equal numbers one object.

    Attributes:
        images: Folder of the pictures.
        maps: Folder of the maps, perhaps the same.
        suffix: What a map's name has behind its picture's, before the file's type, such as "_label".
    """

    images: str
    maps: str
    suffix: str = ""


class MasksSplit(SharedSplit):
    """A folder for each picture, with the picture in `images` and a mask for each object in `masks`.

    Attributes:
        folder: Holds these folders.
    """

    folder: str = "."


@dataclass(frozen=True)
class OwnImage:
    """The files of one image.

    Attributes:
        picture: The picture.
        annotations: Its instance map, or the masks of its objects, sorted by name.
    """

    picture: Path
    annotations: tuple[Path, ...]


def refuse(_: Path, message: str) -> None:
    """Raise UserError: nothing is made of data that lacks a file."""
    raise UserError(message)


def leave_out(_: Path, __: str) -> None:
    """Leave an image out that lacks a file, and say nothing."""


def map_images(root: Path, split: MapsSplit, on_lost: OnLost = refuse) -> dict[str, OwnImage]:
    """Return the files of each image, by its picture's name without the file's type, sorted.

    Args:
        root: Folder that the split's folders are relative to.
        split: Which.
        on_lost: Told of a picture without a map or a map without a picture; by default it raises.

    Raises:
        UserError: A folder is missing, holds no picture, or two pictures or maps have one name.
    """
    pictures = _files(root / split.images)
    maps = {path.stem: path for path in _named(_files(root / split.maps), root / split.maps).values()}
    if split.suffix or split.images == split.maps:
        own = {stem: path for stem, path in maps.items() if stem.endswith(split.suffix)}
        if split.images == split.maps:
            pictures = [path for path in pictures if not path.stem.endswith(split.suffix)]
        maps = {stem.removesuffix(split.suffix): path for stem, path in own.items()}
    named = _named(pictures, root / split.images)
    if not named:
        raise UserError(f"{root / split.images}: no picture in this folder; correct images of the split in params.yaml")
    for name in sorted(named.keys() ^ maps.keys()):
        lost, what = (named[name], "instance map") if name in named else (maps[name], "picture")
        on_lost(lost, f"{lost}: has no {what} of that name; add it, or take the file out of the folder")
    both = select_share(named.keys() & maps.keys(), split, root / split.images)
    return {name: OwnImage(named[name], (maps[name],)) for name in both}


def mask_images(root: Path, split: MasksSplit, on_lost: OnLost = refuse) -> dict[str, OwnImage]:
    """Return the files of each image, by its folder's name, sorted; an image may have no mask.

    Args:
        root: Folder that the split's folder is relative to.
        split: Which.
        on_lost: Told of a folder whose `images` does not hold one picture; by default it raises.

    Raises:
        UserError: The folder is missing, or holds none with a folder `images`.
    """
    folder = root / split.folder
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; correct folder of the split in params.yaml")
    found = {}
    for path in sorted(path for path in folder.iterdir() if (path / "images").is_dir()):
        pictures = _files(path / "images")
        if len(pictures) != 1:
            on_lost(path, f"{path / 'images'}: holds {len(pictures)} pictures, expected one; put that right")
            continue
        masks = _files(path / "masks") if (path / "masks").is_dir() else []
        found[path.name] = OwnImage(pictures[0], tuple(masks))
    if not found:
        raise UserError(f"{folder}: no folder in it has a folder images with a picture; correct folder of the split")
    return {name: found[name] for name in select_share(found, split, folder)}


def is_picture(path: Path) -> bool:
    """Say whether a path is a file with an image's suffix, and not hidden."""
    return path.suffix.lower() in Image.registered_extensions() and not path.name.startswith(".") and path.is_file()


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; correct the split in params.yaml")
    return sorted(path for path in folder.iterdir() if is_picture(path))


def _named(paths: list[Path], folder: Path) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in paths:
        if path.stem in named:
            raise UserError(
                f"{folder}: has {named[path.stem].name} and {path.name}, expected one of a name; remove one"
            )
        named[path.stem] = path
    return named
