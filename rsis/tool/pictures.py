"""Read pictures from every supported input: files, folders, patterns, PIL images, arrays, tensors."""

import glob
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.depth import percentiles_of, sampled, to_8_bits
from rsis.data.readers.pictures import PLAIN, PictureRules
from rsis.data.readers.pictures import read_picture as read_page
from rsis.errors import UserError
from rsis.splits.pages import planes_of, stack_axes
from rsis.tool.names import text_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PictureFile:
    """A picture in a file.

    Attributes:
        path: The file.
        page: Position of the picture's page in a stack, from 0; None for a file of one picture.
    """

    path: Path
    page: int | None = None

    def __str__(self) -> str:
        """Return the path; of a page as in "stack.tif#3", counted from 1."""
        return text_of(self.path) + ("" if self.page is None else f"#{self.page + 1}")


PictureLike: TypeAlias = str | Path | PictureFile | Image.Image | np.ndarray | torch.Tensor
"""A path, of a stack for all its pages; a page of a file; a PIL image; an array, uint8 [H, W, 3] (RGB) or uint8, uint16
or float [H, W] (grey); a tensor, uint8 [3, H, W]."""


@dataclass(frozen=True)
class InputImage:
    """One picture to find objects in.

    Attributes:
        image_id: Its path as given by the caller, with "#" and the number of its page if that is one of a stack; or
            "image" and its number. Both from 1.
        image: uint8 [H, W, 3], RGB.
        scaled_alone: Whether it has more than 8 bits and was scaled by percentiles of its own.
    """

    image_id: str
    image: np.ndarray
    scaled_alone: bool = False


def find_pictures(sources: Iterable[str | Path]) -> list[Path]:
    """Return the image files at the given paths, each once.

    Args:
        sources: Files, with any suffix; folders, which are searched recursively for files with the suffix of an image
            format, except hidden ones; patterns such as "scans/*.png". A linked folder is searched too, each folder
            once.

    Returns:
        The files in the order of `sources`; those of one folder or pattern are sorted by name.

    Raises:
        UserError: There is no such file or folder, or a folder contains no image file.
    """
    found: dict[Path, None] = {}
    for source in sources:
        path = Path(source).expanduser()
        if path.is_dir():
            files = sorted(file for file in _files_below(path) if is_picture(file.relative_to(path)) and file.is_file())
            nothing = f"{path}: no image file in this folder; expected files such as *.png, *.jpg, *.tif"
        elif path.exists():
            files, nothing = [path], ""
        else:
            files = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())  # noqa: PTH207
            nothing = f"{path}: no such file or folder, and no file fits it as a pattern; correct the path"
        if not files:
            raise UserError(nothing)
        found |= dict.fromkeys(files)
    return list(found)


def root_of(file: Path, sources: Iterable[str | Path]) -> Path:
    """Return the folder of a file that `find_pictures` found, as the user named it.

    It is the source, if that is a folder; of a pattern, the part before the first wildcard; of a file, its own folder.
    Where several sources fit, it is the innermost of their folders.
    """
    named = (Path(source).expanduser() for source in sources)
    folders = [path if path.is_dir() else _fixed(path) for path in named if not path.is_file()]
    around = [folder for folder in folders if file.is_relative_to(folder)]
    return max(around, key=lambda folder: len(folder.parts), default=file.parent)


def _fixed(pattern: Path) -> Path:
    """Return the folders of a pattern that have no wildcard."""
    parts = pattern.parts
    wild = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:wild])


def pages_in(path: Path, rules: PictureRules = PLAIN) -> list[PictureFile]:
    """Return the pictures of a file: each page of a stack, or the one that the rules choose."""
    planes = planes_of(path)
    axes = stack_axes(planes, rules.channels, by_page=False)
    if rules.page is not None or len(axes) != 1:  # reading says what is wrong with more axes of pages
        return [PictureFile(path)]
    return [PictureFile(path, page) for page in range(planes.length(axes))]


def find_pages(sources: Iterable[str | Path], rules: PictureRules = PLAIN) -> list[PictureFile]:
    """Return the pictures of the files at the given paths (`find_pictures`, `pages_in`)."""
    return [file for path in find_pictures(sources) for file in pages_in(path, rules)]


def number_of(images: PictureLike | Sequence[PictureLike], rules: PictureRules = PLAIN) -> int:
    """Return the number of pictures that `as_pictures` yields, without reading them.

    Raises:
        UserError: See `find_pictures`.
    """
    return sum(len(find_pages([item], rules)) if isinstance(item, str | Path) else 1 for item in _listed(images))


def _listed(images: PictureLike | Sequence[PictureLike]) -> Sequence[PictureLike]:
    return [images] if isinstance(images, (str, Path, PictureFile, Image.Image, np.ndarray, torch.Tensor)) else images


def as_pictures(
    images: PictureLike | Sequence[PictureLike], rules: PictureRules = PLAIN
) -> Iterator[InputImage | BadSampleError]:
    """Read pictures one at a time.

    A warning says once if there are pictures of more than 8 bits and the rules have no intensity for them.

    Args:
        images: The pictures.
        rules: How those of the training were read.

    Yields:
        Each picture, page by page; for a file that cannot be read, the error instead.

    Raises:
        UserError: See `find_pictures`; or an array does not have a shape and dtype of `PictureLike`.
    """
    warned = False
    for item in _read_all(images, rules):
        if isinstance(item, InputImage) and item.scaled_alone and not warned:
            warned = True
            _log.warning(
                "%s: has more than 8 bits, and the network was trained on pictures of 8; it is scaled by its own 0.1th "
                "and 99.9th percentile, and so are others like it",
                item.image_id,
            )
        yield item


def read_picture(file: PictureFile, rules: PictureRules = PLAIN) -> InputImage:
    """Read a picture as those of the training were read, and rotate it as its EXIF orientation says.

    Raises:
        BadSampleError: The file cannot be read, is truncated or is not an image, or the rules do not fit it.
    """
    picture = read_page(file.path, rules, file.page)
    return InputImage(str(file), picture.image, picture.scaled_alone)


def _read_all(
    images: PictureLike | Sequence[PictureLike], rules: PictureRules
) -> Iterator[InputImage | BadSampleError]:
    for number, item in enumerate(_listed(images)):
        if isinstance(item, str | Path | PictureFile):
            for file in [item] if isinstance(item, PictureFile) else find_pages([item], rules):
                try:
                    yield read_picture(file, rules)
                except BadSampleError as error:
                    yield error
        else:
            yield _from_memory(item, number + 1, rules)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield all files in a folder and below it; linked folders are followed last, and each folder is visited once."""
    seen: set[Path] = set()
    waiting = [folder]
    for start in waiting:
        for root, folders, names in os.walk(start):
            here = Path(root)
            if here.resolve() in seen:
                folders.clear()
                continue
            seen.add(here.resolve())
            yield from (here / name for name in names)
            waiting += [here / name for name in sorted(folders) if (here / name).is_symlink()]


def is_picture(path: Path) -> bool:
    """Return whether a path, relative to the user's folder, has the suffix of an image format and is not hidden."""
    return not any(part.startswith(".") for part in path.parts) and path.suffix.lower() in Image.registered_extensions()


def _from_memory(item: Image.Image | np.ndarray | torch.Tensor, number: int, rules: PictureRules) -> InputImage:
    what, name = f"image {number}", f"image{number}"
    if isinstance(item, Image.Image):
        shown = ImageOps.exif_transpose(item)
        if shown.mode not in ("I", "F") and not shown.mode.startswith("I;16"):
            return InputImage(name, np.asarray(shown.convert("RGB")))
        item = np.asarray(shown)
    if isinstance(item, torch.Tensor):
        if item.dtype != torch.uint8 or item.ndim != 3 or item.shape[0] != 3:
            raise UserError(f"{what}: a tensor of {item.dtype} {list(item.shape)}; expected torch.uint8 [3, H, W], RGB")
        return InputImage(name, item.permute(1, 2, 0).cpu().numpy())
    if item.dtype == np.uint8 and item.ndim == 3 and item.shape[2] == 3:
        return InputImage(name, item)
    if item.ndim != 2 or item.dtype.kind not in "uif" or not item.size or not np.isfinite(item).all():
        expected = "uint8 [H, W, 3], RGB, or uint8, uint16 or float [H, W], grey"
        raise UserError(f"{what}: an array of {item.dtype} {list(item.shape)}; expected {expected}")
    deep = item.dtype != np.uint8
    if deep:
        item = to_8_bits(item, rules.intensity or percentiles_of([sampled(item)]) or (0.0, 1.0))
    return InputImage(name, np.repeat(item[..., None], 3, axis=2), deep and rules.intensity is None)
