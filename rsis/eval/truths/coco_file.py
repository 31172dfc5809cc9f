"""The part of COCO's instance JSON that scoring needs, and the conversion of a `segmentation` to a mask.

Ids may be numbers or text and are compared as text. A segmentation is a list of polygons
[x0, y0, x1, y1, ...] in pixels, or a run-length encoding whose counts are a list of runs or COCO's
compressed text. Other keys are ignored; `area` and `iscrowd` are optional.
"""

from typing import Annotated, Any

from pycocotools import mask as coco_mask
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError

from rsis.config.types import Count
from rsis.masks import RLE, rle_runs


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class CocoImage(_Model):
    """An entry of `images`."""

    id: int | str
    file_name: str
    height: Count
    width: Count


class Category(_Model):
    """An entry of `categories`."""

    id: int | str
    name: str


class Runs(_Model):
    """A run-length encoding: pixels off, on, off, ... column by column; `size` is [H, W]."""

    size: list[int]
    counts: str | list[Annotated[int, Field(ge=0)]]


_Segmentation: TypeAdapter[Runs | list[list[FiniteFloat]]] = TypeAdapter(Runs | list[list[FiniteFloat]])


class CocoObject(_Model):
    """An entry of `annotations`: one object, or a crowd region."""

    id: int | str | None = None
    image_id: int | str
    category_id: int | str
    segmentation: Any  # checked by `rasterise`, so that a fault in it concerns only its image, not the whole file
    area: Annotated[FiniteFloat, Field(ge=0)] | None = None
    iscrowd: int | bool | None = None


class CocoFile(_Model):
    """The whole document."""

    images: tuple[CocoImage, ...]
    categories: tuple[Category, ...]
    annotations: tuple[CocoObject, ...]


def rasterise(segmentation: Any, size: tuple[int, int]) -> RLE:
    """Return a segmentation as one compressed mask, the union of its parts.

    Args:
        segmentation: Value of the key `segmentation`.
        size: (H, W) of the image.

    Raises:
        ValueError: The segmentation is malformed or does not fit the image. The message starts with "has", to follow
            the name of the annotation.
    """
    height, width = size
    try:
        shape = _Segmentation.validate_python(segmentation, strict=True)
    except ValidationError as error:
        raise ValueError("has a segmentation that is neither polygons nor a run-length encoding") from error
    if not isinstance(shape, Runs):
        if not shape or not all(_is_polygon(polygon, height + width) for polygon in shape):
            raise ValueError("has no polygon, or one that is not three or more x, y pairs near the image")
        encoded = coco_mask.merge(coco_mask.frPyObjects(shape, height, width))
        counts = encoded["counts"].decode("ascii")
    elif shape.size != [height, width]:
        raise ValueError(f"has a mask of size {shape.size}; its image is {[height, width]}")
    elif isinstance(shape.counts, str):
        counts = shape.counts
    elif sum(shape.counts) != height * width:
        raise ValueError(f"has a mask that has runs of {sum(shape.counts)} pixels for a mask of {height * width}")
    else:
        encoded = coco_mask.frPyObjects({"size": [height, width], "counts": shape.counts}, height, width)
        counts = encoded["counts"].decode("ascii")
    rle = RLE(size=[height, width], counts=counts)
    try:
        rle_runs(rle)
    except ValueError as error:
        raise ValueError(f"has a mask that {error}") from error
    return rle


def _is_polygon(polygon: list[float], reach: int) -> bool:
    """Return whether a list is three or more x, y pairs near the image; pycocotools visits each pixel of an edge."""
    return len(polygon) >= 6 and len(polygon) % 2 == 0 and all(-reach <= number <= 2 * reach for number in polygon)
