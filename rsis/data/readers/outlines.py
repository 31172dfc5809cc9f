"""Outlines of objects, as annotation files describe them, and how they become masks.

An outline is the union of its parts: polygons, perhaps with holes, in pixels or in fractions of the picture, and masks
of runs of pixels. (0, 0) is the left upper corner of the picture, not the middle of its first pixel; pycocotools says
which pixels a polygon covers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from rsis.errors import UserError
from rsis.masks import RLE, rle_runs
from rsis.structures import DropReason

_LONGEST = 2**24  # pixels around a polygon; pycocotools takes about 100 bytes for each

Ring = list[float]
"""The corners of a polygon or of a hole: x, y, x, y, ..., three points or more."""


@dataclass(frozen=True)
class PixelRuns:
    """A mask as lengths of runs of pixels, of background and of object in turn; the first is of background.

    Attributes:
        size: [H, W] of the mask.
        runs: The lengths, or COCO's text of them.
        by_row: Whether the pixels are counted row by row; COCO counts column by column.
        corner: [x, y] of the mask's left upper pixel in the picture; None for a mask of the whole picture.
    """

    size: list[int]
    runs: str | list[int]
    by_row: bool = False
    corner: list[int] | None = None


@dataclass(frozen=True)
class Outline:
    """An outline whose form is checked; whether it fits its picture, `draw` says.

    Attributes:
        polygons: Each a list of rings: the outer one, then those of its holes.
        masks: Further parts of the object.
        even_odd: Whether a pixel that an even number of the polygons cover is outside, so that each is a hole in those
            around it.
        fractions: Whether coordinates are fractions of the picture's width and height.
        reason: Why there is nothing to draw; None if there is.
        fault: What was found instead of an outline.
    """

    polygons: Sequence[list[Ring]] = ()
    masks: Sequence[PixelRuns] = ()
    even_odd: bool = False
    fractions: bool = False
    reason: DropReason | None = None
    fault: str = ""

    def pack(self) -> list[Any]:
        """Return the outline as JSON values."""
        masks = [[mask.size, mask.runs, mask.by_row, mask.corner] for mask in self.masks]
        return [list(self.polygons), masks, self.even_odd, self.fractions, self.reason, self.fault]

    @classmethod
    def unpack(cls, packed: Sequence[Any]) -> "Outline":
        """Return the outline of `pack`."""
        polygons, masks, *others = packed
        return cls(polygons, [PixelRuns(*mask) for mask in masks], *others)


class CannotDrawError(ValueError):
    """An outline does not fit its picture; the message says what it is instead."""


def not_drawn(fault: str) -> Outline:
    """Return what stands for an outline that cannot be drawn, with what was found instead."""
    return Outline(reason="cannot be drawn", fault=fault)


BOX = Outline(reason="box without outline", fault="a box without outline")


def refuse_boxes(path: Path, outlines: Iterable[Outline]) -> None:
    """Raise UserError if there are annotations and all of them are boxes alone."""
    reasons = [outline.reason for outline in outlines]
    if reasons and set(reasons) == {"box without outline"}:
        raise UserError(
            f"{path}: {len(reasons)} of {len(reasons)} annotations are boxes without outlines; rsis needs the outline "
            "or the mask of each object: export polygons or masks, or draw them first"
        )


def draw(outline: Outline, size: tuple[int, int]) -> Any:
    """Return the mask as pycocotools' compressed run-length encoding.

    Args:
        outline: One without a `reason`.
        size: (H, W) of the picture.

    Raises:
        CannotDrawError: A point is far outside of the picture, or a mask is of another size or broken.
    """
    scale = [float(size[1]), float(size[0])] if outline.fractions else None
    polygons = [[_placed(ring, size, scale) for ring in rings] for rings in outline.polygons]
    if outline.even_odd:
        return _even_odd(polygons, size)
    plain = [rings[0] for rings in polygons if len(rings) == 1]
    parts = list(coco_mask.frPyObjects(plain, *size)) if plain else []
    parts += [_with_holes(rings, size) for rings in polygons if len(rings) > 1]
    parts += [_mask(mask, size) for mask in outline.masks]
    return coco_mask.merge(parts)


def _placed(ring: Ring, size: tuple[int, int], scale: list[float] | None) -> Ring:
    """Return a ring in pixels."""
    if scale is not None:
        ring = [number * scale[k % 2] for k, number in enumerate(ring)]
    reach = sum(size)  # to draw distant points takes all memory
    if not all(-reach <= number <= 2 * reach for number in ring):
        raise CannotDrawError("a polygon with a point far outside of the image")
    if 3 * reach * len(ring) > _LONGEST and _around(ring) > _LONGEST:  # as do many long edges
        raise CannotDrawError(f"a polygon of more than {_LONGEST} pixels around it")
    return ring


def _around(ring: Ring) -> float:
    """Return the length of a ring in pixels, of which a diagonal step is one."""
    points = np.array(ring[: len(ring) // 2 * 2]).reshape(-1, 2)
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


def _with_holes(rings: list[Ring], size: tuple[int, int]) -> Any:
    outer, *holes = coco_mask.frPyObjects(rings, *size)
    runs = _runs_of(coco_mask.merge(holes), size).tolist()
    outside = runs[1:] if runs[0] == 0 else [0, *runs]
    return coco_mask.merge(
        [outer, coco_mask.frPyObjects({"size": list(size), "counts": outside}, *size)], intersect=True
    )


def _even_odd(polygons: list[list[Ring]], size: tuple[int, int]) -> Any:
    rings = [ring for rings in polygons for ring in rings]
    edges = [np.zeros(0, np.int64)]  # the pixels, counted column by column, at which a run of a ring begins
    for found in coco_mask.frPyObjects(rings, *size):
        edges.append(np.cumsum(_runs_of(found, size))[:-1])
    places, numbers = np.unique(np.concatenate(edges), return_counts=True)
    counts = np.diff(places[numbers % 2 == 1], prepend=0, append=size[0] * size[1])
    return coco_mask.frPyObjects({"size": list(size), "counts": counts.tolist()}, *size)


def _runs_of(encoded: Any, size: tuple[int, int]) -> np.ndarray:
    """Return int64 [R], the lengths of the runs of a mask of pycocotools, column by column."""
    return rle_runs(RLE(size=list(size), counts=encoded["counts"].decode("ascii")))


def _mask(mask: PixelRuns, size: tuple[int, int]) -> Any:
    height, width = mask.size
    if mask.corner is None and mask.size != list(size):
        raise CannotDrawError(f"a mask of {mask.size}, and the image is {list(size)}")
    if height > size[0] or width > size[1]:
        raise CannotDrawError(f"a mask of {mask.size}, larger than the image, which is {list(size)}")
    runs = mask.runs
    if isinstance(runs, str):
        try:
            runs = rle_runs(RLE(size=mask.size, counts=runs)).tolist()
        except ValueError as error:
            raise CannotDrawError(f"a mask that {error}") from error
    if sum(runs) != height * width:
        raise CannotDrawError(f"a mask with runs of {sum(runs)} pixels for {height * width}")
    if mask.corner is None and not mask.by_row:
        return coco_mask.frPyObjects({"size": mask.size, "counts": runs}, *size)
    values = np.repeat(np.arange(len(runs), dtype=np.int64) % 2, runs).astype(np.uint8)
    pixels = values.reshape(height, width) if mask.by_row else values.reshape(width, height).T
    return coco_mask.encode(np.asfortranarray(_moved(pixels, mask.corner or [0, 0], size)))


def _moved(pixels: np.ndarray, corner: list[int], size: tuple[int, int]) -> np.ndarray:
    """Return [H, W] of the picture with a mask in it; what lies outside of the picture is cut off."""
    left, top = corner
    whole = np.zeros(size, np.uint8)
    if -pixels.shape[0] < top < size[0] and -pixels.shape[1] < left < size[1]:
        part = pixels[max(0, -top) : size[0] - top, max(0, -left) : size[1] - left]
        whole[max(0, top) :, max(0, left) :][: part.shape[0], : part.shape[1]] = part
    return whole
