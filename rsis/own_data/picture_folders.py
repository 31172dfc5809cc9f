"""Find the folder of the pictures that annotation files belong to, by the names written in them or by their own."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from PIL import Image

from rsis.errors import UserError
from rsis.own_data.divide import SPLIT_NAMES, split_of
from rsis.own_data.scan import Scan
from rsis.splits.pictures import PictureFiles

_SAMPLE = 50  # most pictures of a split that are searched for, evenly spaced


def folder_of_names(seen: Scan, annotations: Path, names: Sequence[str], split: str) -> str:
    """Return the folder, relative to the user's, below which most of the pictures of an annotation file are.

    Args:
        seen: The files of the user's folder.
        annotations: The annotation file, or the folder of such files.
        names: Names of pictures, as written in it.
        split: The split that it belongs to, or "".

    Raises:
        UserError: The pictures are not in the user's folder or below it.
    """
    files = PictureFiles(seen.folder)
    some = _some(names)
    here = annotations if annotations.is_dir() else annotations.parent
    places = _places(seen, here.relative_to(seen.folder), split)
    found = {place: sum(len(files.find_spelled(place, name)) == 1 for name in some) for place in places}
    if not any(found.values()):  # the folders in the names are those of another machine
        found = {place: sum(len(files.find_below(place, name)) == 1 for name in some) for place in places}
    best = max(found, key=lambda place: found[place])  # the first of equally good ones
    if not found[best]:
        raise UserError(_not_found(annotations, names, seen.folder, files))
    return best.removesuffix("/") or "."


def folder_of_stems(seen: Scan, place: Path, stems: Sequence[str], split: str) -> str:
    """Return the folder, relative to the user's, in which most pictures are called like these annotation files.

    Args:
        seen: The files of the user's folder.
        place: The folder of the annotation files, relative to the user's.
        stems: Paths of the annotation files in it, without their endings; perhaps with the extension of the picture.
        split: The split that they belong to, or "".

    Raises:
        UserError: No picture is called like any of them.
    """
    some = _some(stems)
    folders = renamed(place)
    folders += [Path(path) for path in _places(seen, place, split)]
    found = {
        folder: sum(
            any(seen.has_picture((folder / stem).as_posix()) for stem in with_and_without_type(name)) for name in some
        )
        for folder in dict.fromkeys(folders)
    }
    best = max(found, key=lambda path: found[path])
    if not found[best]:
        raise UserError(
            f"{seen.folder / place}: no picture of the folder is called like {stems[0]} in it; expected a picture and "
            "its annotations to have one name; rename the annotation files"
        )
    return best.as_posix()


def with_and_without_type(name: str) -> tuple[str, ...]:
    """Return a name and, if it ends like the file of a picture, also the name without that: cell.tif gives cell."""
    path = PurePosixPath(name)
    is_picture = path.suffix.lower() in Image.registered_extensions()
    return (name, path.with_suffix("").as_posix()) if is_picture else (name,)


def common_folder(paths: Iterable[str]) -> Path:
    """Return the deepest folder that holds all the files, whose paths are relative."""
    parents = [PurePosixPath(path).parent.parts for path in paths]
    first, last = min(parents), max(parents)
    number = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return Path(*first[:number])


def _some(names: Sequence[str]) -> Sequence[str]:
    return [names[i * len(names) // _SAMPLE] for i in range(_SAMPLE)] if len(names) > _SAMPLE else names


def renamed(place: Path) -> list[Path]:
    """Return a folder with one part of its path replaced by images, the last one first, and the folder itself."""
    parts = place.parts
    return [*(Path(*parts[:i], "images", *parts[i + 1 :]) for i in reversed(range(len(parts)))), place]


def _not_found(annotations: Path, names: Sequence[str], folder: Path, files: PictureFiles) -> str:
    if not names:
        return f"{annotations}: names no picture; expected at least one; export the file again"
    several = files.find_below("", names[0])
    if several:
        shown = " or ".join(several[:3])
        return f"{annotations}: its picture {names[0]!r} could be {shown}; write the folder before the names"
    return f"{annotations}: its pictures ({names[0]!r}) are nowhere under {folder}; put them there"


def _places(seen: Scan, here: Path, split: str) -> list[str]:
    """Return folders that may contain the pictures: usual names first, then those named like the split, then others.

    The paths are relative to the user's folder and end in /; the folder itself is "".
    """
    names = ("", "images", "imgs", "JPEGImages", *SPLIT_NAMES.get(split, ()))
    usual = [place / name for place in (here, Path()) for name in names]
    others = sorted({Path(parent) for path in seen.files for parent in PurePosixPath(path).parents})
    same = [path for path in others if split_of(path) == split]
    found = [path for path in dict.fromkeys([*usual, *same, *others]) if (seen.folder / path).is_dir()]
    return [f"{path.as_posix()}/" if path.parts else "" for path in found]
