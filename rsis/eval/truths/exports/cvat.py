"""The ground truth of "CVAT for images 1.1": one XML file that lists the pictures and the shapes in each.

    <annotations>
      <image id="0" name="day1/a.png" width="64" height="48">
        <polygon label="cat" points="1.00,2.00;9.00,2.00;9.00,7.00" z_order="0"/>
        <mask label="dog" rle="3, 5, 4" left="10" top="20" width="4" height="3"/>
      </image>
    </annotations>

Shapes of one label and one group_id in an image are one object. A mask's runs go row by row through its box.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rsis.config.datasets import ExportDataset
from rsis.config.types import Split
from rsis.eval.truths.exports.base import Annotation, ExportObject
from rsis.eval.truths.exports.cvat_file import Element, read_cvat
from rsis.eval.truths.exports.groups import joined
from rsis.eval.truths.exports.listed import ListedTruth
from rsis.eval.truths.exports.shapes import Patch, Shape, Undrawn, ellipse, number, outline_of, whole_number

_OBJECTS = ("polygon", "mask", "box", "ellipse", "polyline", "points", "cuboid", "skeleton")


class CvatTruth(ListedTruth):
    """A split of a CVAT file; see `ExportTruth` for arguments and errors."""

    def __init__(self, root: Path, dataset: ExportDataset, split: Split) -> None:
        super().__init__(root, dataset, split, _listed(root / dataset.splits[split].annotations))


def _listed(path: Path) -> Iterator[tuple[str, Annotation]]:
    for image, elements in read_cvat(path):
        shapes = [element for element in elements if element.tag in _OBJECTS]
        pairs = [(_object(image.name, k, element), _group(element)) for k, element in enumerate(shapes, 1)]
        size = (image.height, image.width)
        yield image.name, Annotation(path, size if all(size) else None, joined(pairs))


def _object(image: str, position: int, element: Element) -> ExportObject:
    try:
        shape = _shape(element.tag, element.attributes)
    except (ValueError, KeyError, OverflowError):
        shape = Undrawn()
    return ExportObject(f"shape {position} of {image!r}, a {element.tag},", element.attributes.get("label"), (shape,))


def _group(element: Element) -> str | None:
    written = element.attributes.get("group_id", "").strip()
    return written if written not in ("", "0") else None


def _shape(tag: str, written: dict[str, str]) -> Shape:
    """Return the shape of an element; raise ValueError or KeyError if its attributes tell none."""
    if tag == "polygon":
        return outline_of([point.split(",") for point in written["points"].split(";") if point.strip()])
    if tag == "ellipse":
        cx, cy, rx, ry = (number(written[key]) for key in ("cx", "cy", "rx", "ry"))
        return ellipse(cx, cy, rx, ry, math.radians(number(written.get("rotation", "0"))))
    if tag == "mask":
        left, top, width, height = (whole_number(written[key]) for key in ("left", "top", "width", "height"))
        runs = [whole_number(run) for run in written["rle"].split(",")]
        return Patch((left, top), (height, width), np.array(runs, np.int64))
    return Undrawn(is_box=tag == "box")
