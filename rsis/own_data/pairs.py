"""Find the folders of pictures and those of their instance maps by name; no file is opened."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from rsis.errors import UserError
from rsis.own_data.divide import Section, split_of, words_of
from rsis.splits.own import is_picture

_DEPTH = 3  # levels of folders that are searched, for example data/train/images
# words in the names of folders and suffixes of maps; earlier words are more certain
_MAP_WORDS = (
    *("instance", "instances", "labels", "label", "masks", "mask", "maps", "map"),
    *("annotations", "annotation", "gt", "truth", "groundtruth", "segmentation", "segmentations", "seg"),
)
_PICTURE_WORDS = ("images", "image", "imgs", "img", "pictures", "photos", "rgb", "raw")


@dataclass(frozen=True)
class _Candidate:
    """A folder that contains pictures or maps.

    Attributes:
        path: Relative to the user's folder.
        stems: Names of its image files, without suffixes such as .png.
        map_rank: How certain its name indicates maps, 0 = most certain; None if it does not indicate maps.
        is_called_pictures: Whether its name indicates pictures.
    """

    path: Path
    stems: set[str]
    map_rank: int | None
    is_called_pictures: bool


@dataclass(frozen=True)
class _Pair:
    """A folder of pictures and the folder of their maps; the pair with the lowest rank is the best guess."""

    images: Path
    maps: Path
    suffix: str
    rank: tuple[int, int]


def find_pairs(folder: Path) -> tuple[dict[str, Section], tuple[str, ...]]:
    """Return the section of each split whose pictures have maps, and the folders of pictures without maps.

    Maps are either in a separate folder or beside the pictures. A separate folder is recognised by its name, or because
    its files have the names of those in a folder called images. Maps beside pictures are recognised by a suffix such as
    "_label". The splits are recognised by folder names.

    Raises:
        UserError: More than one pair of folders is equally likely.
    """
    by_split: dict[str, list[_Candidate]] = {}
    for path in _folders(folder, _DEPTH):
        if stems := _stems(path):
            relative = path.relative_to(folder)
            by_split.setdefault(split_of(relative), []).append(_Candidate(relative, stems, *_roles_of(relative)))
    sections: dict[str, Section] = {}
    for split, own in by_split.items():
        best = _best(folder, split, [*_two_folders(own), *_one_folder(own)])
        if best is not None:
            sections[split] = {"images": best.images.as_posix(), "maps": best.maps.as_posix()}
            sections[split] |= {"suffix": best.suffix} if best.suffix else {}
    without = [item.path.as_posix() for split, own in by_split.items() if split not in {*sections, ""} for item in own]
    return sections, tuple(sorted(without))


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder and the folders below it, except hidden ones."""
    yield folder
    if depth:
        for path in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
            yield from _folders(path, depth - 1)


def _stems(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir() if is_picture(path)}


def _two_folders(candidates: list[_Candidate]) -> Iterator[_Pair]:
    """Yield pairs of folders in which most pictures have a map of the same name, possibly with a common suffix."""
    for images, maps in permutations(candidates, 2):
        if images.map_rank is not None:
            continue
        rank = maps.map_rank
        if rank is None and images.is_called_pictures and not maps.is_called_pictures:
            rank = len(_MAP_WORDS)
        if rank is not None and (suffix := _common_suffix(images.stems, maps.stems)) is not None:
            yield _Pair(images.path, maps.path, suffix, (rank, 0 if images.is_called_pictures else 1))


def _one_folder(candidates: list[_Candidate]) -> Iterator[_Pair]:
    """Yield folders in which most pictures have a map beside them."""
    for item in candidates:
        suffix = _common_suffix(item.stems, item.stems)
        if suffix and (rank := _rank_of(suffix)) is not None:
            yield _Pair(item.path, item.path, suffix, (len(_MAP_WORDS) + 1, rank))


def _common_suffix(pictures: set[str], maps: set[str]) -> str | None:
    """Return the suffix that turns the names of most pictures into names of maps; None if most pictures have no map.

    The suffix is "" or begins with a character that is neither letter nor digit. If both sets are the same folder, the
    maps themselves are not counted as pictures.
    """
    same = pictures is maps
    suffixes: Counter[str] = Counter()
    for name in maps:
        cuts = [i for i, letter in enumerate(name) if i and not letter.isalnum()]
        if name in pictures and not same:
            suffixes[""] += 1
        suffixes.update(name[i:] for i in cuts if name[:i] in pictures)
    if same:  # the suffix must contain a word for maps, since names of other pictures may begin alike
        suffixes = Counter({suffix: n for suffix, n in suffixes.items() if _rank_of(suffix) is not None})
    for suffix, number in suffixes.most_common(1):
        owners = sum(not name.endswith(suffix) for name in pictures) if same else len(pictures)
        if 2 * number > owners:
            return suffix
    return None


def _best(folder: Path, split: str, pairs: list[_Pair]) -> _Pair | None:
    """Return the pair with the lowest rank; None without pairs.

    Raises:
        UserError: More than one pair has the lowest rank.
    """
    best = [pair for pair in pairs if pair.rank == min(pair.rank for pair in pairs)]
    if len(best) > 1:
        shown = " or ".join(f"{pair.images.as_posix()} with {pair.maps.as_posix()}" for pair in best[:3])
        raise UserError(
            f"{folder}: {split or 'its pictures and maps'} could be {shown}; give the folder that holds one pair, or "
            "call its folders images and labels"
        )
    return best[0] if best else None


def _roles_of(path: Path) -> tuple[int | None, bool]:
    """Return `map_rank` and `is_called_pictures` of a path, from the last part of it that indicates either."""
    for part in reversed(path.parts):
        rank, pictures = _rank_of(part), any(word in _PICTURE_WORDS for word in words_of(part))
        if rank is not None or pictures:
            return rank, pictures and rank is None
    return None, False


def _rank_of(name: str) -> int | None:
    """Return the lowest index in `_MAP_WORDS` of a word in a name; None without such a word."""
    words = words_of(name)
    return next((rank for rank, word in enumerate(_MAP_WORDS) if word in words), None)
