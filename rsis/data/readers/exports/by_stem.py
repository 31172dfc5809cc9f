"""Pictures by their names without the file's type, which annotation files of single pictures are named after."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from unicodedata import normalize

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.exports.source import Gathered, Source, without_suffix
from rsis.data.readers.outline_reader import AnnotatedObject, AnnotatedPicture, AnnotationDocument


class PicturesByStem:
    """Pictures by their relative paths.

    Args:
        pictures: The paths.
    """

    def __init__(self, pictures: Iterable[str]) -> None:
        self._by_stem: dict[str, list[str]] = {}
        self._by_path: dict[str, list[str]] = {}
        for path in pictures:
            self._by_stem.setdefault(without_suffix(path), []).append(path)
            self._by_path.setdefault(normalize("NFC", path), []).append(path)

    def find(self, stem: str) -> list[str]:
        """Return the pictures of a stem, or else the picture of that whole name: the stem may be cell1 or cell1.tif."""
        key = normalize("NFC", stem)
        return self._by_stem.get(key) or self._by_path.get(key, [])


def read_by_stem(
    source: Source,
    suffixes: Sequence[str],
    stems_of: Callable[[PurePosixPath], Iterator[str]],
    read: Callable[[Source, str], list[AnnotatedObject]],
    is_other: Callable[[Source, str, bool], bool],
) -> AnnotationDocument:
    """Read a folder of annotation files that are named after their pictures.

    Args:
        source: Where they are.
        suffixes: Of the annotation files, in lower case.
        stems_of: Returns the stems of the picture that a file may belong to; the first that is there decides.
        read: Reads a file; BadSampleError means that it is broken.
        is_other: Returns whether a file holds something else than annotations; its last argument is whether there is a
            picture of the file's name.

    Raises:
        UserError: A fault of the data set, see `Gathered`.
    """
    gathered, pictures = Gathered(source), PicturesByStem(source.pictures)
    others: list[str] = []
    for file in source.files(*suffixes):
        path = source.annotations / file
        found = next((pictures.find(stem) for stem in stems_of(PurePosixPath(file)) if pictures.find(stem)), [])
        if is_other(source, file, bool(found)):
            others.append(file)
            continue
        if len(found) != 1:
            choice = f"could belong to {' or '.join(found[:3])}" if found else "has no picture of that name"
            source.on_missing(path, f"{path}: {choice} in {source.images}; expected one picture; rename one of them")
            continue
        try:
            annotated = AnnotatedPicture(read(source, file), file=file)
        except BadSampleError as error:
            annotated = AnnotatedPicture(file=file, fault=str(error))
        gathered.add(found[0], annotated, str(path))
    gathered.note_first("files that are no annotations, and are passed by", others)
    gathered.note_unannotated()
    return gathered.document()
