"""What `rsis init` keeps of an annotation file: its form, the pictures that it names, its classes and its objects."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import normalize


@dataclass(frozen=True)
class Facts:
    """What is in an annotation file.

    Attributes:
        pictures: Names of its pictures, as written in it.
        classes: How many objects have each class; of yolo the numbers of the classes, as text.
        objects: Number of objects.
        boxes: How many of them are boxes without outlines.
        crowds: Of COCO JSON: how many have iscrowd.
        attributes: Of VIA: how many regions have each value of each attribute.
        embedded: Of LabelMe: whether the picture itself is in the file.
        subsets: Of CVAT: names of the subsets that its pictures belong to.
        unread: Of Label Studio: tasks without an annotation.
    """

    pictures: tuple[str, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    objects: int = 0
    boxes: int = 0
    crowds: int = 0
    attributes: Mapping[str, Counter[str]] = field(default_factory=dict)
    embedded: bool = False
    subsets: tuple[str, ...] = ()
    unread: int = 0


@dataclass(frozen=True)
class AnnotationFile:
    """An annotation file of the user's folder.

    Attributes:
        path: Relative to the folder, with forward slashes.
        kind: Its form, a key of `rsis.own_data.forms.NAMES`.
        facts: What is in it.
    """

    path: str
    kind: str
    facts: Facts = Facts()


def class_of(value: Any) -> str:
    """Return the name of a class as it is compared: in one Unicode form, without white space around; "" for none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float) and value.is_integer():  # JSON's 3.0 is 3
        value = int(value)
    return normalize("NFC", str(value)).strip()


def count_classes(values: Iterator[Any]) -> Counter[str]:
    """Return how often each class occurs; objects without a class are not counted."""
    return Counter(name for value in values if (name := class_of(value)))


def dicts_of(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a JSON list, or of a JSON object's values; nothing of anything else."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, dict)]


def dict_of(value: Any) -> dict[str, Any]:
    """Return a JSON object; an empty one instead of anything else."""
    return value if isinstance(value, dict) else {}


def text_of(path: Path, most: int = -1) -> str:
    """Return the text of a file, or of its first `most` bytes: UTF-8, UTF-16 or UTF-32. Other bytes are replaced.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(most)
    return content.decode(json.detect_encoding(content), "replace")
