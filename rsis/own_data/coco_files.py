"""COCO instance JSON in a user's folder: find the annotation file of each split, and the folder of its pictures."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rsis.errors import UserError
from rsis.files.tree import files_below
from rsis.own_data.divide import SPLIT_NAMES, Section, split_of
from rsis.splits.pictures import PictureFiles

_SAMPLE = 50  # most pictures of an annotation file that are searched for, evenly spaced
_KEYS = ("images", "annotations", "categories")


@dataclass(frozen=True)
class CocoDocument:
    """One annotation file.

    Attributes:
        path: The file.
        names: File names of its images, as written in it.
        split: The split in its file name or folder name, or "".
        annotations: Number of annotations.
        crowds: How many of them have iscrowd.
    """

    path: Path
    names: tuple[str, ...]
    split: str
    annotations: int = 0
    crowds: int = 0


@dataclass(frozen=True)
class CocoFolder:
    """The annotation files of a folder.

    Attributes:
        documents: The annotation file of each split; "" is a file whose name and folder name no split.
        others: Paths of annotation files that are not used, relative to the folder.
        broken: What is wrong with each file that cannot be read or is no JSON.
        partial: What is missing in each file that is almost an annotation file.
    """

    documents: dict[str, CocoDocument]
    others: tuple[str, ...]
    broken: tuple[str, ...]
    partial: tuple[str, ...]


def find_documents(folder: Path) -> CocoFolder:
    """Find the annotation files of a folder; what is no file, such as a pipe, is passed by.

    If a split has more than one file, the one with "instance" in its name is taken, as in COCO's own folder of
    annotations.

    Raises:
        UserError: A split has more than one file, and their names do not decide; or the only file of a split is broken.
    """
    by_split: dict[str, list[CocoDocument]] = {}
    broken: list[tuple[str, str]] = []  # the split and what is wrong
    partial: list[str] = []
    for relative in files_below(folder):
        if not relative.lower().endswith(".json"):
            continue
        split = split_of(Path(relative).with_suffix(""))
        content, fault = _read(folder / relative)
        if fault:
            broken.append((split, fault))
        elif isinstance(content, dict) and set(_KEYS) <= content.keys():
            by_split.setdefault(split, []).append(_document(folder / relative, content, split))
        elif isinstance(content, dict) and len(lacking := set(_KEYS) - content.keys()) == 1:
            partial.append(f"{folder / relative}: {lacking.pop()!r} is missing; add it")
    for split, fault in broken:
        if by_split and split and split not in by_split:  # without it the split would silently be another one
            raise UserError(fault)
    chosen, others = {}, []
    for split, documents in by_split.items():
        chosen[split] = _best(folder, split, documents)
        others += [item.path.relative_to(folder).as_posix() for item in documents if item is not chosen[split]]
    return CocoFolder(chosen, tuple(others), tuple(fault for _, fault in broken), tuple(partial))


def section_of(document: CocoDocument, folder: Path) -> Section:
    """Return the split's section for params.yaml: the annotation file, and the folder of its pictures.

    Raises:
        UserError: The pictures are not in the user's folder or below it.
    """
    names = document.names
    some = [names[i * len(names) // _SAMPLE] for i in range(_SAMPLE)] if len(names) > _SAMPLE else names
    files = PictureFiles(folder)
    places = _places(document, folder)
    found = {place: sum(len(files.find_spelled(place, name)) == 1 for name in some) for place in places}
    if not any(found.values()):  # the folders in the names are those of another machine
        found = {place: sum(len(files.find_below(place, name)) == 1 for name in some) for place in places}
    best = max(found, key=lambda place: found[place])  # the first of equally good ones
    if not found[best]:
        raise UserError(_not_found(document, folder, files))
    return {
        "annotations": document.path.relative_to(folder).as_posix(),
        "images": best.removesuffix("/") or ".",
    }


def _best(folder: Path, split: str, documents: list[CocoDocument]) -> CocoDocument:
    called = [item for item in documents if "instance" in item.path.name.lower()]
    best = called if len(called) == 1 else documents
    if len(best) > 1:
        shown = " and ".join(item.path.relative_to(folder).as_posix() for item in best[:3])
        raise UserError(
            f"{folder}: {shown} could both be {split or 'the annotations'}; call the files train.json, val.json, "
            "test.json, or give a folder that holds one"
        )
    return best[0]


def _not_found(document: CocoDocument, folder: Path, files: PictureFiles) -> str:
    if not document.names:
        return f"{document.path}: images is empty; expected at least one; export the file again"
    name = document.names[0]
    several = files.find_below("", name)
    if several:
        shown = " or ".join(several[:3])
        return f"{document.path}: its picture {name!r} could be {shown}; write the folder before the names"
    return f"{document.path}: its pictures ({name!r}) are nowhere under {folder}; put them there"


def _places(document: CocoDocument, folder: Path) -> list[str]:
    """Return folders that may contain the pictures: usual names first, then those named like the split, then others.

    The paths are relative to the folder and end in /; the folder itself is "".
    """
    names = ("", "images", "imgs", "JPEGImages", *SPLIT_NAMES.get(document.split, ()))
    here = document.path.parent.relative_to(folder)
    usual = [place / name for place in (here, Path()) for name in names]
    others = sorted({Path(parent) for path in files_below(folder) for parent in PurePosixPath(path).parents})
    same = [path for path in others if split_of(path) == document.split]
    found = [path for path in dict.fromkeys([*usual, *same, *others]) if (folder / path).is_dir()]
    return [f"{path.as_posix()}/" if path.parts else "" for path in found]


def _read(path: Path) -> tuple[Any, str]:
    """Return the content of a JSON file, or what is wrong with it."""
    try:
        return json.loads(path.read_bytes()), ""
    except OSError as error:
        return None, f"{path}: cannot read ({error.strerror or error}); make it readable"
    except UnicodeDecodeError as error:
        return None, f"{path}: byte {error.start} is not {error.encoding}; save the file as UTF-8"
    except ValueError as error:
        return None, f"{path}: not valid JSON ({error}); restore the file, or export it again"
    except RecursionError:
        return None, f"{path}: nested too deeply for annotations; restore the file, or export it again"


def _document(path: Path, content: dict[str, Any], split: str) -> CocoDocument:
    images, annotations = (content[key] if isinstance(content[key], list) else [] for key in _KEYS[:2])
    names = tuple(str(image.get("file_name", "")) for image in images if isinstance(image, dict))
    crowds = [item.get("iscrowd") for item in annotations if isinstance(item, dict)]
    marked = sum(
        str(value).strip().lower() in ("1", "1.0", "true") for value in crowds if isinstance(value, int | float | str)
    )
    return CocoDocument(path, names, split, len(annotations), marked)
