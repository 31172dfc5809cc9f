"""The pixel values of one picture of a file: its page, its channels, upright, not yet scaled to 8 bits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.images import unreadable
from rsis.data.readers.orientation import read_shown, turned
from rsis.data.readers.rules import PLAIN, PictureRules
from rsis.data.readers.tiff import read_tiff
from rsis.files.embedded import open_picture
from rsis.machine.pixels import array_of
from rsis.masks import bands
from rsis.splits.pages import Planes, is_tiff, planes_of, stack_axes


@dataclass(frozen=True)
class Values:
    """The pixel values of a picture.

    Attributes:
        pixels: [H, W] (grey) or [H, W, 3], upright; uint8, or of the file's type if that has more than 8 bits.
        orientation: EXIF orientation of the file, 1..8.
    """

    pixels: np.ndarray
    orientation: int


def read_values(path: Path, rules: PictureRules = PLAIN, page: int | None = None) -> Values:
    """Read the pixel values of a picture, upright; see `read_picture`.

    Raises:
        BadSampleError: As for `read_picture`; or a value is not finite.
    """
    try:
        tiff = is_tiff(path)
    except OSError as error:
        raise unreadable(path, error) from error
    planes = planes_of(path)
    place, axis = page_of(path, planes, rules, page)
    found = read_tiff(path, planes, place, axis) if tiff else None
    if found is not None:
        orientation = found.orientation
        pixels = _chosen(path, turned(found.pixels, orientation), rules, planes, is_colour=found.is_colour)
    else:
        image, orientation = read_shown(path, place or 0)
        deep = _deep_colours(path)
        shown = _to_array(image) if deep is None else turned(deep, orientation)
        pixels = _chosen(path, shown, rules, planes, is_colour=True)
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind not in "iu" and not all(np.isfinite(pixels[rows]).all() for rows in bands(pixels)):
        raise BadSampleError(f"{path}: has pixels that are no number (NaN or infinite); replace them, such as by 0")
    return Values(pixels, orientation)


def page_of(path: Path, planes: Planes, rules: PictureRules, page: int | None) -> tuple[int | None, str]:
    """Return the position, from 0, of the page to read, and the letter of its axis; (None, "") for one picture.

    Raises:
        BadSampleError: There are pages, and neither `page` nor the rules choose one; or there is no such page.
    """
    axes = stack_axes(planes, rules.channels, page is not None)
    chosen = rules.page - 1 if page is None and rules.page is not None else page
    if len(axes) > 1:
        raise BadSampleError(
            f"{path}: has {len(axes)} axes of pages ({planes}), expected one at most; save each picture as a file of "
            "its own"
        )
    if not axes:
        return None, ""
    length = planes.length(axes)
    if chosen is None:
        raise BadSampleError(
            f"{path}: has {length} pages ({planes}), expected one picture; give it a map of as many pages, or choose "
            "one with the data set's key page, or channels if they are channels (rsis init --page 1, --channels 1,2,3)"
        )
    if chosen >= length:
        raise BadSampleError(f"{path}: has {length} pages, expected page {chosen + 1}; correct page of the data set")
    return chosen, axes


def _chosen(path: Path, pixels: np.ndarray, rules: PictureRules, planes: Planes, *, is_colour: bool) -> np.ndarray:
    """Return the channels that become red, green and blue: [H, W] for grey, or [H, W, 3]."""
    count = 1 if pixels.ndim == 2 else pixels.shape[2]
    wanted = rules.channels
    if pixels.ndim > 3:
        raise BadSampleError(f"{path}: has colours and channels ({planes}), expected one of them; save it as colours")
    if wanted is None:
        if count == 1:
            return pixels if pixels.ndim == 2 else pixels[..., 0]
        if count > 3 and not is_colour:
            raise BadSampleError(
                f"{path}: has {count} channels ({planes}), and nothing says which become red, green and blue; choose "
                "with the data set's key channels (rsis init --channels 1,2,3)"
            )
        wanted = tuple(range(1, min(count, 3) + 1))
    if max(wanted) > count:
        raise BadSampleError(
            f"{path}: has {count} {'channel' if count == 1 else 'channels'}, expected channel {max(wanted)}; correct "
            "channels of the data set"
        )
    if count == 1 or len(wanted) == 1:
        return pixels if pixels.ndim == 2 else pixels[..., wanted[0] - 1]
    picked = pixels[..., [number - 1 for number in wanted]]
    if len(wanted) == 2:
        picked = np.concatenate([picked, np.zeros_like(picked[..., :1])], axis=2)
    return picked


def _to_array(image: Image.Image) -> np.ndarray:
    """Return [H, W] of a grey image of more than 8 bits, uint8 [H, W, 3] of all others; alpha is dropped."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return array_of(image)
    return array_of(image if image.mode == "RGB" else image.convert("RGB"))


def _deep_colours(path: Path) -> np.ndarray | None:
    """Return uint16 [H, W, C] of a PNG file with 16-bit colours, as stored; None for all others.

    Pillow keeps the upper 8 of their bits. torchvision is imported here, since that takes long and such files are rare.
    """
    with open_picture(path) as file:
        head = file.read(26)
    if head[:8] != b"\x89PNG\r\n\x1a\n" or head[24] != 16 or head[25] not in (2, 4, 6):
        return None
    import torch
    from torchvision.io import ImageReadMode, decode_png

    with open_picture(path) as file:
        content = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
    try:
        pixels: np.ndarray = decode_png(content, mode=ImageReadMode.UNCHANGED).permute(1, 2, 0).numpy()
    except RuntimeError as error:
        raise unreadable(path, error) from error
    return pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., :1]  # without alpha
