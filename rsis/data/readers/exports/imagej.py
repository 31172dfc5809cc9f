"""ROI files of ImageJ and Fiji: a zip or a single .roi file for each picture, named after it; one object for each ROI.

    cell1.tif  cell1.zip, cell1.roi, RoiSet_cell1.zip, cell1_RoiSet.zip, cell1-RoiSet.zip, cell1_rois.zip, cell1.roi.zip

A zip of another name, such as RoiSet.zip, belongs to the picture of its folder if both are alone there.
Polygons, freehand and traced shapes, rectangles, ovals and composites are drawn. In a composite, a path inside another
is a hole. Lines, angles, points, text and images enclose nothing. ROI files have no classes.
"""

import io
import logging
import re
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import roifile

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.exports.by_stem import read_by_stem
from rsis.data.readers.exports.shapes import ellipse, polygon, rectangle
from rsis.data.readers.exports.source import Source
from rsis.data.readers.outline_reader import AnnotatedObject, AnnotationDocument
from rsis.data.readers.outlines import Outline, Ring, not_drawn
from rsis.data.readers.texts import read_bytes

_MOST_BYTES = 64 * 2**20  # unpacked, of one picture
_MOST_ROIS = 100_000
_SET_NAME = re.compile(r"^RoiSet[_-](?P<a>.+)$|^(?P<b>.+)[_-](RoiSet|rois)$|^(?P<c>.+)\.roi$", re.IGNORECASE)
_OF_MACOS = re.compile(r"^__MACOSX/|(^|/)\.[^/]*$")  # what macOS adds to a zip: hidden files, named like the others
_DRAWN = (roifile.ROI_TYPE.POLYGON, roifile.ROI_TYPE.FREEHAND, roifile.ROI_TYPE.TRACED)


def read_imagej(source: Source) -> AnnotationDocument:
    """Read all files; raise UserError for faults of the data set."""
    logging.getLogger("roifile").setLevel(logging.CRITICAL)  # it reports what is read as a shape that cannot be drawn
    alone = _alone(source)
    return read_by_stem(source, (".zip", ".roi"), partial(_stems_of, alone), _read_file, _is_other)


def _alone(source: Source) -> dict[PurePosixPath, str]:
    """Return the picture of each zip that is the only file of ROIs of its folder, where there is one picture."""
    pictures: dict[PurePosixPath, list[str]] = {}
    files: dict[PurePosixPath, list[PurePosixPath]] = {}
    for picture in source.pictures:
        pictures.setdefault(PurePosixPath(picture).parent, []).append(picture)
    for file in map(PurePosixPath, source.files(".zip", ".roi")):
        files.setdefault(file.parent, []).append(file)
    return {
        here[0]: pictures[folder][0]
        for folder, here in files.items()
        if len(here) == 1 and len(pictures.get(folder, ())) == 1 and here[0].suffix.lower() == ".zip"
    }


def _stems_of(alone: dict[PurePosixPath, str], file: PurePosixPath) -> Iterator[str]:
    yield file.with_suffix("").as_posix()
    named = _SET_NAME.match(file.stem)
    if named is not None and file.suffix.lower() == ".zip":
        yield (file.parent / (named["a"] or named["b"] or named["c"])).as_posix()
    if file in alone:
        yield alone[file]


def _read_file(source: Source, file: str) -> list[AnnotatedObject]:
    path = source.annotations / file
    class_id = source.classes.id_of(None, str(path))
    return [AnnotatedObject(name, class_id, _outline(path, name, content)) for name, content in _rois(path)]


def _is_other(source: Source, file: str, has_picture: bool) -> bool:
    """Return whether a zip without a picture holds no ROIs; a broken one could hold some."""
    if has_picture:
        return False
    try:
        with zipfile.ZipFile(source.annotations / file) as archive:
            return not any(map(_is_roi, archive.namelist()))
    except Exception:  # it is no zip, or damaged
        return False


def _is_roi(name: str) -> bool:
    """Return whether an entry of a zip is a ROI."""
    return name.lower().endswith(".roi") and not _OF_MACOS.search(name)


def _rois(path: Path) -> list[tuple[str, bytes]]:
    """Return the names and the bytes of the ROIs of a file."""
    content = read_bytes(path, "ROIs of ImageJ", BadSampleError)
    if path.suffix.lower() == ".roi":
        _refuse(path, 1, len(content))
        return [("the ROI", content)]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            entries = [entry for entry in file.infolist() if _is_roi(entry.filename)]
            _refuse(path, len(file.infolist()), sum(entry.file_size for entry in entries))
            return [(ascii(entry.filename), file.read(entry)) for entry in entries]
    except BadSampleError:
        raise
    except Exception as error:  # whatever zipfile raises for a damaged file
        raise BadSampleError(
            f"{path}: not a readable zip ({' '.join(str(error).split())}); restore the file"
        ) from error


def _refuse(path: Path, rois: int, size: int) -> None:
    if rois > _MOST_ROIS or size > _MOST_BYTES:
        raise BadSampleError(
            f"{path}: holds {rois} entries of {size} bytes; expected ROIs of one picture, at most {_MOST_ROIS} of "
            f"{_MOST_BYTES} bytes; give each picture a file of its own"
        )


def _outline(path: Path, name: str, content: bytes) -> Outline:
    try:
        roi = roifile.ImagejRoi.frombytes(content)
    except Exception as error:  # whatever roifile raises for a damaged file
        message = " ".join(str(error).split())
        raise BadSampleError(f"{path}: {name} is no readable ROI ({message}); restore the file") from error
    if roi.subtype in (roifile.ROI_SUBTYPE.TEXT, roifile.ROI_SUBTYPE.IMAGE):
        return not_drawn("text or an image")
    if roi.multi_coordinates is not None:
        return _composite(roi.multi_coordinates)
    if roi.roitype in _DRAWN:
        return polygon(_ring(np.asarray(roi.coordinates()).tolist()))
    left, top, width, height = map(float, (roi.left, roi.top, roi.right - roi.left, roi.bottom - roi.top))
    if roi.subpixelrect:
        left, top, width, height = roi.xd, roi.yd, roi.widthd, roi.heightd
    if roi.roitype == roifile.ROI_TYPE.RECT:
        return rectangle(left, top, left + width, top + height)
    if roi.roitype == roifile.ROI_TYPE.OVAL:
        return ellipse(left + width / 2, top + height / 2, width / 2, height / 2)
    return not_drawn("a shape that encloses nothing")


def _composite(path: np.ndarray) -> Outline:
    try:
        paths = [_ring(np.asarray(points).tolist()) for points in roifile.ImagejRoi.path2coords(path)]
    except Exception as error:  # whatever roifile raises for curves and broken paths
        return not_drawn(f"a composite that cannot be read ({' '.join(str(error).split())})")
    drawn = [[path] for path in paths if len(path) >= 6]  # ImageJ also writes paths of a single point
    return Outline(polygons=drawn, even_odd=True) if drawn else not_drawn("a composite without a path of three points")


def _ring(points: list[list[float]]) -> Ring:
    """Return a ring without the point that closes it."""
    if len(points) > 1 and points[0] == points[-1]:
        points = points[:-1]
    return [float(number) for point in points for number in point]
