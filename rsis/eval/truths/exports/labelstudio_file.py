"""The tasks of a JSON export of Label Studio, as far as scoring needs them.

    [{"id": 7, "data": {"image": "/data/upload/1/1a2b3c4d-a.png"},
      "annotations": [{"was_cancelled": false, "ground_truth": false, "result": [
        {"id": "x1", "type": "polygonlabels", "original_width": 64, "original_height": 48, "image_rotation": 0,
         "value": {"points": [[10, 10], [50, 10], [50, 40]], "polygonlabels": ["cat"]}}]}]}]

The export JSON-MIN has a row for each annotation, with the values of the results alone:

    [{"id": 7, "image": "/data/upload/1/1a2b3c4d-a.png",
      "label": [{"points": [[10, 10], [50, 10], [50, 40]], "polygonlabels": ["cat"], "original_width": 64, ...}]}]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from rsis.errors import UserError
from rsis.eval.truths.documents import read_json, validated
from rsis.eval.truths.exports.base import REMEDY
from rsis.eval.truths.exports.folders import has_picture_ending
from rsis.eval.truths.fields import UNKNOWN, side
from rsis.splits.pictures import spellings

# what tells the kind of a region in JSON-MIN, the first that is there
_KEYS = {
    "points": "polygon", "rle": "brush", "imageDataURL": "bitmask", "radiusX": "ellipse", "height": "rectangle",
    "x": "keypoint",
}  # fmt: skip
_ANSWERS = frozenset(
    ("choices", "text", "rating", "taxonomy", "number", "datetime")
)  # about a region, whose values are repeated


class Region(BaseModel):
    """An entry of `result`: a region, or something else that was answered."""

    id: Any = None
    type: Any = None
    value: Any = None
    original_width: Annotated[int, BeforeValidator(side)] = UNKNOWN
    original_height: Annotated[int, BeforeValidator(side)] = UNKNOWN
    image_rotation: Any = None


class _Annotation(BaseModel):
    result: list[Region] | None = None
    was_cancelled: Any = False
    ground_truth: Any = False


class _Task(BaseModel):
    id: Any = None
    data: dict[str, Any]
    annotations: list[_Annotation] | None = None
    completions: list[_Annotation] | None = None  # in old versions


@dataclass(frozen=True)
class Task:
    """A task that is annotated.

    Attributes:
        place: Its name in messages.
        picture: Name of its picture.
        regions: What was answered.
    """

    place: str
    picture: str
    regions: tuple[Region, ...]


def read_tasks(path: Path) -> Iterator[Task]:
    """Yield the annotated tasks in the order of the file.

    Raises:
        UserError: The file is missing or no export of tasks, or a task names no picture, or several.
    """
    content = read_json(path, REMEDY)
    if not isinstance(content, list):
        raise UserError(f"{path}: is no list of tasks; export JSON or JSON-MIN from Label Studio")
    seen: set[int | str] = set()
    for position, row in enumerate(content):
        name = row.get("id") if isinstance(row, dict) else None
        place = f"task {name}" if isinstance(name, int) else f"task [{position}]"
        if isinstance(row, dict) and row and "data" not in row:
            is_annotated = "annotation_id" in row or any(isinstance(value, list) for value in row.values())
            if is_annotated and (not isinstance(name, int | str) or name not in seen):  # the first annotation counts
                seen |= {name} if isinstance(name, int | str) else set()
                yield Task(place, _picture(row, f"{path}: {place}"), tuple(_regions_of_row(row, f"{path}: {place}")))
            continue
        task = validated(_Task, row, f"{path}: {place}", REMEDY)
        chosen = _chosen(task.annotations or task.completions or [])
        if chosen is not None:
            yield Task(place, _picture(task.data, f"{path}: {place}"), tuple(chosen.result or ()))


def _chosen(annotations: list[_Annotation]) -> _Annotation | None:
    """Return the first annotation that is ground truth, else the first that was not cancelled."""
    true = [item for item in annotations if item.ground_truth]
    return next(iter(true or [item for item in annotations if not item.was_cancelled]), None)


def _picture(data: dict[str, Any], where: str) -> str:
    found = _pictures(data)
    if len(found) != 1:
        raise UserError(f"{where}: has {len(found)} names of pictures in data; expected one; give it the key image")
    path, _, query = found[0].partition("?")  # of a signed address; local files have their name behind ?d=
    return found[0] if query.startswith("d=") or not path else path


def _pictures(data: dict[str, Any]) -> list[str]:
    """Return the value of image, else all that look like names of pictures."""
    if isinstance(data.get("image"), str):
        return [data["image"]]
    return [value for value in data.values() if isinstance(value, str) and _looks_like_picture(value)]


def _looks_like_picture(text: str) -> bool:
    return any(map(has_picture_ending, (*spellings(text), text.partition("?")[0])))


def _regions_of_row(row: dict[str, Any], where: str) -> Iterator[Region]:
    for value in row.values():
        for item in value if isinstance(value, list) else ():
            if not isinstance(item, dict) or not _ANSWERS.isdisjoint(item):
                continue
            kind = next((_KEYS[key] for key in _KEYS if key in item), None)
            if kind is not None:
                sizes = {key: item.get(key) for key in ("original_width", "original_height", "image_rotation")}
                yield validated(Region, {"type": f"{kind}labels", "value": item, **sizes}, where, REMEDY)
