"""Recognise which layout a folder of annotated pictures has, and its splits."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rsis.errors import UserError
from rsis.own_data.cell_tracking import find_films
from rsis.own_data.divide import Section, divide, split_of
from rsis.own_data.forms import FORMS
from rsis.own_data.labels_of_pictures import find_labels
from rsis.own_data.one_file import find_coco, find_export
from rsis.own_data.pairs import find_pairs
from rsis.own_data.recognized import Recognized
from rsis.own_data.refused import others, refuse
from rsis.own_data.scan import Scan, scan
from rsis.own_data.voc import find_voc
from rsis.own_data.yolo import find_yolo
from rsis.splits.own import MapsSplit, MasksSplit, is_picture, leave_out, map_images, mask_images


def recognize(folder: Path) -> Recognized:
    """Recognise the layout of a folder of annotated pictures.

    Where a folder has annotations of more than one form, the first in `_FINDERS` counts, and the others are noted.

    Raises:
        UserError: There is no such folder, its layout is unknown or ambiguous, or it has too few pictures to divide.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {FORMS}")
    seen = scan(folder)
    found = next((found for find in _FINDERS if (found := find(seen)) is not None), None)
    if found is None:
        refuse(seen)
    # a broken file of a picture is named by the reader, as far as it belongs to one
    broken = [] if found.format in ("labelme", "geojson") else [fault for _, fault in seen.broken]
    faults = (fault.replace("; ", ", left out; ", 1) for fault in broken)
    return replace(found, left_out=(*found.left_out, *others(seen, found.format, found.form), *faults))


def _masks(seen: Scan) -> Recognized | None:
    folder = seen.folder
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


def _maps(seen: Scan) -> Recognized | None:
    folder = seen.folder
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


_FINDERS: tuple[Callable[[Scan], Recognized | None], ...] = (
    find_coco,
    find_films,
    find_voc,
    _masks,
    _maps,
    find_yolo,
    partial(find_labels, kind="labelme"),
    partial(find_export, kind="cvat"),
    partial(find_export, kind="labelstudio"),
    partial(find_export, kind="via"),
    partial(find_labels, kind="geojson"),
    partial(find_labels, kind="imagej"),
)
