"""The ground truth of ROI files of ImageJ and Fiji: a file for each annotated picture, an object for each ROI.

    images/cell7.tif  annotations/cell7.zip  (or cell7.roi, RoiSet_cell7.zip, cell7_RoiSet.zip, cell7-RoiSet.zip,
                                              cell7_rois.zip, cell7.roi.zip)

A zip, as the ROI Manager saves it, holds a .roi file for each ROI. One of any name will do where a folder has one zip
and one picture. A picture without a file is not annotated yet.
"""

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from rsis.config.datasets import ExportDataset
from rsis.config.types import Split
from rsis.errors import UserError
from rsis.eval.truths.exports.base import REMEDY, Annotation, ExportObject, ExportTruth, on_lost_of
from rsis.eval.truths.exports.folders import Pictures, ending, listed, one_of, without_doubles, without_suffix
from rsis.eval.truths.exports.roi import shape_of

_PREFIXES = ("roiset_", "roiset-")
_SUFFIXES = ("_roiset", "-roiset", "_rois", "-rois", ".roi")
_MOST_BYTES = 64 << 20  # of all unpacked ROIs of a picture
_MOST_ENTRIES = 100_000
# what zipfile raises for damaged, encrypted and strangely packed files
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, KeyError)


class ImagejTruth(ExportTruth):
    """A split of ROI files; see `ExportTruth` for arguments and errors."""

    def __init__(self, root: Path, dataset: ExportDataset, split: Split) -> None:
        section = dataset.splits[split]
        pictures, folder = Pictures(root / section.images), root / section.annotations
        pairs = []
        names = [name for name in listed(folder, "annotations") if ending(name) in (".zip", ".roi")]
        own_folders = Counter(map(_folder_of, names))
        for name in names:
            several = (pictures.of_stem(stem) or pictures.of_name(stem) for stem in _stems(name))
            found = next(filter(None, several), [])
            if not found and ending(name) == ".zip" and own_folders[_folder_of(name)] == 1:
                beside = [picture for picture in pictures.names if _folder_of(picture) == _folder_of(name)]
                found = beside if len(beside) == 1 else []
            if not found and _has_no_rois(folder / name):
                continue
            picture = one_of(found, folder / name, pictures, on_lost_of(dataset))
            pairs += [(picture, folder / name)] if picture is not None else []
        self._documents = without_doubles(pairs)
        super().__init__(root, dataset, split, {name: pictures.folder / name for name in self._documents})

    def annotation(self, image_id: str) -> Annotation:
        """Return the ROIs of the picture's file."""
        path = self._documents[image_id]
        return Annotation(path, None, tuple(_object(path, place, roi) for place, roi in _rois(path)))


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def _stems(name: str) -> Iterator[str]:
    """Yield the names that the picture of a file may have, without the extension."""
    whole = without_suffix(name)
    yield whole
    if ending(name) != ".zip":
        return
    folder, slash, last = whole.rpartition("/")
    if last.lower().startswith(_PREFIXES):
        yield folder + slash + last[len(_PREFIXES[0]) :]
    for suffix in _SUFFIXES:
        if last.lower().endswith(suffix):
            yield folder + slash + last[: -len(suffix)]


def _has_no_rois(path: Path) -> bool:
    """Return whether a zip can be read and holds no ROIs, such as one of pictures."""
    try:
        with zipfile.ZipFile(path) as archive:
            return not any(map(_is_roi, archive.namelist()))
    except _DAMAGE:
        return False


def _is_roi(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = path.parts[:1] == ("__MACOSX",) or path.name.startswith(".")  # macOS adds such files
    return ending(path.name) == ".roi" and not hidden


def _rois(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each ROI of a file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); {REMEDY}") from error
    if ending(path.name) == ".zip":
        yield from _unpacked(path, content)
    else:
        yield "the ROI", content


def _unpacked(path: Path, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each ROI in a zip, in the order of its directory."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_ENTRIES:
                raise UserError(f"{path}: has {len(entries)} entries; expected {_MOST_ENTRIES} at most; {REMEDY}")
            left = _MOST_BYTES
            for entry in entries:
                if not _is_roi(entry.filename):
                    continue
                with archive.open(entry) as file:
                    roi = file.read(left + 1)
                left -= len(roi)
                if left < 0:
                    raise UserError(f"{path}: its ROIs unpack to more than {_MOST_BYTES} bytes; {REMEDY}")
                yield repr(entry.filename), roi
    except _DAMAGE as error:
        raise UserError(f"{path}: cannot read ({' '.join(str(error).split())}); {REMEDY}") from error


def _object(path: Path, place: str, roi: bytes) -> ExportObject:
    try:
        return ExportObject(place, None, (shape_of(roi),))
    except ValueError as error:
        raise UserError(f"{path}: {place} {error}; {REMEDY}") from error
