"""What the names of pictures and those of their maps begin and end with: cell7_img.png and cell7_label.png."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from rsis.own_data.divide import words_of
from rsis.splits.own import core_of

# words in the names of folders and files of maps; earlier words are more certain
MAP_WORDS = (
    *("instance", "instances", "labels", "label", "masks", "mask", "maps", "map"),
    *("annotations", "annotation", "gt", "truth", "groundtruth", "segmentation", "segmentations", "seg"),
)
PICTURE_WORDS = ("images", "image", "imgs", "img", "pictures", "photos", "rgb", "raw")
_TRIED = 3  # most beginnings or endings of one kind that are tried

Parts = dict[str, str]
"""The keys prefix, suffix, image_prefix and image_suffix of a split, without those that are empty."""


def rank_of(name: str) -> int | None:
    """Return the lowest index in `MAP_WORDS` of a word in a name; None without such a word."""
    words = words_of(name)
    return next((rank for rank, word in enumerate(MAP_WORDS) if word in words), None)


def common_parts(pictures: set[str], maps: set[str]) -> Parts | None:
    """Return what turns the names of most pictures into names of maps; None if most pictures have no map.

    Args:
        pictures: Names without the file's type. If both sets are the same object, the files are in one folder, and the
            maps are not counted as pictures.
        maps: The same of the maps.
    """
    suffix = _common_suffix(pictures, maps)
    if suffix is not None:
        return {"suffix": suffix} if suffix else {}
    same = pictures is maps
    best: tuple[int, Parts] = (0, {})
    for begin, end in _parts_of(maps, MAP_WORDS):
        cores = {core for name in maps if (core := core_of(name, begin, end))}
        rest = {name for name in pictures if core_of(name, begin, end) is None} if same else pictures
        for first, last in [("", ""), *_parts_of(rest, PICTURE_WORDS)]:
            paired = {name for name in rest if core_of(name, first, last) in cores}
            own = {core_of(name, first, last) for name in paired}
            # files beside a picture, such as cell7_img_flows, are no pictures
            whole = sum(name in paired or not any(owner in paired for owner, _ in _cuts(name)) for name in rest)
            if 2 * len(own) > whole and len(own) > best[0]:
                found = {"prefix": begin, "suffix": end, "image_prefix": first, "image_suffix": last}
                best = (len(own), {key: value for key, value in found.items() if value})
    return best[1] if best[0] else None


def endings_beside(names: set[str], parts: Parts) -> tuple[str, ...]:
    """Return the endings of files that are beside pictures and maps in one folder, such as _flows of cellpose.

    Such a file has the name of a picture and an ending, and no map of its own; most pictures must have one.
    """
    suffix, last = parts.get("suffix", ""), parts.get("image_suffix", "")
    if not suffix or not parts.keys() <= {"suffix", "image_suffix"}:
        return ()
    owners = {name for name in names if name.endswith(last) and name.removesuffix(last) + suffix in names}
    rest = {name for name in names - owners if not name.endswith(suffix)}
    endings = Counter(ending for name in rest for owner, ending in _cuts(name) if owner in owners)
    return tuple(sorted(ending for ending, number in endings.items() if 2 * number > len(owners)))


def _common_suffix(pictures: set[str], maps: set[str]) -> str | None:
    """Return the suffix of `common_parts` where the names of pictures have neither suffix nor prefix.

    The suffix is "" or begins with a character that is neither letter nor digit.
    """
    same = pictures is maps
    suffixes: Counter[str] = Counter()
    for name in maps:
        if name in pictures and not same:
            suffixes[""] += 1
        suffixes.update(ending for owner, ending in _cuts(name) if owner in pictures)
    if same:  # the suffix must contain a word for maps, since names of other pictures may begin alike
        suffixes = Counter({suffix: n for suffix, n in suffixes.items() if rank_of(suffix) is not None})
    # of equally many the shortest: cell7_cp_masks rather than cell7_outlines_cp_masks
    for suffix, number in sorted(suffixes.items(), key=lambda item: (-item[1], len(item[0]), item[0]))[:1]:
        rest = {name for name in pictures if not name.endswith(suffix)} if same else pictures
        # files beside a picture, such as cell7_flows, are no pictures
        owners = {name for name in rest if name + suffix in maps or not any(owner in rest for owner, _ in _cuts(name))}
        if 2 * number > (len(owners) if same else len(rest)):
            return suffix
    return None


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """Yield a name in two parts, the second of which begins with neither letter nor digit."""
    start = name.rfind("/") + 2
    for i in range(start, len(name)):
        if not name[i].isalnum():
            yield name[:i], name[i:]


def _parts_of(names: Iterable[str], words: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the most frequent beginnings and endings of names that have one of the words, each as (begin, end)."""
    found: Counter[tuple[str, str]] = Counter()
    for name in sorted(names):
        last = name.rpartition("/")[2]
        found.update(("", ending) for _, ending in _cuts(last) if any(word in words for word in words_of(ending)))
        begin = re.match(r"[^\W\d_]+[\W_]*", last)
        if begin and any(word in words for word in words_of(begin[0])):
            found[begin[0], ""] += 1
    return [part for part, _ in found.most_common(_TRIED)]
