"""Label Studio's JSON export, a list of tasks, and its JSON-MIN.

    [{"id": 7, "data": {"image": "/data/upload/1/1a2b3c4d-a.png"}, "annotations": [{"was_cancelled": false, "result": [
       {"type": "polygonlabels", "original_width": 64, "original_height": 48, "image_rotation": 0,
        "value": {"points": [[10, 20], [30, 20], [20, 40]], "polygonlabels": ["cat"]}}]}]}]

    [{"id": 7, "image": "/data/upload/1/1a2b3c4d-a.png", "label": [{"points": ..., "polygonlabels": ["cat"], ...}]}]

`rsis.data.readers.exports.labelstudio_regions` says what a region is. Of the annotations of a task one counts: the
first that is ground truth, or else the first that is not cancelled. A task without any is not annotated.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from PIL import Image

from rsis.data.readers.exports.labelstudio_regions import (
    is_answer,
    is_region,
    label_of,
    labels_by_id,
    outline_of,
    region_of,
)
from rsis.data.readers.exports.shapes import to_number
from rsis.data.readers.exports.source import Gathered, Source
from rsis.data.readers.json_values import read_file_name, read_length, show
from rsis.data.readers.outline_reader import AnnotatedObject, AnnotatedPicture, AnnotationDocument
from rsis.data.readers.texts import read_json
from rsis.errors import UserError


def read_labelstudio(source: Source) -> AnnotationDocument:
    """Read the file; raise UserError if it is broken, and for faults of the data set."""
    gathered = Gathered(source)
    tasks = read_json(source.annotations, "Label Studio's tasks")
    if not isinstance(tasks, list):
        raise UserError(f"{source.annotations}: found {show(tasks)}, expected a list of tasks; export as JSON")
    without: list[str] = []
    unused, seen = 0, set[Any]()
    for number, task in enumerate(tasks):
        where = f"{source.annotations}: task {number}"
        if not isinstance(task, dict):
            raise UserError(f"{where}: found {show(task)}, expected an object; export as JSON")
        if isinstance(task.get("id"), int | str):
            where += f" (id {show(task['id'])})"
        name = _picture_of(task, where)
        chosen, others = _annotation_of(task, where)
        if chosen is None:
            without.append(name)
            continue
        if "data" not in task and isinstance(task.get("id"), int | str):  # JSON-MIN has a task for each annotation
            if task["id"] in seen:
                unused += 1
                continue
            seen.add(task["id"])
        unused += others
        image_id = gathered.find(name, where)
        if image_id is not None:
            gathered.add(image_id, AnnotatedPicture(_objects(source, chosen, where), _size(chosen, where)), where)
    gathered.note_first("tasks without annotation yet, which are left out", without)
    if unused:
        gathered.notes.append(f"{source.annotations}: further annotations of tasks, which are not used: {unused}")
    return gathered.document()


def _picture_of(task: dict[str, Any], where: str) -> str:
    """Return the name of the picture as written, without what an address asks of a server."""
    data = task.get("data", task)
    if not isinstance(data, dict):
        raise UserError(f"{where}: data is {show(data)}, expected an object; export as JSON")
    key = "image" if isinstance(data.get("image"), str) else None
    if key is None:
        keys = [key for key, value in data.items() if isinstance(value, str) and _looks_like_picture(value)]
        if len(keys) != 1:
            raise UserError(f"{where}: has {len(keys)} pictures in data, expected one; export tasks of one picture")
        key = keys[0]
    name = read_file_name(data, where, key)
    return name if "?d=" in name else name.partition("?")[0] or name


def _looks_like_picture(text: str) -> bool:
    plain = text if "?d=" in text else text.partition("?")[0]
    return PurePosixPath(unquote(plain)).suffix.lower() in Image.registered_extensions()


def _annotation_of(task: dict[str, Any], where: str) -> tuple[list[dict[str, Any]] | None, int]:
    """Return the items of the annotation that counts, None if there is none, and the number of the others."""
    if "data" not in task:
        lists = [value for key, value in task.items() if isinstance(value, list)]
        entries = [entry for value in lists for entry in value if isinstance(entry, dict) and not is_answer(entry)]
        items = [region_of(entry) for entry in entries]
        return (items if lists or "annotation_id" in task else None), 0
    entries = task.get("annotations", task.get("completions")) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(f"{where}: annotations is no list of objects; export as JSON")
    finished = [entry for entry in entries if not entry.get("was_cancelled")]
    best = [entry for entry in entries if entry.get("ground_truth")] or finished
    if not best:
        return None, 0
    result = best[0].get("result")
    if not isinstance(result, list) or not all(isinstance(item, dict) for item in result):
        raise UserError(f"{where}: result is no list of objects; export as JSON")
    return result, len([entry for entry in finished if entry is not best[0]])


def _objects(source: Source, items: Sequence[dict[str, Any]], where: str) -> list[AnnotatedObject]:
    labels = labels_by_id(items)
    objects = []
    for number, item in enumerate(items):
        if is_region(item):
            place = f"{where}: result[{number}]"
            if to_number(item.get("image_rotation") or 0) != 0:
                raise UserError(f"{place}: is drawn on a picture that is turned there; rotate the picture file instead")
            class_id = source.classes.id_of(label_of(item, labels), place)
            objects.append(AnnotatedObject(f"{place.partition(': ')[2]}", class_id, outline_of(item, place)))
    return objects


def _size(items: Sequence[dict[str, Any]], where: str) -> tuple[int, int] | None:
    """Return the (H, W) that all regions say; None if they say none."""
    sizes = {
        tuple(read_length(item, f"original_{key}", where) for key in ("height", "width"))
        for item in items
        if is_region(item)
    }
    size = sizes.pop() if len(sizes) == 1 else (0, 0)
    return (size[0], size[1]) if all(size) else None
