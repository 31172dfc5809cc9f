"""The images of a split of a user's data set, in the two layouts without an annotation file.

maps: a picture and an instance map of the same name, in two folders, or in one folder with a suffix or prefix

    images/cell7.png  labels/cell7.tif         cell7.png  cell7_label.png         img7.png  mask7.png

Where both are TIFF stacks of as many pages, each page is an image of its own (`each_page`). A map of classes may stand
beside each instance map, in a third folder and named like it.

masks: a folder for each picture, the layout of the Data Science Bowl 2018

    00ae65/images/00ae65.png  00ae65/masks/0e5ed2.png  00ae65/masks/1b44d2.png  ...

The reader of the training data and the truth of the scorers both use this list of images. They read the content of
the images independently of each other.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from rsis.errors import UserError
from rsis.files.tree import check_name, files_below
from rsis.splits.pages import planes_of, stack_axes
from rsis.splits.same_name import by_id, in_both
from rsis.splits.share import SharedSplit, select_share

OnLost = Callable[[Path, str], None]


class MapsSplit(SharedSplit):
    """Pictures with an instance map each: whole numbers, palette or grey; 0 is background, equal numbers one object."""

    images: str
    """Folder of the pictures, relative to the source."""
    maps: str
    """Folder of the instance maps, relative to the source; perhaps the same."""
    class_maps: str | None = None
    """Folder of the maps of classes, which are named like the instance maps; relative to the source. null: there is one
    class."""
    suffix: str = ""
    """What the name of a map ends with, before the file's type, such as _label."""
    prefix: str = ""
    """What the name of a map begins with, such as mask."""
    image_suffix: str = ""
    """What the name of a picture ends with, such as _img; the image's id is without it."""
    image_prefix: str = ""
    """What the name of a picture begins with, such as img; the image's id is without it."""
    nested: bool = False
    """Whether folders in the folders are searched too; the image's id is then its path, such as day1/cell7."""
    leave_out: tuple[str, ...] = ()
    """Endings of names, before the file's type, of files that are neither pictures nor maps, such as _flows."""


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
        page: Position, from 0, of the picture's page in a stack; None for a picture of one page.
        map_page: The same of the instance map, and of the map of classes.
        class_map: The map of classes; None if the split has none.
    """

    picture: Path
    annotations: tuple[Path, ...]
    page: int | None = None
    map_page: int | None = None
    class_map: Path | None = None


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
        on_lost: Called with the path and a message for each picture without a map and each map without a picture, and
            for each map of classes without an image or image without one. The default raises; when it returns, the
            file is left out.

    Returns:
        The files by image id, sorted; the id is the picture's file name without its extension.

    Raises:
        UserError: A folder is missing, a folder contains no picture, two pictures or two maps have the same name, or
            the split's share of the images is empty.
    """
    place, other = root / split.images, root / split.maps
    third = None if split.class_maps is None else root / split.class_maps
    pictures, maps = _files(place, split), _maps(other, split)
    if place in (other, third):
        pictures = {name: path for name, path in pictures.items() if core_of(name, split.prefix, split.suffix) is None}
    ids = {name: core_of(name, split.image_prefix, split.image_suffix) or name for name in pictures}
    named = by_id(((ids[name], path) for name, path in pictures.items()), place)
    if not named:
        raise UserError(f"{place}: no picture in this folder; correct images of the split in params.yaml")
    whole = in_both(named, maps, "picture", "instance map", on_lost)
    classes = {} if third is None else _maps(third, split)
    if third is not None:
        whole &= in_both(maps, classes, "instance map", "map of classes", on_lost)
    found = {
        named[key][0]: OwnImage(named[key][1], (maps[key][1],), class_map=classes[key][1] if key in classes else None)
        for key in whole
    }
    return {name: found[name] for name in select_share(found, split, place)}


def each_page(
    images: dict[str, OwnImage], page: int | None = None, channels: tuple[int, ...] | None = None
) -> dict[str, OwnImage]:
    """Return the pages of stacks as images of their own, where the instance map has as many pages as the picture.

    Args:
        images: Files of the layout `maps`, by image id.
        page: The data set's key of that name: it takes one page of each file.
        channels: The data set's key of that name, see `rsis.splits.pages.stack_axes`.

    Returns:
        The files by image id: page 2 of the image "cells" is "cells#2". An image whose numbers of pages differ stays
        one, and its reader says what is wrong.

    Raises:
        UserError: A page has the id of another image.
    """
    found: dict[str, OwnImage] = {}
    for name, files in images.items():
        label = files.annotations[0]
        picture, pages = planes_of(files.picture), planes_of(label).pages
        axes = stack_axes(picture, channels, by_page=pages > 1)
        same = files.class_map is None or planes_of(files.class_map).pages == pages
        if page is not None or pages == 1 or len(axes) != 1 or picture.length(axes) != pages or not same:
            one = None if page is None or pages == 1 else page - 1
            each = {name: replace(files, map_page=one)}
        else:
            each = {f"{name}#{k + 1}": replace(files, page=k, map_page=k) for k in range(pages)}
        for image_id in each:
            if image_id != name and image_id in images:
                raise UserError(
                    f"{files.picture}: its page {image_id} has the name of another picture; rename that one"
                )
        found |= each
    return found


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
        pictures = _pictures(path / "images")
        if len(pictures) != 1:
            on_lost(path, f"{path / 'images'}: holds {len(pictures)} pictures, expected one; keep exactly one there")
            continue
        masks = _pictures(path / "masks") if (path / "masks").is_dir() else []
        images[path.name] = OwnImage(pictures[0], tuple(masks))
    if not images:
        raise UserError(f"{folder}: no folder in it has a folder images with a picture; correct folder of the split")
    return {name: images[name] for name in select_share(images, split, folder)}


def is_picture(path: Path) -> bool:
    """Return whether a path is a file, is not hidden, and has the extension of an image format."""
    return path.suffix.lower() in Image.registered_extensions() and not path.name.startswith(".") and path.is_file()


def _pictures(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if is_picture(path))
    for path in found:
        check_name(path)
    return found


def _files(folder: Path, split: MapsSplit) -> dict[str, Path]:
    """Return the image files of a folder by their names: paths relative to the folder, without the file's type."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; correct the split in params.yaml")
    below = [folder / path for path in files_below(folder)] if split.nested else sorted(folder.iterdir())
    named: dict[str, Path] = {}
    for path in below:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if not is_picture(path) or (split.leave_out and name.endswith(split.leave_out)):
            continue
        check_name(path)
        if name in named:
            raise UserError(f"{folder}: has {named[name].name} and {path.name}, expected one of a name; remove one")
        named[name] = path
    return named


def _maps(folder: Path, split: MapsSplit) -> dict[str, tuple[str, Path]]:
    """Return the maps of a folder, see `by_id`."""
    cores = ((core_of(name, split.prefix, split.suffix), path) for name, path in _files(folder, split).items())
    return by_id(((core, path) for core, path in cores if core is not None), folder)


def core_of(name: str, prefix: str, suffix: str) -> str | None:
    """Return a name without what it begins and ends with; None if it does not. Folders before the name stay."""
    folder, slash, last = name.rpartition("/")
    if len(last) <= len(prefix) + len(suffix) or not (last.startswith(prefix) and last.endswith(suffix)):
        return None
    return folder + slash + last.removeprefix(prefix).removesuffix(suffix)
