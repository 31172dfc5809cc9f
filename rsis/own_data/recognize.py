"""Recognise which of three layouts a folder of annotated pictures has, and its splits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rsis.errors import UserError
from rsis.own_data.coco_files import CocoFolder, find_documents, section_of
from rsis.own_data.divide import Section, divide, split_of
from rsis.own_data.pairs import find_pairs
from rsis.splits.own import MapsSplit, MasksSplit, is_picture, leave_out, map_images, mask_images

FORMS = """expected one of: a COCO instance JSON with its pictures; pictures and instance maps of equal names, in two \
folders such as images/ and labels/ or in one with a suffix such as cell_label.png; a folder for each picture with \
images/ and masks/ in it"""


@dataclass(frozen=True)
class Recognized:
    """The layout of a folder.

    Attributes:
        form: Description of the layout, in one line.
        format: Format of the data set in params.yaml: "coco", "maps" or "masks".
        splits: The sections of the splits by name; paths are relative to the folder.
        left_out: One line for each file or folder that looks like further data but is not used.
        annotations: Of the format coco: the number of annotations in all files that are used.
        crowds: How many of them have iscrowd.
        crowd: Value of the data set's key `crowd`; "" to leave it out.
        crowd_reason: Why it is so.
    """

    form: str
    format: str
    splits: Mapping[str, Mapping[str, Any]]
    left_out: tuple[str, ...] = ()
    annotations: int = 0
    crowds: int = 0
    crowd: str = ""
    crowd_reason: str = ""


def recognize(folder: Path) -> Recognized:
    """Recognise the layout of a folder of annotated pictures.

    Raises:
        UserError: There is no such folder, its layout is unknown or ambiguous, or it has too few pictures to divide.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {FORMS}")
    jsons = find_documents(folder)
    found = _coco(folder, jsons) or _masks(folder) or _maps(folder)
    if found is not None:
        broken = (fault.replace("; ", ", left out; ", 1) for fault in jsons.broken)
        return replace(found, left_out=(*found.left_out, *broken))
    for fault in (*jsons.broken, *jsons.partial):
        raise UserError(fault)
    inside = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    shown = ", ".join(inside[:5]) + (", ..." if len(inside) > 5 else "") if inside else "nothing"
    raise UserError(f"{folder}: found {shown}; {FORMS}")


def _coco(folder: Path, jsons: CocoFolder) -> Recognized | None:
    documents, others = jsons.documents, jsons.others
    if not documents:
        return None
    if "train" in documents and "" in documents:  # the file of "" may contain all images again
        others = (*others, documents.pop("").path.relative_to(folder).as_posix())
    if "" in documents and len(documents) > 1:
        shown = ", ".join(item.path.relative_to(folder).as_posix() for item in documents.values())
        raise UserError(f"{folder}: none of {shown} is called train; call the files train.json, val.json, test.json")
    sections = {split: section_of(document, folder) for split, document in documents.items()}
    numbers = {sections[split]["annotations"]: len(document.names) for split, document in documents.items()}
    splits = divide(folder, sections, lambda section: numbers[section["annotations"]])
    files = ", ".join(dict.fromkeys(section["annotations"] for section in splits.values()))
    left_out = tuple(f"{other}: left out, the annotations are those of {files}" for other in others)
    annotations, crowds = (sum(getattr(item, key) for item in documents.values()) for key in ("annotations", "crowds"))
    return Recognized(f"COCO instance JSON ({files})", "coco", splits, left_out, annotations, crowds)


def _masks(folder: Path) -> Recognized | None:
    known: dict[str, Section] = {}
    without = []
    for path in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        relative = path.relative_to(folder)
        split = split_of(relative)
        if not split and path != folder:
            continue
        each = [item for item in path.iterdir() if (item / "images").is_dir()]
        alone = [item for item in each if sum(map(is_picture, (item / "images").iterdir())) == 1]
        if 2 * len(alone) <= len(each):
            continue  # folders of several pictures each, such as train/images beside train/masks
        if any((item / "masks").is_dir() for item in alone):
            if split in known:
                raise UserError(
                    f"{folder}: {known[split]['folder']} and {relative} could both be {split}; give a folder with one"
                )
            known[split] = {"folder": relative.as_posix()}
        elif each and path != folder:
            without.append(relative.as_posix())
    if not known:
        return None
    splits = divide(folder, known, lambda section: len(mask_images(folder, MasksSplit(**section), leave_out)))
    return Recognized("a folder for each picture, with a mask for each object", "masks", splits, _without(without))


def _maps(folder: Path) -> Recognized | None:
    known, without = find_pairs(folder)
    if not known:
        return None
    if "train" in known:
        known.pop("", None)
    splits = divide(folder, known, lambda section: len(map_images(folder, MapsSplit(**section), leave_out)))
    pairs = dict.fromkeys(
        f"{section['images']} and {section['maps']}{_named_like(section)}" for section in splits.values()
    )
    left_out = list(_without(without))
    for ending in dict.fromkeys(ending for section in splits.values() for ending in section.get("leave_out", ())):
        left_out.append(f"files whose names end in {ending}: left out, they are neither pictures nor maps")
    return Recognized(f"pictures and instance maps: {', '.join(pairs)}", "maps", splits, tuple(left_out))


def _named_like(section: Mapping[str, Any]) -> str:
    """Return what the names of maps and pictures look like where they differ, such as " (*_label)"."""
    label, picture = (f"{section.get(f'{of}prefix', '')}*{section.get(f'{of}suffix', '')}" for of in ("", "image_"))
    shown = [] if label == picture else [label]
    shown += [] if picture == "*" else [f"pictures {picture}"]
    shown += ["with the folders in them"] if section.get("nested") else []
    return f" ({', '.join(shown)})" if shown else ""


def _without(folders: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{folder}: left out, its pictures have no annotations" for folder in folders)
