"""The shapes of LabelMe: polygon, rectangle, circle, and since LabelMe 5.3 a mask as a PNG file in base64.

A turned rectangle has four points: oriented_rectangle of LabelMe, rotation of X-AnyLabeling. X-AnyLabeling also writes
four points of a rectangle that is not turned.
"""

import io
import math
from typing import Any

import numpy as np
from PIL import Image

from rsis.data.readers.exports.shapes import ellipse, polygon, rectangle, ring_of
from rsis.data.readers.images import DAMAGE
from rsis.data.readers.outlines import Outline, PixelRuns, not_drawn
from rsis.files.embedded import decode_picture
from rsis.masks import encode_rle

_TURNED = ("oriented_rectangle", "rotation")


def outline_of(shape: dict[str, Any]) -> Outline:
    """Return the outline of an entry of `shapes`."""
    kind = shape.get("shape_type") or "polygon"  # early versions knew polygons alone
    ring = ring_of(shape.get("points"))
    if kind == "polygon" or (kind in ("rectangle", *_TURNED) and len(ring) == 8):
        return polygon(ring)
    if kind not in ("rectangle", "circle", "mask"):
        return not_drawn("a shape that encloses nothing" if isinstance(kind, str) else "a shape of an unknown type")
    if len(ring) != 4:
        return not_drawn(f"a {kind} that has not two points")
    if kind == "rectangle":
        return rectangle(*ring)
    if kind == "circle":
        radius = math.hypot(ring[2] - ring[0], ring[3] - ring[1])
        return ellipse(ring[0], ring[1], radius, radius)
    return _mask(ring, shape.get("mask"))


def _mask(corners: list[float], text: Any) -> Outline:
    """Return a mask from the left upper and the right lower pixel of its box and its pixels in the box."""
    if not all(abs(number) < 2**31 for number in corners):
        return not_drawn("a mask whose box is not of numbers")
    left, top, right, bottom = map(int, corners)  # a mask that was moved has fractions, which LabelMe cuts off too
    try:
        with Image.open(io.BytesIO(decode_picture(text))) as image:
            size = (image.height, image.width)
            if size != (bottom - top + 1, right - left + 1):
                return not_drawn(f"a mask of {list(size)} in a box of {[bottom - top + 1, right - left + 1]}")
            pixels = np.asarray(image)
    except DAMAGE as error:
        return not_drawn(f"a mask that cannot be read ({' '.join(str(error).split())})")
    if pixels.ndim == 3:
        pixels = pixels[..., : 1 if pixels.shape[2] == 2 else 3].max(axis=2)  # without alpha
    runs = encode_rle(pixels > 0)["counts"]
    return Outline(masks=[PixelRuns(list(size), runs, corner=[left, top])])
