"""Read pictures from every supported input: files, folders, patterns, PIL images, arrays, tensors."""

import glob
import logging
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
        return str(self.path) if self.page is None else f"{self.path}#{self.page + 1}"


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
            format, except hidden ones; patterns such as "scans/*.png".

    Returns:
        The files in the order of `sources`; those of one folder or pattern are sorted by name.

    Raises:
        UserError: There is no such file or folder, or a folder contains no image file.
    """
    found: dict[Path, None] = {}
    for source in sources:
        path = Path(source).expanduser()
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if _is_picture(file.relative_to(path), file))
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
    listed = [images] if isinstance(images, (str, Path, PictureFile, Image.Image, np.ndarray, torch.Tensor)) else images
    for number, item in enumerate(listed):
        if isinstance(item, str | Path | PictureFile):
            for file in [item] if isinstance(item, PictureFile) else find_pages([item], rules):
                try:
                    yield read_picture(file, rules)
                except BadSampleError as error:
                    yield error
        else:
            yield _from_memory(item, number + 1, rules)


def _is_picture(relative: Path, file: Path) -> bool:
    hidden = any(part.startswith(".") for part in relative.parts)
    return not hidden and file.suffix.lower() in Image.registered_extensions() and file.is_file()


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
