"""Find the folders of pictures and those of their instance maps by name; no file is opened."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from rsis.errors import UserError
from rsis.files.tree import files_below
from rsis.own_data.divide import Section, split_of, words_of
from rsis.own_data.name_parts import MAP_WORDS, PICTURE_WORDS, Parts, common_parts, endings_beside, rank_of
from rsis.splits.own import is_picture

_DEPTH = 3  # levels of folders that are searched, for example data/train/images


@dataclass(frozen=True)
class _Candidate:
    """A folder that contains pictures or maps.

    Attributes:
        path: Relative to the user's folder.
        stems: Names of its image files, without suffixes such as .png; with folders in it, paths in it.
        map_rank: How certain its name indicates maps, 0 = most certain; None if it does not indicate maps.
        is_called_pictures: Whether its name indicates pictures.
        is_nested: Whether the files in its folders are among them.
    """

    path: Path
    stems: set[str]
    map_rank: int | None
    is_called_pictures: bool
    is_nested: bool = False


@dataclass(frozen=True)
class _Pair:
    """A folder of pictures and the folder of their maps; the pair with the lowest rank is the best guess."""

    images: _Candidate
    maps: _Candidate
    parts: Parts
    rank: tuple[int, int]

    def section(self) -> Section:
        """Return the split's section of params.yaml."""
        keys: Section = {"images": self.images.path.as_posix(), "maps": self.maps.path.as_posix(), **self.parts}
        if self.images.is_nested:
            keys["nested"] = True
        if self.images is self.maps and (beside := endings_beside(self.images.stems, self.parts)):
            keys["leave_out"] = beside
        return keys


def find_pairs(folder: Path) -> tuple[dict[str, Section], tuple[str, ...]]:
    """Return the section of each split whose pictures have maps, and the folders of pictures without maps.

    Maps are either in a separate folder or beside the pictures. A separate folder is recognised by its name, or because
    its files have the names of those in a folder called images. Maps beside pictures are recognised by a suffix or
    prefix such as "_label". The splits are recognised by folder names. Where several pairs are equally likely, such as
    images/day1 with labels/day1 and images/day2 with labels/day2, folders that hold all of them are taken.

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
        try:
            best = _best(folder, split, [*_two_folders(own), *_one_folder(own)])
        except UserError:
            best = _best_nested(folder, split)
            if best is None:
                raise
        if best is not None:
            sections[split] = best.section()
    without = [item.path.as_posix() for split, own in by_split.items() if split not in {*sections, ""} for item in own]
    return sections, tuple(sorted(without))


def _best_nested(folder: Path, split: str) -> _Pair | None:
    """Return the pair of folders with folders in them that holds the most pictures; None if two hold as many."""
    own = []
    for path in _folders(folder, _DEPTH - 1):
        relative = path.relative_to(folder)
        inside = [name for name in files_below(path) if is_picture(path / name)]
        if inside and {split_of(relative / name) for name in (PurePosixPath(name).parent for name in inside)} == {
            split
        }:
            stems = {normalize("NFC", PurePosixPath(name).with_suffix("").as_posix()) for name in inside}
            own.append(_Candidate(relative, stems, *_roles_of(relative), is_nested=True))
    pairs = [*_two_folders(own), *_one_folder(own)]
    best = min((pair.rank for pair in pairs), default=None)
    pairs = sorted((pair for pair in pairs if pair.rank == best), key=lambda pair: -len(pair.images.stems))
    if not pairs or (len(pairs) > 1 and len(pairs[0].images.stems) == len(pairs[1].images.stems)):
        return None
    return pairs[0]


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder and the folders below it, except hidden ones."""
    yield folder
    if depth:
        for path in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
            yield from _folders(path, depth - 1)


def _stems(folder: Path) -> set[str]:
    return {normalize("NFC", path.stem) for path in folder.iterdir() if is_picture(path)}


def _two_folders(candidates: list[_Candidate]) -> Iterator[_Pair]:
    """Yield pairs of folders in which most pictures have a map of the same name, possibly with common parts."""
    for images, maps in permutations(candidates, 2):
        if images.map_rank is not None or (images.is_nested and images.path in (*maps.path.parents,)):
            continue
        rank = maps.map_rank
        if rank is None and images.is_called_pictures and not maps.is_called_pictures:
            rank = len(MAP_WORDS)
        if rank is not None and (parts := common_parts(images.stems, maps.stems)) is not None:
            yield _Pair(images, maps, parts, (rank, 0 if images.is_called_pictures else 1))


def _one_folder(candidates: list[_Candidate]) -> Iterator[_Pair]:
    """Yield folders in which most pictures have a map beside them."""
    for item in candidates:
        parts = common_parts(item.stems, item.stems)
        rank = rank_of(parts.get("suffix", "") + " " + parts.get("prefix", "")) if parts else None
        if parts and rank is not None:
            yield _Pair(item, item, parts, (len(MAP_WORDS) + 1, rank))


def _best(folder: Path, split: str, pairs: list[_Pair]) -> _Pair | None:
    """Return the pair with the lowest rank; None without pairs.

    Raises:
        UserError: More than one pair has the lowest rank.
    """
    best = [pair for pair in pairs if pair.rank == min(pair.rank for pair in pairs)]
    if len(best) > 1:
        shown = " or ".join(f"{pair.images.path.as_posix()} with {pair.maps.path.as_posix()}" for pair in best[:3])
        raise UserError(
            f"{folder}: {split or 'its pictures and maps'} could be {shown}; give the folder that holds one pair, or "
            "call its folders images and labels"
        )
    return best[0] if best else None


def _roles_of(path: Path) -> tuple[int | None, bool]:
    """Return `map_rank` and `is_called_pictures` of a path, from the last part of it that indicates either."""
    for part in reversed(path.parts):
        rank, pictures = rank_of(part), any(word in PICTURE_WORDS for word in words_of(part))
        if rank is not None or pictures:
            return rank, pictures and rank is None
    return None, False
