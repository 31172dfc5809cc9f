"""Read pictures from every supported input: files, folders, patterns, PIL images, arrays, tensors."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.images import read_image, to_rgb
from rsis.errors import UserError
from rsis.tool.names import text_of

PictureLike: TypeAlias = str | Path | Image.Image | np.ndarray | torch.Tensor
"""A path; a PIL image; an array, uint8 [H, W, 3] (RGB) or uint8 or uint16 [H, W] (grey); a tensor, uint8 [3, H, W]."""


@dataclass(frozen=True)
class InputImage:
    """One picture to find objects in.

    Attributes:
        image_id: Its path as given by the caller (`rsis.tool.names.text_of`), or "image" and its number, from 1.
        image: uint8 [H, W, 3], RGB.
    """

    image_id: str
    image: np.ndarray


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
            files = sorted(file for file in _files_below(path) if _is_picture(file.relative_to(path), file))
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


def as_pictures(images: PictureLike | Sequence[PictureLike]) -> Iterator[InputImage | BadSampleError]:
    """Read pictures one at a time.

    Yields:
        Each picture; for a file that cannot be read, the error instead.

    Raises:
        UserError: See `find_pictures`; or an array does not have a shape and dtype of `PictureLike`.
    """
    listed = [images] if isinstance(images, (str, Path, Image.Image, np.ndarray, torch.Tensor)) else images
    for number, item in enumerate(listed):
        if isinstance(item, str | Path):
            for path in find_pictures([item]):
                try:
                    yield read_picture(path)
                except BadSampleError as error:
                    yield error
        else:
            yield InputImage(f"image{number + 1}", _to_array(item, f"image {number + 1}"))


def read_picture(path: Path) -> InputImage:
    """Read an image file and rotate it as its EXIF orientation says.

    Raises:
        BadSampleError: The file cannot be read, is truncated or is not an image.
    """
    return InputImage(text_of(path), to_rgb(ImageOps.exif_transpose(read_image(path)), path))


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


def _is_picture(relative: Path, file: Path) -> bool:
    hidden = any(part.startswith(".") for part in relative.parts)
    return not hidden and file.suffix.lower() in Image.registered_extensions() and file.is_file()


def _to_array(item: Image.Image | np.ndarray | torch.Tensor, what: str) -> np.ndarray:
    if isinstance(item, Image.Image):
        return to_rgb(ImageOps.exif_transpose(item), Path(what))
    if isinstance(item, torch.Tensor):
        if item.dtype != torch.uint8 or item.ndim != 3 or item.shape[0] != 3:
            raise UserError(f"{what}: a tensor of {item.dtype} {list(item.shape)}; expected torch.uint8 [3, H, W], RGB")
        return item.permute(1, 2, 0).cpu().numpy()
    if item.ndim == 2 and item.dtype in (np.uint8, np.uint16):
        return to_rgb(Image.fromarray(item), Path(what))
    if item.dtype != np.uint8 or item.ndim != 3 or item.shape[2] != 3:
        expected = "uint8 [H, W, 3], RGB, or uint8 or uint16 [H, W], grey"
        raise UserError(f"{what}: an array of {item.dtype} {list(item.shape)}; expected {expected}")
    return item
