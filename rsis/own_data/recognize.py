"""In which of three forms a folder holds annotated pictures, and how it is divided."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from rsis.errors import UserError
from rsis.own_split import is_picture

FORMS = """expected one of: a COCO instance JSON with its pictures; pictures and instance maps of equal names, in two \
folders such as images/ and labels/ or in one with a suffix such as cell_label.png; a folder for each picture with \
images/ and masks/ in it"""
_SPLIT_NAMES = {
    "train": ("train", "training", "stage1_train"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_MAP_FOLDERS = ("labels", "label", "masks", "instance_maps", "instances", "maps", "annotations", "gt", "ground_truth")
_MAP_SUFFIXES = ("_label", "_labels", "_mask", "_masks", "_instances", "_instance", "_gt", "-label", "-mask")
_HELD_OUT = {"train": (0.0, 0.7), "val": (0.7, 0.85), "test": (0.85, 1.0)}  # of one set
_VALIDATION = {"train": (0.0, 0.85), "val": (0.85, 1.0)}  # of a training set without another


@dataclass(frozen=True)
class Recognized:
    """What a folder holds.

    Attributes:
        form: One line that says it.
        format: Of the data set in params.yaml: "coco", "maps" or "masks".
        splits: The splits' sections by name, paths relative to the folder.
    """

    form: str
    format: str
    splits: Mapping[str, Mapping[str, Any]]


def recognize(folder: Path) -> Recognized:
    """Look at a folder of annotated pictures.

    A set that is not divided becomes train, val and test at 70, 15 and 15 %, by a seeded shuffle; of a training set
    without a validation set 15 % validate.

    Raises:
        UserError: There is no such folder, or it has none of the forms.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {FORMS}")
    for look in (_coco, _masks, _maps):
        found = look(folder)
        if found is not None:
            return found
    inside = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    shown = ", ".join(inside[:5]) + (", ..." if len(inside) > 5 else "") if inside else "nothing"
    raise UserError(f"{folder}: found {shown}; {FORMS}")


def _split_folders(folder: Path) -> dict[str, Path]:
    """Return the subfolders that are named like splits, by split."""
    found = {}
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        for split, names in _SPLIT_NAMES.items():
            if path.name.lower() in names:
                found[split] = path
    return found if "train" in found else {}


def _divided(folder: Path, of: Callable[[Path], dict[str, Any] | None]) -> dict[str, dict[str, Any]] | None:
    """Return the splits' sections, `of` giving that of a folder, or None where it gives none."""
    folders = _split_folders(folder)
    sections = {split: of(path) for split, path in folders.items()} or {"": of(folder)}
    known = {split: section for split, section in sections.items() if section is not None}
    if set(known) != set(sections):
        return None
    if "" in known:
        return {split: known[""] | {"share": share} for split, share in _HELD_OUT.items()}
    return _with_validation(known)


def _with_validation(known: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    if "val" not in known:
        known = known | {split: known["train"] | {"share": share} for split, share in _VALIDATION.items()}
    return {split: known[split] for split in _SPLIT_NAMES if split in known}


def _masks(folder: Path) -> Recognized | None:
    def section(path: Path) -> dict[str, Any] | None:
        whole = [item for item in path.iterdir() if (item / "images").is_dir() and (item / "masks").is_dir()]
        return {"folder": path.relative_to(folder).as_posix()} if whole else None

    splits = _divided(folder, section)
    form = "a folder for each picture, with a mask for each object"
    return None if splits is None else Recognized(form, "masks", splits)


def _maps(folder: Path) -> Recognized | None:
    def section(path: Path) -> dict[str, Any] | None:
        found = _pair_of_folders(path) or _pairs_in_one(path)
        if found is None:
            return None
        images, maps, suffix = found
        paths = {"images": images.relative_to(folder).as_posix(), "maps": maps.relative_to(folder).as_posix()}
        return paths | ({"suffix": suffix} if suffix else {})

    splits = _divided(folder, section)
    return None if splits is None else Recognized("pictures and instance maps of equal names", "maps", splits)


def _stems(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir() if is_picture(path)}


def _pair_of_folders(folder: Path) -> tuple[Path, Path, str] | None:
    """Return pictures, maps and suffix where most names of one folder are in another, with one suffix at most."""
    folders = {path: _stems(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    pairs = [(images, maps) for images, maps in permutations(folders, 2) if folders[images] and folders[maps]]
    # the folder of maps is known by its name; of two that both could be, the earlier in the list
    known = [pair for name in _MAP_FOLDERS for pair in pairs if pair[1].name.lower() == name]
    for images, maps in known:
        for suffix in ("", *_MAP_SUFFIXES):
            there = {stem + suffix for stem in folders[images]} & folders[maps]
            if 2 * len(there) > len(folders[images]) and images.name.lower() not in _MAP_FOLDERS:
                return images, maps, suffix
    return None


def _pairs_in_one(folder: Path) -> tuple[Path, Path, str] | None:
    stems = _stems(folder)
    for suffix in _MAP_SUFFIXES:
        maps = {stem for stem in stems if stem.endswith(suffix)}
        pictures = stems - maps
        there = {stem for stem in pictures if stem + suffix in maps}
        if there and 2 * len(there) > len(pictures):
            return folder, folder, suffix
    return None


def _coco(folder: Path) -> Recognized | None:
    documents = [path for path in sorted(folder.rglob("*.json")) if _is_coco(path)]
    if not documents:
        return None
    by_split: dict[str, Path] = {}
    for path in documents:
        split = _split_of(path.relative_to(folder))
        if split in by_split:
            raise UserError(
                f"{folder}: {by_split[split].relative_to(folder)} and {path.relative_to(folder)} could both be "
                f"{split or 'the annotations'}; leave one, or write the splits into params.yaml by hand"
            )
        by_split[split] = path
    sections = {
        split: {
            "annotations": path.relative_to(folder).as_posix(),
            "images": _pictures_of(path, folder, split).relative_to(folder).as_posix(),
        }
        for split, path in by_split.items()
    }
    if "train" in sections:
        named = {split: section for split, section in sections.items() if split}
        return Recognized("COCO instance JSON, a file a split", "coco", _with_validation(dict(named)))
    if len(sections) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in by_split.values())
        raise UserError(f"{folder}: none of {names} is named train; name the files train, val, test")
    (section,) = sections.values()
    splits = {split: section | {"share": share} for split, share in _HELD_OUT.items()}
    return Recognized("one COCO instance JSON", "coco", splits)


def _is_coco(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()


def _split_of(path: Path) -> str:
    """Return the split that a JSON's name or folder says: instances_val2017.json, train/anything.json; or ""."""
    for part in reversed(path.with_suffix("").parts):
        words = "".join(letter if letter.isalpha() else " " for letter in part.lower()).split()
        for split, names in _SPLIT_NAMES.items():
            if any(word in names for word in words):
                return split
    return ""


def _pictures_of(path: Path, folder: Path, split: str) -> Path:
    """Return the folder that a document's file names are relative to."""
    images = json.loads(path.read_bytes())["images"]
    name = str(images[0].get("file_name", "")) if images and isinstance(images[0], dict) else ""
    names = ("images", "imgs", "JPEGImages", *_SPLIT_NAMES.get(split, ()))
    around = [path.parent, *(path.parent / item for item in names), folder, *(folder / item for item in names)]
    around += sorted(item for item in folder.rglob("*") if item.is_dir())
    for candidate in around:
        if name and (candidate / name).is_file() and folder in (candidate, *candidate.parents):
            return candidate
    raise UserError(f"{path}: its picture {name!r} is nowhere under {folder}; put the pictures there")
