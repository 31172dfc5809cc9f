"""Pictures that a data set has more than once, by the bytes of their files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from rsis.data.readers.base import SampleReader
from rsis.data.readers.outline_reader import OutlineReader
from rsis.data.readers.own import MapsReader, MasksReader
from rsis.files.digests import sha256_of

Place = tuple[Path, int | None]
"""A picture's file, and the position of its page in a stack."""
_SHOWN = 3  # most pairs that are named


def repeated_pictures(pictures: Mapping[str, Iterable[Place]]) -> list[str]:
    """Return a line about pictures that are in two splits, and one about pictures that are twice in one split.

    A network that has seen a picture in training finds its objects too well, so that the scores flatter it.

    Args:
        pictures: The pictures of each split. Files that cannot be read are passed by.
    """
    by_size: dict[tuple[int, bytes], list[tuple[str, Place]]] = {}
    for split, places in pictures.items():
        for path, page in places:
            try:
                by_size.setdefault(_glimpse(path), []).append((split, (path, page)))
            except OSError:
                continue
    across: list[str] = []
    within: list[str] = []
    digests: dict[Path, str] = {}
    for group in by_size.values():
        first: dict[tuple[str, int | None], tuple[str, Path]] = {}
        for split, (path, page) in group if len(group) > 1 else ():
            try:
                digest = digests[path] = digests.get(path) or sha256_of(path)
            except OSError:
                continue
            before = first.setdefault((digest, page), (split, path))
            if before[0] != split:
                across.append(f"{before[1]} ({before[0]}) is {path} ({split})")
            elif before[1] != path:
                within.append(f"{before[1]} is {path}")
    return [
        *_line(across, "pictures are in two splits, so that scores flatter the network"),
        *_line(within, "pictures are twice in one split"),
    ]


def _glimpse(path: Path) -> tuple[int, bytes]:
    """Return the size of a file and some bytes from its middle: pictures without compression all have one size."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size // 2 - 512))
        return size, file.read(1024)


def places_of(reader: SampleReader) -> list[Place]:
    """Return the pictures of a reader of a user's data set; none of a benchmark, whose splits are not ours to judge."""
    if not isinstance(reader, OutlineReader | MapsReader | MasksReader):
        return []
    return [reader.picture_of(image_id) for image_id in reader.image_ids]


def _line(found: list[str], what: str) -> list[str]:
    return [f"{len(found)} {what} (the first: {', '.join(found[:_SHOWN])})"] if found else []
