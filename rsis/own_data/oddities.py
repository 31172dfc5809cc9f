"""Signs that files read as instance maps or masks are something else, such as JPEG maps or masks of a whole class."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from rsis.config.datasets import AnyDataset, MapsDataset, MasksDataset
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.labels import read_map, read_mask_numbers
from rsis.masks import distinct
from rsis.splits.own import OwnImage, leave_out, map_images, mask_images

_MOST_READ = 400  # most images of a split that are read, evenly spaced
_MOST_MASKS = 10  # most masks of an image that are read
_LOSSY = (".jpg", ".jpeg", ".jfif")


def some(items: Sequence[str]) -> list[str]:
    """Return at most 400 of the items, evenly spaced."""
    if len(items) <= _MOST_READ:
        return list(items)
    return [items[i * len(items) // _MOST_READ] for i in range(_MOST_READ)]


def annotation_oddities(dataset: AnyDataset, root: Path) -> list[str]:
    """Return a line for each oddity of the maps or masks, with the number of files that have it and the first of them.

    Files that cannot be read are skipped, since the reader reports them.

    Args:
        dataset: Its section of params.yaml; for formats other than maps and masks the result is empty.
        root: The user's folder.
    """
    if isinstance(dataset, MapsDataset):
        listed = [map_images(root, split, leave_out) for split in dataset.splits.values()]
        return _of_maps(list(_some_annotations(listed)))
    if isinstance(dataset, MasksDataset):
        listed = [mask_images(root, split, leave_out) for split in dataset.splits.values()]
        return _of_masks(list(_some_annotations(listed)))
    return []


def _of_maps(paths: list[Path]) -> list[str]:
    lossy = [path for path in paths if path.suffix.lower() in _LOSSY]
    binary = [path for path, values in _values(paths, of_masks=False) if values[values > 0].tolist() == [255]]
    return [
        *_line(lossy, paths, "maps are JPEG, which changes numbers and so invents objects: save the originals as PNG"),
        *_line(binary, paths, "maps hold 0 and 255 alone: a mask of a class, not a number for each object"),
    ]


def _of_masks(paths: list[Path]) -> list[str]:
    values = dict(_values(paths, of_masks=True))
    shades = [path for path, found in values.items() if len(found) > 2]
    full = [path for path, found in values.items() if found[0] > 0]
    empty = [path for path, found in values.items() if not (found > 0).any()]
    return [
        *_line(shades, paths, "masks have more than two values: every pixel above 0 counts as the object's"),
        *_line(full, paths, "masks have no pixel of 0 and so cover the whole picture"),
        *_line(empty, paths, "masks are empty and stand for no object"),
    ]


def _line(found: list[Path], among: list[Path], what: str) -> list[str]:
    return [f"{len(found)} of {len(among)} {what} (the first: {found[0]})"] if found else []


def _some_annotations(splits: Iterable[dict[str, OwnImage]]) -> Iterator[Path]:
    for images in splits:
        for name in some(list(images)):
            yield from images[name].annotations[:_MOST_MASKS]


def _values(paths: Iterable[Path], *, of_masks: bool) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield the sorted distinct numbers of each readable file, of all its pages; a colour counts as one number."""
    for path in paths:
        try:
            pages = read_mask_numbers(path) if of_masks else [read_map(path, 0)]
        except BadSampleError:
            continue
        yield path, np.unique(np.concatenate([distinct(labels.numbers) for labels in pages]))
