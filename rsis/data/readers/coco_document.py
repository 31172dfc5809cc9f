"""The content of a COCO instance JSON, read leniently where a value has one sensible meaning.

The bytes are UTF-8, with or without byte order mark, or UTF-16 or UTF-32. Then, by key:

    ids             whole numbers or text; 7, 7.0 and "7" are the same id
    width, height   whole numbers, also as text; missing, null, NaN, 0 or below: unknown, and the picture's own count
    name            text or number; spaces around it do not count
    iscrowd         0, 1, false, true, also as text or 0.0; missing or null is 0
    segmentation    see `rsis.data.readers.coco_shapes`

A category of id 0 that no annotation uses is left out when another category has its name, or when it is the
supercategory of all others: Roboflow adds such a root. Images of equal names are one image when their sizes are equal
and their annotations too, or only one of them has any. Everything else is a UserError that names the place.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unicodedata import normalize

from rsis.data.readers.coco_shapes import outline_of
from rsis.data.readers.json_values import get, read_class_name, read_crowd, read_file_name, read_id, read_length, show
from rsis.data.readers.outlines import Outline, refuse_boxes
from rsis.data.readers.texts import read_json
from rsis.errors import UserError

_MOST_PIXELS = 2**31  # of an image; pycocotools counts with 32 bits


@dataclass(frozen=True)
class Annotation:
    """An entry of `annotations`.

    Attributes:
        where: Its place in the file, such as "annotations[17] (id 1018)".
        category: Id of its category, as text.
        is_crowd: Value of iscrowd.
        outline: Its segmentation.
    """

    where: str
    category: str
    is_crowd: bool
    outline: Outline


@dataclass(frozen=True)
class CocoDocument:
    """The checked content of a file.

    Attributes:
        path: The file.
        sizes: (H, W) of each image by its file name; None where the file does not say.
        places: Place of each image's entry, such as "images[3]".
        categories: Name of each category by its id as text, in the order of the ids.
        annotations: Annotations of each image, in the order of the file.
        notes: A line for each thing that was left out or merged.
    """

    path: Path
    sizes: dict[str, tuple[int, int] | None]
    places: dict[str, str]
    categories: dict[str, str]
    annotations: dict[str, list[Annotation]]
    notes: list[str] = field(default_factory=list)


def read_document(path: Path) -> CocoDocument:
    """Read and check a file.

    Raises:
        UserError: The file is missing, is not JSON, lacks a key, lists no image, has a value without a sensible
            meaning, has an annotation with an unknown image or category, or has no outline at all.
    """
    content = _parse(path)
    categories = _categories(path, content["categories"])
    images, sizes, places = _images(path, content["images"])
    by_image: dict[str, list[Annotation]] = {image: [] for image in images}
    for number, entry in enumerate(content["annotations"]):
        image, annotation = _annotation(path, number, entry)
        where, category = f"{path}: {annotation.where}", annotation.category
        if image not in images:
            raise UserError(f"{where}: image_id {show(image)} is not in images; remove it or list its image")
        if category not in categories:
            raise UserError(
                f"{where}: category_id {show(category)} is not in categories; correct it or add the category"
            )
        by_image[image].append(annotation)
    everything = [annotation for own in by_image.values() for annotation in own]
    refuse_boxes(path, (annotation.outline for annotation in everything))
    notes: list[str] = []
    names = _name_categories(path, categories, {annotation.category for annotation in everything}, notes)
    annotations = _merge(path, images, by_image, notes)
    return CocoDocument(path, sizes, places, names, annotations, notes)


def _parse(path: Path) -> dict[str, list[Any]]:
    """Read the JSON file and check that it has the three lists."""
    content = read_json(path, "COCO instance annotations")
    for key in ("images", "categories", "annotations"):
        if not isinstance(get(content, key, str(path)), list):
            raise UserError(f"{path}: {key} is {type(content[key]).__name__}, expected a list; correct it")
    return content  # type: ignore[no-any-return]


def _categories(path: Path, entries: list[Any]) -> dict[str, tuple[str, str, str]]:
    """Return the name, the supercategory and the place of each category, in the order of their ids."""
    found: dict[str, tuple[str, str, str]] = {}
    for number, entry in enumerate(entries):
        where = f"{path}: categories[{number}]"
        category, name = read_id(entry, "id", where), read_class_name(get(entry, "name", where), where)
        if category in found and found[category][0] != name:
            raise UserError(f"{where}: id {show(category)} is that of {found[category][0]!r} too; give it another")
        parent = entry.get("supercategory")
        found.setdefault(category, (name, normalize("NFC", parent).strip() if isinstance(parent, str) else "", where))
    if not found:
        raise UserError(f"{path}: categories is empty; expected at least one; add it")
    return dict(sorted(found.items(), key=lambda item: _rank(item[0])))


def _rank(category: str) -> tuple[bool, int, str]:
    """Return what categories are sorted by: numbers first, by value, then text."""
    is_number = re.fullmatch("-?[0-9]{1,100}", category) is not None
    return not is_number, int(category) if is_number else 0, category


def _name_categories(
    path: Path, categories: dict[str, tuple[str, str, str]], used: set[str], notes: list[str]
) -> dict[str, str]:
    """Return the names by id, without an unused root; raise UserError if two are equal."""
    kept = dict(categories)
    if "0" in kept and "0" not in used and len(kept) > 1:
        root = kept["0"][0]
        others = [item for category, item in kept.items() if category != "0"]
        if any(name == root for name, _, _ in others) or all(parent == root for _, parent, _ in others):
            notes.append(f"{path}: category 0, {root!r}, is the root of the others and has no annotation: left out")
            del kept["0"]
    seen: dict[str, str] = {}
    for name, _, where in kept.values():
        if name in seen:
            raise UserError(
                f"{where}: name {name!r} is that of {seen[name].rpartition(': ')[2]} too; rename one, or give the "
                "annotations of both one category_id and remove the other"
            )
        seen[name] = where
    return {category: name for category, (name, _, _) in kept.items()}


def _images(path: Path, entries: list[Any]) -> tuple[dict[str, str], dict[str, tuple[int, int] | None], dict[str, str]]:
    """Return the file name of each image id, and the size and the place of each file name."""
    files: dict[str, str] = {}
    sizes: dict[str, tuple[int, int] | None] = {}
    places: dict[str, str] = {}
    for number, entry in enumerate(entries):
        where = f"{path}: images[{number}]"
        image, name = read_id(entry, "id", where), read_file_name(entry, where)
        height, width = (read_length(entry, key, where) for key in ("height", "width"))
        size = (height, width) if height and width else None
        if height * width > _MOST_PIXELS:
            raise UserError(f"{where}: height {height} x width {width}; expected at most 2^31 pixels; correct them")
        if image in files and files[image] != name:
            raise UserError(f"{where}: id {show(image)} occurs twice, for {files[image]!r} too; give it another")
        if name in sizes and sizes[name] != size:
            raise UserError(f"{where}: file_name {name!r} occurs twice, with two sizes; remove one of the entries")
        files[image] = name
        sizes.setdefault(name, size)
        places.setdefault(name, f"images[{number}]")
    if not files:
        raise UserError(f"{path}: images is empty; expected at least one; correct the split")
    return files, sizes, places


def _annotation(path: Path, number: int, entry: Any) -> tuple[str, Annotation]:
    """Return the image id of an annotation, and the annotation."""
    where = f"annotations[{number}]"
    if isinstance(entry, dict) and isinstance(entry.get("id"), int | float | str):
        where = f"{where} (id {show(entry['id'])})"
    image, category = (read_id(entry, key, f"{path}: {where}") for key in ("image_id", "category_id"))
    is_crowd = read_crowd(entry, f"{path}: {where}")
    return image, Annotation(where, category, is_crowd, outline_of(entry.get("segmentation"), entry.get("bbox")))


def _merge(
    path: Path, images: dict[str, str], by_image: dict[str, list[Annotation]], notes: list[str]
) -> dict[str, list[Annotation]]:
    """Return the annotations by file name; of two images of one name, one counts."""
    merged: dict[str, list[Annotation]] = {}
    repeated: dict[str, str] = {}
    for image, name in images.items():
        own, before = by_image[image], merged.get(name)
        if before and own and [_content(item) for item in own] != [_content(item) for item in before]:
            raise UserError(
                f"{path}: file_name {name!r} occurs twice, and image {image} has other annotations; remove one of the "
                "two images and its annotations, or give all of them one image_id"
            )
        if before is not None:
            repeated[name] = image
        merged[name] = before or own
    if repeated:
        first, image = next(iter(repeated.items()))
        shown = f"{first}, also image {image}"
        notes.append(f"{path}: pictures that are listed twice, and count once: {len(repeated)} (the first: {shown})")
    return merged


def _content(annotation: Annotation) -> tuple[str, bool, Outline]:
    return annotation.category, annotation.is_crowd, replace(annotation.outline, fault="")
