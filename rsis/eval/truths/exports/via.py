"""The ground truth of the JSON of the VGG Image Annotator: a project, or its export of annotations.

    {"a.png48000": {"filename": "a.png", "size": 48000, "regions": [
      {"shape_attributes": {"name": "polygon", "all_points_x": [1, 9, 9], "all_points_y": [2, 2, 7]},
       "region_attributes": {"species": "cat"}}]}}

A project has this below the key _via_img_metadata. In version 1, regions is an object {"0": ..., "1": ...}.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from rsis.config.datasets import ExportDataset
from rsis.config.types import Split
from rsis.errors import UserError
from rsis.eval.truths.documents import read_json, shown, validated
from rsis.eval.truths.exports.base import REMEDY, Annotation, ExportObject
from rsis.eval.truths.exports.listed import ListedTruth
from rsis.eval.truths.exports.shapes import Shape, Undrawn, ellipse, number, outline_of, rectangle
from rsis.eval.truths.fields import class_name_or_none, file_name

_PROJECT = "_via_img_metadata"


def _as_list(value: Any) -> Any:
    return list(value.values()) if isinstance(value, dict) else value or []


class ViaRegion(BaseModel):
    """An entry of `regions`; a fault in the shape concerns only its object."""

    shape_attributes: Any = None
    region_attributes: Any = None


class ViaPicture(BaseModel):
    """What is annotated in a picture."""

    filename: Annotated[str, BeforeValidator(file_name)]
    regions: Annotated[list[ViaRegion], BeforeValidator(_as_list)] = []


class ViaTruth(ListedTruth):
    """A split of a file of the VGG Image Annotator; see `ExportTruth` for arguments and errors."""

    def __init__(self, root: Path, dataset: ExportDataset, split: Split) -> None:
        path = root / dataset.splits[split].annotations
        super().__init__(root, dataset, split, _listed(path, dataset.class_key))


def _listed(path: Path, class_key: str | None) -> Iterator[tuple[str, Annotation]]:
    content = read_json(path, REMEDY)
    pictures = content.get(_PROJECT, content) if isinstance(content, dict) else content
    if not isinstance(pictures, dict):
        raise UserError(
            f"{path}: is {shown(pictures)}; expected an object with an entry for each picture; save the "
            "project, or export the annotations as JSON"
        )
    for key, entry in pictures.items():
        picture = validated(ViaPicture, entry, f"{path}: {shown(key)}", REMEDY)
        objects = []
        for k, region in enumerate(picture.regions):
            place = f"{shown(key)}, regions[{k}],"
            name = _class_name(region.region_attributes, class_key, f"{path}: {place}")
            objects.append(ExportObject(place, name, (_shape(region.shape_attributes),)))
        yield picture.filename, Annotation(path, None, tuple(objects))


def _class_name(attributes: Any, class_key: str | None, where: str) -> str | None:
    """Return the class that an attribute names, as text or as the only one that is true; None if it names none."""
    written = attributes.get(class_key) if class_key is not None and isinstance(attributes, dict) else None
    if isinstance(written, dict):
        true = [name for name, is_so in written.items() if is_so is True]
        if len(true) > 1:
            raise UserError(
                f"{where} has {len(true)} classes in {class_key}, {', '.join(map(shown, true[:5]))}; expected one; "
                "choose one of them"
            )
        written = true[0] if true else None
    try:
        found: str | None = class_name_or_none(written)
    except ValueError as error:
        raise UserError(f"{where} has {shown(written)} for {class_key}; {error}; {REMEDY}") from error
    return found


def _shape(written: Any) -> Shape:
    try:
        kind = written["name"]
        if kind == "polygon":
            columns, rows = written["all_points_x"], written["all_points_y"]
            if isinstance(columns, list) and isinstance(rows, list):
                return outline_of([[x, y] for x, y in zip(columns, rows, strict=True)])
        if kind == "rect":
            x, y, width, height = (number(written[key]) for key in ("x", "y", "width", "height"))
            return rectangle(x, y, x + width, y + height)
        if kind in ("circle", "ellipse"):
            rx, ry = ("r", "r") if kind == "circle" else ("rx", "ry")
            cx, cy, half, other = (number(written[key]) for key in ("cx", "cy", rx, ry))
            angle = number(written.get("theta") or 0) if kind == "ellipse" else 0.0
            return ellipse(cx, cy, half, other, angle)
    except (KeyError, TypeError, ValueError):
        pass
    return Undrawn()
