"""What `rsis init` reads of a JSON file of an annotation tool; values of a wrong type are passed by."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

from PIL import Image

from rsis.data.readers.exports.geojson import label_of
from rsis.data.readers.exports.labelme import NO_CLASSES
from rsis.own_data.facts import Facts, class_of, count_classes, dict_of, dicts_of
from rsis.own_data.json_kinds import is_region, regions_of
from rsis.splits.pictures import spellings

_NO_OBJECTS = ("choices", "textarea", "rating", "number", "taxonomy", "ranker", "pairwise", "datetime")


def facts_of(kind: str, content: Any) -> Facts:
    """Return what is in a JSON document of this form."""
    readers: dict[str, Callable[[Any], Facts]] = {
        "coco": _coco,
        "labelme": _labelme,
        "labelstudio": _labelstudio,
        "via": _via,
        "geojson": _geojson,
    }
    return readers[kind](content) if kind in readers else Facts()


def _coco(content: dict[str, Any]) -> Facts:
    images, annotations = (content[key] if isinstance(content[key], list) else [] for key in ("images", "annotations"))
    names = tuple(str(image.get("file_name", "")) for image in images if isinstance(image, dict))
    crowds = [item.get("iscrowd") for item in annotations if isinstance(item, dict)]
    marked = sum(
        str(value).strip().lower() in ("1", "1.0", "true") for value in crowds if isinstance(value, int | float | str)
    )
    return Facts(names, objects=len(annotations), crowds=marked)


def _labelme(content: dict[str, Any]) -> Facts:
    shapes = dicts_of(content["shapes"])
    name = content.get("imagePath")
    return Facts(
        pictures=(name if isinstance(name, str) else "",),
        classes=count_classes(shape.get("label") for shape in shapes if shape.get("label") not in NO_CLASSES),
        objects=len(shapes),
        embedded=bool(content.get("imageData")),
    )


def _geojson(content: Any) -> Facts:
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        content = content.get("features")
    features = dicts_of(content) if isinstance(content, list) else [dict_of(content)]
    for feature in features:  # which grows by what is nested
        features += dicts_of(feature.get("childObjects"))
    return Facts(classes=count_classes(label_of(item) for item in features), objects=len(features))


def _via(content: dict[str, Any]) -> Facts:
    entries = dicts_of(content.get("_via_img_metadata", content))
    regions = [region for entry in entries for region in dicts_of(entry.get("regions"))]
    attributes: dict[str, Counter[str]] = {}
    for region in regions:
        for key, value in dict_of(region.get("region_attributes")).items():
            chosen = [name for name, is_set in value.items() if is_set is True] if isinstance(value, dict) else [value]
            if found := [text for item in chosen if (text := class_of(item))]:
                attributes.setdefault(key, Counter()).update(found)
    pictures = tuple(name for entry in entries if isinstance(name := entry.get("filename"), str))
    return Facts(pictures, objects=len(regions), attributes=attributes)


def _labelstudio(content: list[Any]) -> Facts:
    tasks = dicts_of(content)
    read = [task for task in tasks if "data" not in task or _chosen(task) is not None]
    regions = [region for task in read for region in _regions(task)]
    return Facts(
        pictures=tuple(name for task in read if (name := _picture_of(task))),
        classes=count_classes(label for label, _ in regions),
        objects=len(regions),
        boxes=sum(kind.startswith("rectangle") for _, kind in regions),
        unread=len(tasks) - len(read),
    )


def _chosen(task: dict[str, Any]) -> dict[str, Any] | None:
    """Return the annotation of a task that counts: the first that is ground truth, else the first not cancelled."""
    annotations = dicts_of(task.get("annotations", task.get("completions")))
    whole = [item for item in annotations if not item.get("was_cancelled")]
    return next((item for item in annotations if item.get("ground_truth")), whole[0] if whole else None)


def _regions(task: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """Yield label and type of each region; the label may be in another item of the same id."""
    if "data" not in task:  # JSON-MIN
        for region in (item for value in task.values() for item in regions_of(value) if is_region(item)):
            kind = next(key for key in region if key.endswith("labels"))
            yield _first(region[kind]), kind
        return
    items = dicts_of(dict_of(_chosen(task)).get("result"))
    labels = {
        str(item.get("id")): _first(dict_of(item.get("value")).get("labels"))
        for item in items
        if item.get("type") == "labels"
    }
    for item in items:
        kind = str(item.get("type"))
        if "value" in item and kind not in (*_NO_OBJECTS, "labels", "relation", "None"):
            yield _first(dict_of(item["value"]).get(kind)) or labels.get(str(item.get("id"))), kind


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _picture_of(task: dict[str, Any]) -> str:
    """Return the name of a task's picture: what is called image, else the only text that looks like one."""
    data = dict_of(task.get("data", task))
    if isinstance(named := data.get("image"), str):
        return named
    looks = [value for value in data.values() if isinstance(value, str) and _is_called_picture(value)]
    return looks[0] if len(looks) == 1 else ""


def _is_called_picture(name: str) -> bool:
    return PurePosixPath(spellings(name)[-1]).suffix.lower() in Image.registered_extensions()
