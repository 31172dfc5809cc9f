"""The shape of a ROI file of ImageJ and Fiji. A header of 64 bytes, all big-endian, comes before the coordinates.

    byte   type       what
    0      4 bytes    "Iout"
    4      int16      version
    6      uint8      kind, see `_Kind`
    8      4 int16    top, left, bottom, right
    16     uint16     number of points; 0 stands for the int32 at 18
    18     4 float32  left, top, width, height of a rectangle or oval with fractions
    36     int32      number of floats of paths; above 0 the shape is made of paths, whatever its kind
    48     int16      subtype: 1 is a text, 4 a picture
    50     int16      options; bit 128: coordinates have fractions

Points are all x as int16 from left, then all y from top; with fractions, all x and all y as float32 follow. Paths are
float32: 0 x y moves to a point, 1 x y draws a line to it, 4 closes the path.
"""

import struct
from enum import IntEnum

import numpy as np

from rsis.eval.truths.exports.shapes import EvenOdd, Outline, Shape, Undrawn, ellipse, rectangle

_HEADER = struct.Struct(">4shBx4hH4fhi8xhh12x")
_START = 64  # of points and paths
_FRACTIONS = 128
_FIRST_WITH_FRACTIONS = 222  # version; of rectangles and ovals the next one
_NO_AREA = (1, 4)  # subtypes
_MOVE, _LINE, _CLOSE = 0, 1, 4


class _Kind(IntEnum):
    POLYGON = 0
    RECTANGLE = 1
    OVAL = 2
    FREEHAND = 7
    TRACED = 8


def shape_of(content: bytes) -> Shape:
    """Return the shape of a ROI file; lines, angles, points and texts have no area.

    Raises:
        ValueError: The file is damaged.
    """
    if len(content) < _START or content[:4] != b"Iout":
        raise ValueError("is no ROI of ImageJ")
    _, version, kind, top, left, bottom, right, count, *box, _, paths, subtype, options = _HEADER.unpack_from(content)
    has_fractions = bool(options & _FRACTIONS) and version >= _FIRST_WITH_FRACTIONS
    if paths > 0:
        return _of_paths(_array(content, _START, paths, ">f4").tolist())
    if kind in (_Kind.RECTANGLE, _Kind.OVAL):
        if subtype in _NO_AREA:
            return Undrawn()
        x, y, width, height = box
        if not has_fractions or version == _FIRST_WITH_FRACTIONS:
            x, y, width, height = left, top, right - left, bottom - top
        if kind == _Kind.RECTANGLE:
            return rectangle(x, y, x + width, y + height)
        return ellipse(x + width / 2, y + height / 2, width / 2, height / 2)
    if kind not in (_Kind.POLYGON, _Kind.FREEHAND, _Kind.TRACED):
        return Undrawn()
    if not count:
        (count,) = struct.unpack_from(">i", content, 18)
    if count <= 0:
        return Undrawn()
    if has_fractions:
        return Outline(_array(content, _START + 4 * count, 2 * count, ">f4").reshape(2, -1).T)
    offsets = _array(content, _START, 2 * count, ">i2").reshape(2, -1).T
    return Outline(offsets + np.array([left, top]))


def _array(content: bytes, start: int, count: int, kind: str) -> np.ndarray:
    """Return float64 [count] of numbers of a numpy type; raise ValueError if the file ends before."""
    if start + count * np.dtype(kind).itemsize > len(content):
        raise ValueError("ends before its coordinates do")
    return np.frombuffer(content, kind, count, start).astype(np.float64)


def _of_paths(values: list[float]) -> Shape:
    """Return the shape of paths; curves, and numbers that are no paths, have no area."""
    found: list[list[tuple[float, float]]] = []
    place = 0
    while place < len(values):
        step = values[place]
        if step == _CLOSE:
            place += 1
            continue
        if step not in (_MOVE, _LINE) or place + 3 > len(values) or (step == _LINE and not found):
            return Undrawn()
        if step == _MOVE:
            found.append([])
        found[-1].append((values[place + 1], values[place + 2]))
        place += 3
    return EvenOdd(tuple(np.array(path) for path in found))
