"""What a picture file holds beside one picture: the pages of a stack, the channels of a microscope.

    axes   example                            what it is
    YX     a grey picture, [H, W]             one picture
    YXS    a colour picture, [H, W, 3]        one picture
    ZYX    a stack of pages, [n, H, W]        n pictures, where its instance map has as many pages
    CYX    channels, [n, H, W]                one picture, of channels
    ZCYX   a stack of pages with channels     n pictures, of channels
    TZYX   two axes of pages                  refused

The letters are tifffile's: T time, Z depth, I and Q pages without a meaning, C channels, S the samples of a colour.
Colours that are stored plane by plane count as channels, since tifffile writes any three pages so.
Only TIFF, GIF and WebP files are looked into; a file of another kind is one picture.
"""

import functools
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from rsis.files.embedded import is_embedded, open_picture

if TYPE_CHECKING:
    import tifffile

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how a TIFF file begins, whatever its name
_ANIMATED = (".gif", ".webp")


@dataclass(frozen=True)
class Planes:
    """The axes of a picture file.

    Attributes:
        axes: Letters of the axes longer than 1, such as "ZYX"; always with Y and X.
        shape: Length of each.
        names: Names of the channels, where the file has them.
    """

    axes: str
    shape: tuple[int, ...]
    names: tuple[str, ...] = ()

    def length(self, axis: str) -> int:
        """Return the length of an axis, 1 if the file does not have it."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    @property
    def stacks(self) -> str:
        """The axes of pages, such as "Z"."""
        return "".join(axis for axis in self.axes if axis not in "CSYX")

    @property
    def pages(self) -> int:
        """How many pages the file has when every axis but those of a colour picture is one of pages."""
        pages = 1
        for axis, length in zip(self.axes, self.shape, strict=True):
            pages *= 1 if axis in "SYX" else length
        return pages

    def __str__(self) -> str:
        """Return the axes with their lengths, such as "Z 5, C 3, Y 48, X 64"."""
        return ", ".join(f"{axis} {length}" for axis, length in zip(self.axes, self.shape, strict=True))


ONE = Planes("YX", (0, 0))  # of a file that is not looked into


def planes_of(path: Path) -> Planes:
    """Return the axes of a picture file, from its header; `ONE` for files of other kinds and for damaged ones."""
    try:
        state = path.stat()
    except OSError:
        return ONE
    return _planes_of(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=200_000)
def _planes_of(path: Path, _written: int, _size: int) -> Planes:
    try:
        if is_tiff(path):
            with open_tiff(path) as tiff:
                return _planes(tiff)
        if path.suffix.lower() in _ANIMATED:
            with Image.open(path) as image:
                frames = int(getattr(image, "n_frames", 1))
                return Planes("IYX", (frames, image.height, image.width)) if frames > 1 else ONE
    except Exception:  # whatever tifffile raises for a damaged file; who reads it says so
        return ONE
    return ONE


def stack_axes(planes: Planes, channels: tuple[int, ...] | None, by_page: bool) -> str:
    """Return the letters of the axes that count pages.

    Args:
        planes: The axes of the file.
        channels: The rule of that name: with it, a single axis of pages is one of channels.
        by_page: Whether there is an annotation for each page, so that a single axis of channels is one of pages.
    """
    if channels is not None and len(planes.stacks) == 1 and not set("CS") & set(planes.axes):
        return ""
    if by_page and not planes.stacks and channels is None:
        return "C" if "C" in planes.axes else ""
    return planes.stacks


def is_tiff(path: Path) -> bool:
    """Return whether a file begins as TIFF files do; raise OSError if it cannot be read."""
    with open_picture(path) as file:
        return file.read(4) in _TIFF


def open_tiff(path: Path) -> "tifffile.TiffFile":
    """Open a TIFF file; tifffile is imported here, since that takes long and few data sets need it."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it reports what it raises a second time
    return tifffile.TiffFile(open_picture(path) if is_embedded(path) else path)


def refuse_bomb(pixels: int) -> None:
    """Raise Pillow's error for a picture of more pixels than Pillow accepts, which tifffile would try to decode."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > 2 * limit:
        raise Image.DecompressionBombError(f"{pixels} pixels, more than {2 * limit}: perhaps made to fill the memory")


def pages_of(tiff: "tifffile.TiffFile") -> list[Any]:
    """Return the pages of a TIFF file that are pictures: neither a thumbnail or overview of another nor its mask."""
    pages = [page for page in tiff.pages if not (getattr(page, "is_reduced", False) or getattr(page, "is_mask", False))]
    return pages or list(tiff.pages)


def is_described(tiff: "tifffile.TiffFile") -> bool:
    """Return whether the file says what its pages are, as ImageJ, OME and tifffile write it."""
    series = tiff.series
    return len(series) == 1 and series[0].kind not in ("generic", "uniform")


def _planes(tiff: "tifffile.TiffFile") -> Planes:
    if is_described(tiff):
        series = tiff.series[0]
        found = [
            (axis, length) for axis, length in zip(series.axes, series.shape, strict=True) if _counts(axis, length)
        ]
    else:
        pages = pages_of(tiff)
        first = pages[0]
        found = [(axis, length) for axis, length in zip(first.axes, first.shape, strict=True) if _counts(axis, length)]
        found = [("I", len(pages)), *found] if len(pages) > 1 else found
    axes = "".join(axis for axis, _ in found)
    if axes.find("S") < axes.find("Y"):  # planes behind each other, as tifffile writes any three pages
        axes = axes.replace("S", "C")
    return Planes(axes, tuple(int(length) for _, length in found), _names(tiff))


def _counts(axis: str, length: int) -> bool:
    return length > 1 or axis in "YX"


def _names(tiff: "tifffile.TiffFile") -> tuple[str, ...]:
    """Return the names of the channels that ImageJ or OME wrote."""
    if tiff.imagej_metadata:
        count = int(tiff.imagej_metadata.get("channels", 1))
        labels = tiff.imagej_metadata.get("Labels") or []
        return tuple(str(label).splitlines()[0] if str(label) else "" for label in labels[:count])
    if tiff.ome_metadata:
        return tuple(re.findall(r'<Channel\b[^>]*?\bName="([^"]*)"', tiff.ome_metadata))
    return ()
