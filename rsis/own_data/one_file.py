"""Annotations in one file for all pictures: COCO JSON, CVAT's XML, JSON of Label Studio and of VIA."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from rsis.errors import UserError
from rsis.own_data.divide import Section, divide, split_of, words_of
from rsis.own_data.facts import AnnotationFile
from rsis.own_data.forms import NAMES
from rsis.own_data.picture_folders import folder_of_names
from rsis.own_data.recognized import Recognized
from rsis.own_data.scan import Scan

_CLASS_WORDS = frozenset(("class", "classes", "category", "label", "type", "species", "name"))
_MANY_VALUES = 20  # values of an attribute above which it may be a free text, and not a class


def find_coco(seen: Scan) -> Recognized | None:
    """Recognise COCO instance JSON.

    If a split has more than one file, the one with "instance" in its name is taken, as in COCO's own folder of
    annotations.

    Raises:
        UserError: A split has more than one file, and their names do not decide; the only file of a split is broken; or
            the pictures are not there.
    """
    by_split = _by_split(seen.of("coco"))
    for relative, fault in seen.broken if by_split else ():
        split = _split_of(relative)
        if split and split not in by_split:  # without it the split would silently be another one
            raise UserError(fault)
    return _recognized(seen, "coco", by_split)


def find_export(seen: Scan, kind: str) -> Recognized | None:
    """Recognise the files of a tool: `kind` is cvat, labelstudio or via.

    Raises:
        UserError: A split has more than one file, or the pictures are not there.
    """
    return _recognized(seen, kind, _by_split(seen.of(kind)))


def _recognized(seen: Scan, kind: str, by_split: Mapping[str, list[AnnotationFile]]) -> Recognized | None:
    if not by_split:
        return None
    chosen = {split: _best(seen.folder, split, files) for split, files in by_split.items()}
    if "train" in chosen:
        chosen.pop("", None)  # it may contain all images again
    if "" in chosen and len(chosen) > 1:
        shown = ", ".join(item.path for item in chosen.values())
        raise UserError(
            f"{seen.folder}: none of {shown} is called train; call the files train, val and test with the same endings"
        )
    for item in chosen.values():
        if not item.facts.pictures:
            what = "images is empty" if kind == "coco" else "names no picture that is annotated"
            raise UserError(f"{seen.folder / item.path}: {what}; expected at least one; export the file again")
    sections: dict[str, Section] = {
        split: {
            "annotations": item.path,
            "images": folder_of_names(seen, seen.folder / item.path, item.facts.pictures, split),
        }
        for split, item in chosen.items()
    }
    numbers = {item.path: len(item.facts.pictures) for item in chosen.values()}
    splits = divide(seen.folder, sections, lambda section: numbers[section["annotations"]])
    files = ", ".join(dict.fromkeys(section["annotations"] for section in splits.values()))
    left_out = [
        f"{item.path}: left out, the annotations are those of {files}"
        for items in by_split.values()
        for item in items
        if item not in chosen.values()
    ]
    keys, notes = _classes_of(kind, list(chosen.values()))
    facts = [item.facts for item in chosen.values()]
    return Recognized(
        form=f"{NAMES[kind]} ({files})",
        format=kind,
        splits=splits,
        left_out=(*left_out, *notes, *_notes(list(chosen.values()))),
        annotations=sum(item.objects for item in facts),
        crowds=sum(item.crowds for item in facts),
        keys=keys,
    )


def _by_split(files: tuple[AnnotationFile, ...]) -> dict[str, list[AnnotationFile]]:
    found: dict[str, list[AnnotationFile]] = {}
    for item in files:
        found.setdefault(_split_of(item.path), []).append(item)
    return found


def _split_of(relative: str) -> str:
    return split_of(Path(relative).with_suffix(""))


def _best(folder: Path, split: str, files: list[AnnotationFile]) -> AnnotationFile:
    called = [item for item in files if "instance" in PurePosixPath(item.path).name.lower()]
    best = called if len(called) == 1 else files
    if len(best) > 1:
        shown = " and ".join(item.path for item in best[:3])
        ending = PurePosixPath(best[0].path).suffix
        raise UserError(
            f"{folder}: {shown} could both be {split or 'the annotations'}; call the files train{ending}, "
            f"val{ending}, test{ending}, or give a folder that holds one"
        )
    return best[0]


def _classes_of(kind: str, files: list[AnnotationFile]) -> tuple[dict[str, object], list[str]]:
    """Return the keys of the data set that say what the classes are, and notes on them."""
    if kind == "coco":
        return {}, []
    if kind == "via":
        return _classes_of_attribute(files)
    classes = sorted({name for item in files for name in item.facts.classes})
    return ({"classes": tuple(classes)} if classes else {}), []


def _classes_of_attribute(files: list[AnnotationFile]) -> tuple[dict[str, object], list[str]]:
    """Return VIA's classes: the values of the attribute that most regions have."""
    values: dict[str, Counter[str]] = {}
    for item in files:
        for key, found in item.facts.attributes.items():
            values.setdefault(key, Counter()).update(found)
    texts = [key for key, found in values.items() if len(found) > max(_MANY_VALUES, found.total() / 2)]
    notes = [f"attribute {key!r} has {len(values[key])} values: taken as texts, not as classes" for key in texts]
    named = [key for key in values if key not in texts]
    if not named:
        return {}, notes
    key = max(named, key=lambda key: (values[key].total(), _is_called_class(key), -len(values[key])))
    if others := [repr(other) for other in named if other != key]:
        most = max(values[other].total() for other in named if other != key) < values[key].total()
        why = "most regions have it" if most else "of those that most regions have, by its name or its few values"
        notes.append(f"attribute {key!r} is the class, not {', '.join(others)}: {why} (key class_key)")
    return {"classes": tuple(sorted(values[key])), "class_key": key}, notes


def _is_called_class(attribute: str) -> bool:
    return not _CLASS_WORDS.isdisjoint(words_of(attribute))


def _notes(files: list[AnnotationFile]) -> list[str]:
    unread = sum(item.facts.unread for item in files)
    subsets = dict.fromkeys(name for item in files for name in item.facts.subsets)
    notes = [f"{unread} tasks have no annotation: left out"] if unread else []
    if subsets:
        notes.append(
            f"the file's subsets ({', '.join(subsets)}) are not used; to have them as splits, export each as a file "
            "called train.xml, val.xml or test.xml"
        )
    return notes
