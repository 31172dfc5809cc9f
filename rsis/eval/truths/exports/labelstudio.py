"""The ground truth of Label Studio's JSON and JSON-MIN exports.

Coordinates are in percent of the picture's width and height. A region of a tag without labels, such as polygon, has its
label in an item of type labels with its id.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rsis.config.datasets import ExportDataset
from rsis.config.types import Split
from rsis.errors import UserError
from rsis.eval.truths.documents import shown
from rsis.eval.truths.exports.base import REMEDY, Annotation, ExportObject
from rsis.eval.truths.exports.bitmask import Bitmask, bytes_of_address
from rsis.eval.truths.exports.brush import Brush
from rsis.eval.truths.exports.labelstudio_file import Region, read_tasks
from rsis.eval.truths.exports.listed import ListedTruth
from rsis.eval.truths.exports.shapes import Outline, Shape, Size, Undrawn, ellipse, number, points_of
from rsis.eval.truths.fields import class_name_or_none

_KINDS = (
    "polygon",
    "brush",
    "ellipse",
    "rectangle",
    "keypoint",
    "bitmask",
    "vector",
    "magicwand",
    "polyline",
    "cuboid",
)


class LabelStudioTruth(ListedTruth):
    """A split of an export of Label Studio; see `ExportTruth` for arguments and errors."""

    def __init__(self, root: Path, dataset: ExportDataset, split: Split) -> None:
        super().__init__(root, dataset, split, _listed(root / dataset.splits[split].annotations))


@dataclass(frozen=True)
class _PercentOutline(Shape):
    points: np.ndarray  # float64 [P, 2]

    def draw(self, size: Size) -> dict[str, Any]:
        """Return the pixels inside."""
        return Outline(self.points / 100 * size[::-1]).draw(size)  # in Label Studio's own order of the operations


def _listed(path: Path) -> Iterator[tuple[str, Annotation]]:
    for task in read_tasks(path):
        known = [item for item in task.regions if item.id is not None]
        labels = {str(item.id): item.value.get("labels") for item in known if _kind(item) == "labels"}
        sizes, objects = set(), []
        for k, item in enumerate(task.regions):
            if (kind := _kind(item)) not in _KINDS:
                continue
            place = f"{task.place}, result[{k}],"
            _refuse_turned(item, f"{path}: {place}")
            sizes.add((item.original_height, item.original_width))
            written = item.value.get(f"{kind}labels") or item.value.get("labels") or labels.get(str(item.id))
            objects.append(ExportObject(place, _first(written, f"{path}: {place}"), (_shape(item, kind),)))
        size = next(iter(sizes)) if len(sizes) == 1 else (0, 0)
        yield task.picture, Annotation(path, size if all(size) else None, tuple(objects))


def _kind(item: Region) -> str:
    """Return what an item is, such as "polygon" or "labels"; "" for other answers."""
    if not isinstance(item.type, str) or not isinstance(item.value, dict):
        return ""
    kind = item.type.lower()
    return kind.removesuffix("labels") or kind


def _refuse_turned(item: Region, where: str) -> None:
    """Raise UserError if the picture was turned in Label Studio."""
    try:
        turned = number(item.image_rotation or 0)
    except ValueError:
        turned = math.nan
    if turned:
        raise UserError(
            f"{where} has image_rotation {shown(item.image_rotation)}; expected 0; rotate the picture file instead, "
            "and annotate it again"
        )


def _first(written: Any, where: str) -> str | None:
    """Return the first of a region's labels; raise UserError if it is no text."""
    label = written[0] if isinstance(written, list) and written else written or None
    try:
        found: str | None = class_name_or_none(label)
    except ValueError as error:
        raise UserError(f"{where} has the label {shown(label)}; {error}; {REMEDY}") from error
    return found


def _shape(item: Region, kind: str) -> Shape:
    value, height, width = item.value, item.original_height, item.original_width
    if kind in ("ellipse", "brush") and not (height and width):
        return Undrawn()  # it has no meaning without the picture's size
    try:
        if kind == "bitmask":
            return Bitmask(bytes_of_address(value["imageDataURL"]))
        if kind == "polygon":
            return _PercentOutline(points_of(value["points"]))
        if kind == "ellipse":
            x, y, rx, ry = (number(value[key]) / 100 for key in ("x", "y", "radiusX", "radiusY"))
            angle = math.radians(number(value.get("rotation") or 0))
            return ellipse(x * width, y * height, rx * width, ry * height, angle)
        if kind == "brush" and value.get("format", "rle") == "rle" and isinstance(value["rle"], list):
            return Brush(bytes(value["rle"]), (height, width))
    except (KeyError, TypeError, ValueError):
        return Undrawn()
    return Undrawn(is_box=kind == "rectangle")
