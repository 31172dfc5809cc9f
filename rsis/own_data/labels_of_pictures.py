"""Annotations in a file for each picture: LabelMe's JSON, QuPath's GeoJSON, ImageJ's ROI files."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from rsis.errors import UserError
from rsis.own_data.divide import Section, divide, split_of
from rsis.own_data.facts import AnnotationFile
from rsis.own_data.forms import NAMES
from rsis.own_data.picture_folders import common_folder, folder_of_names, folder_of_stems, renamed
from rsis.own_data.recognized import Recognized
from rsis.own_data.scan import Scan

# what the names of ROI files have beside that of the picture
_AROUND_ROIS = re.compile(r"^RoiSet[_-]|([_-](RoiSet|rois)|\.roi)$", re.IGNORECASE)

Groups = Mapping[str, tuple[Path, Sequence[AnnotationFile]]]
"""Of each split: the folder of its annotation files, relative to the user's, and the files."""


def find_labels(seen: Scan, kind: str) -> Recognized | None:
    """Recognise the files of a tool: `kind` is labelme, geojson or imagej.

    Raises:
        UserError: The pictures are not there, or a split's files lie among those of another.
    """
    groups = groups_of(seen, seen.of(kind))
    if not groups:
        return None
    sections: dict[str, Section] = {
        split: {"annotations": place.as_posix(), "images": _images(seen, kind, place, files, split)}
        for split, (place, files) in groups.items()
    }
    numbers = {place.as_posix(): len(files) for place, files in groups.values()}
    splits = divide(seen.folder, sections, lambda section: numbers[section["annotations"]])
    used = sum(len(files) for _, files in groups.values())
    further = len(seen.of(kind)) - used
    left_out = [f"{further} files in no folder of a split: left out"] if further else []
    classes = sorted({name for _, files in groups.values() for item in files for name in item.facts.classes})
    places = dict.fromkeys(f"{item['images']} and {item['annotations']}" for item in splits.values())
    return Recognized(
        form=f"pictures and {NAMES[kind]}: {', '.join(places)}",
        format=kind,
        splits=splits,
        left_out=(*left_out, *(_numbered(classes) if kind == "labelme" else ())),
        keys={"classes": tuple(classes)} if classes else {},
    )


def _numbered(classes: Sequence[str]) -> list[str]:
    """Return a line for the labels of each class that are all numbered, as early versions of LabelMe had them."""
    stems: dict[str, list[str]] = {}
    for name in classes:
        stem, _, number = name.rpartition("-")
        if stem and number.isdecimal():
            stems.setdefault(stem, []).append(name)
    found = {stem: names for stem, names in stems.items() if len(names) > 1 and stem not in classes}
    if not found:
        return []
    stem, names = next(iter(found.items()))
    kept = [name for name in classes if all(name not in names for names in found.values())]
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return [
        f"labels end in numbers ({shown}), and each is a class; if they number the objects of a class {stem}, set "
        f"numbered_labels: true and classes: [{', '.join(sorted({*kept, *found}))}] in the data set"
    ]


def groups_of(seen: Scan, files: Sequence[AnnotationFile]) -> Groups:
    """Return the annotation files of each split that the folders name; "" are those of no split.

    Raises:
        UserError: The folder that holds the files of a split also holds those of another.
    """
    by_split: dict[str, list[AnnotationFile]] = {}
    for item in files:
        by_split.setdefault(split_of(Path(item.path).parent), []).append(item)
    if "train" in by_split:
        by_split.pop("", None)  # as with the other forms: it may contain all pictures again
    groups = {split: (common_folder(item.path for item in own), own) for split, own in by_split.items()}
    for split, (place, _) in groups.items():
        for other, (inside, _) in groups.items():
            if other != split and (inside == place or place in inside.parents):
                raise UserError(
                    f"{seen.folder / place}: holds annotations of {other} and {split or 'others'}; expected a folder "
                    "for each; put those to train with into a folder train, beside those called val and test"
                )
    return groups


def _images(seen: Scan, kind: str, place: Path, files: Sequence[AnnotationFile], split: str) -> str:
    if kind == "labelme":
        return _images_of_labelme(seen, place, files, split)
    names = [PurePosixPath(item.path).relative_to(place.as_posix()).with_suffix("") for item in files]
    if kind == "imagej":
        names = [_alone(seen, place, name, names) or name.parent / _AROUND_ROIS.sub("", name.name) for name in names]
    return folder_of_stems(seen, place, [name.as_posix() for name in names], split)


def _alone(seen: Scan, place: Path, name: PurePosixPath, names: Sequence[PurePosixPath]) -> PurePosixPath | None:
    """Return the name of the picture that is alone in its folder, as the ROI file is; None if one of them is not."""
    if sum(other.parent == name.parent for other in names) != 1:
        return None
    for folder in (place, *renamed(place)):
        here = (PurePosixPath(folder.as_posix()) / name.parent).as_posix()
        inside = [path for path in map(PurePosixPath, seen.pictures) if path.parent.as_posix() == here]
        if len(inside) == 1:
            return name.parent / inside[0].stem
    return None


def _images_of_labelme(seen: Scan, place: Path, files: Sequence[AnnotationFile], split: str) -> str:
    beside = [path for item in files if (path := _beside(seen, item))]
    if len(beside) < len(files):  # the folders in the names are those of another machine
        names = [item.facts.pictures[0].replace("\\", "/").rpartition("/")[2] for item in files]
        try:
            return folder_of_names(seen, seen.folder / place, [name for name in names if name], split)
        except UserError:
            if not beside and not any(item.facts.embedded for item in files):
                raise
    return common_folder(beside).as_posix() if beside else place.as_posix()


def _beside(seen: Scan, item: AnnotationFile) -> str | None:
    """Return the path, relative to the user's folder, of the picture that a JSON names relative to itself.

    Without such a picture, the path of the JSON is returned if a picture of its name is beside it, and None otherwise.
    """
    parts: list[str] = []
    name = item.facts.pictures[0].replace("\\", "/")
    for part in (PurePosixPath(item.path).parent / name).parts:
        if part == "..":
            parts = parts[:-1]
        else:
            parts.append(part)
    path = "/".join(parts)
    if name and path in seen.known:
        return path
    return item.path if seen.has_picture(PurePosixPath(item.path).with_suffix("").as_posix()) else None
