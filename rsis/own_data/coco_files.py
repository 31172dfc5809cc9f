"""COCO instance JSON in a user's folder: find the annotation file of each split, and the folder of its pictures."""

import json
from dataclasses import dataclass
from pathlib import Path

from rsis.errors import UserError
from rsis.own_data.divide import SPLIT_NAMES, Section, split_of

_SAMPLE = 50  # most pictures of an annotation file that are searched for, evenly spaced


@dataclass(frozen=True)
class CocoDocument:
    """One annotation file.

    Attributes:
        path: The file.
        names: File names of its images, as written in it.
        split: The split in its file name or folder name, or "".
    """

    path: Path
    names: tuple[str, ...]
    split: str


def find_documents(folder: Path) -> tuple[dict[str, CocoDocument], tuple[str, ...]]:
    """Return the annotation file of each split, and the paths of files that are not used.

    A file whose name and folder name no split is the one of "". If a split has more than one file, the one with
    "instance" in its name is taken, as in COCO's own folder of annotations.

    Raises:
        UserError: A split has more than one file, and their names do not decide.
    """
    by_split: dict[str, list[CocoDocument]] = {}
    for path in sorted(folder.rglob("*.json")):
        names = _names(path)
        if names is not None and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            split = split_of(path.relative_to(folder).with_suffix(""))
            by_split.setdefault(split, []).append(CocoDocument(path, names, split))
    chosen, others = {}, []
    for split, documents in by_split.items():
        called = [item for item in documents if "instance" in item.path.name.lower()]
        best = called if len(called) == 1 else documents
        if len(best) > 1:
            shown = " and ".join(item.path.relative_to(folder).as_posix() for item in best[:3])
            raise UserError(
                f"{folder}: {shown} could both be {split or 'the annotations'}; call the files train.json, val.json, "
                "test.json, or give a folder that holds one"
            )
        chosen[split] = best[0]
        others += [item.path.relative_to(folder).as_posix() for item in documents if item is not best[0]]
    return chosen, tuple(others)


def section_of(document: CocoDocument, folder: Path) -> Section:
    """Return the split's section for params.yaml: the annotation file, and the folder of its pictures.

    Raises:
        UserError: The pictures are not in the user's folder or below it.
    """
    names = document.names
    some = [names[i * len(names) // _SAMPLE] for i in range(_SAMPLE)] if len(names) > _SAMPLE else names
    found = {place: sum((place / name).is_file() for name in some) for place in _places(document, folder)}
    best = max(found, key=lambda place: found[place])  # the first of equally good ones
    if not found[best]:
        shown = repr(names[0]) if names else "a list of none"
        raise UserError(f"{document.path}: its pictures ({shown}) are nowhere under {folder}; put them there")
    return {
        "annotations": document.path.relative_to(folder).as_posix(),
        "images": best.relative_to(folder).as_posix(),
    }


def _places(document: CocoDocument, folder: Path) -> list[Path]:
    """Return folders that may contain the pictures: usual names first, then those named like the split, then others."""
    names = ("", "images", "imgs", "JPEGImages", *SPLIT_NAMES.get(document.split, ()))
    usual = [place / name for place in (document.path.parent, folder) for name in names]
    others = sorted(path for path in folder.rglob("*") if path.is_dir())
    same = [path for path in others if split_of(path.relative_to(folder)) == document.split]
    return [path for path in dict.fromkeys([*usual, *same, *others]) if path.is_dir()]


def _names(path: Path) -> tuple[str, ...] | None:
    """Return the file names of a COCO instance JSON's images; None if it is something else."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or not {"images", "annotations", "categories"} <= content.keys():
        return None
    images = content["images"] if isinstance(content["images"], list) else []
    return tuple(str(image.get("file_name", "")) for image in images if isinstance(image, dict))
