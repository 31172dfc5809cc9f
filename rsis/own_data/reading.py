"""Find how a user's files are to be read: depth of the pictures, pages, channels, numbers that are no objects."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rsis.config.datasets import AnyDataset, CocoDataset, ExportDataset, MapsDataset, MasksDataset, OwnDataset
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.labels import Labels, read_map
from rsis.data.readers.measure import measure_intensity
from rsis.masks import distinct
from rsis.own_data.oddities import some
from rsis.splits.own import OwnImage, each_page, leave_out, map_images, mask_images
from rsis.splits.pages import planes_of

_FAR = 0.78  # of the largest number of a type: objects whose numbers stay below are far from it


@dataclass(frozen=True)
class Reading:
    """How the files are to be read.

    Attributes:
        keys: Keys of the data set with their values: intensity, ignore_value, and those that the user has chosen.
        reasons: The reason for each, by its name.
        notes: One line for each property of the files that the user should know of.
    """

    keys: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_reading(dataset: AnyDataset, root: Path, given: Mapping[str, Any] | None = None) -> Reading:
    """Look into at most 400 files of each kind of every split.

    Args:
        dataset: The section that will be written to params.yaml, without the keys that are found here.
        root: The user's folder.
        given: Keys that the user has chosen, which `dataset` has too: page, channels.

    Raises:
        UserError: A split cannot be opened.
    """
    if not isinstance(dataset, OwnDataset):
        return Reading()
    keys: dict[str, Any] = dict(given or {})
    reasons: dict[str, str] = {}
    notes: list[str] = []
    intensity = measure_intensity(dataset, root)
    if intensity is not None:
        keys["intensity"] = intensity
        reasons["intensity"] = "values that become 0 and 255: the 0.1th and 99.9th percentile of pictures that train"
        notes.append(
            f"pictures have more than 8 bits: their values {intensity[0]:g} to {intensity[1]:g} become 0 to 255, in "
            "training and in prediction (key intensity)"
        )
    if isinstance(dataset, MapsDataset):
        files = _maps_of(dataset, root)
        notes += _page_notes(files)
        numbers = _Numbers.of(files)
        if (void := numbers.void()) is not None:
            keys["ignore_value"] = void
            reasons["ignore_value"] = f"in {numbers.with_top} of {numbers.files} maps, far above all other numbers"
            notes.append(
                f"{numbers.with_top} of {numbers.files} maps have the number {void}, far above all others: its pixels "
                "are taken as not annotated (key ignore_value; null makes them an object)"
            )
        notes += numbers.notes()
    pictures = [files.picture for files in _pictures_of(dataset, root) if files.page is None]
    notes += _channel_notes(pictures, dataset.channels)
    return Reading(keys, reasons, tuple(notes))


def _maps_of(dataset: MapsDataset, root: Path) -> list[OwnImage]:
    found = []
    for split in dataset.splits.values():
        images = each_page(map_images(root, split, leave_out), dataset.page, dataset.channels)
        found += [images[name] for name in some(list(images))]
    return found


def _pictures_of(dataset: CocoDataset | MapsDataset | MasksDataset | ExportDataset, root: Path) -> Iterator[OwnImage]:
    if isinstance(dataset, MapsDataset):
        yield from _maps_of(dataset, root)
    elif isinstance(dataset, MasksDataset):
        for masks in dataset.splits.values():
            images = mask_images(root, masks, leave_out)
            yield from (images[name] for name in some(list(images)))
    else:
        for folder in {split.images for split in dataset.splits.values()}:
            paths = sorted(path for path in (root / folder).rglob("*") if path.is_file())
            yield from (OwnImage(paths[int(i)], ()) for i in some([str(i) for i in range(len(paths))]))


@dataclass
class _Numbers:
    """The numbers of maps.

    Attributes:
        files: Maps that could be read.
        with_top: Of them, those whose largest number usually says "not annotated": 255, 65535, or the largest of the
            type.
        tops: How often each such number occurs.
        highest: The largest of the other numbers.
        distinct: Sums over the maps of how many other numbers above 0 there are, and of the largest of them.
        negative: The negative numbers, and how many maps have some.
        colours: Maps in colours.
        full: Maps without a pixel of 0, or of black.
    """

    files: int = 0
    with_top: int = 0
    tops: Counter[int] = field(default_factory=Counter)
    highest: int = 0
    distinct: tuple[int, int] = (0, 0)
    negative: tuple[set[int], int] = field(default_factory=lambda: (set(), 0))
    colours: list[Path] = field(default_factory=list)
    full: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, images: list[OwnImage]) -> "_Numbers":
        found = cls()
        for files in images:
            try:
                found.add(files.annotations[0], read_map(files.annotations[0], files.map_page))
            except BadSampleError:  # the reader reports it
                continue
        return found

    def add(self, path: Path, labels: Labels) -> None:
        values = distinct(labels.numbers)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            return  # the reader reports it
        self.files += 1
        if (values > 0).all():
            self.full.append(path)
        if labels.is_colour:
            self.colours.append(path)
            return
        kind = labels.numbers.dtype
        below = {int(value) for value in values[values < 0].tolist()} if kind.kind in "if" else set()
        if below:
            self.negative = (self.negative[0] | below, self.negative[1] + 1)
        values = values[values > 0]
        usual = {255, 65535, int(np.iinfo(kind).max) if kind.kind in "ui" else 255}
        if kind.kind in "uif" and len(values) and values[-1] in usual:
            self.with_top += 1
            self.tops[int(values[-1])] += 1
            values = values[:-1]
        if len(values):
            self.highest = max(self.highest, int(values[-1]))
            self.distinct = (self.distinct[0] + len(values), self.distinct[1] + int(values[-1]))

    def void(self) -> int | None:
        """Return the number that stands for "not annotated", if one does.

        It is 255, 65535 or the largest of its type, while the numbers of the objects are far below it and rise from 1
        with few gaps. Maps of 0 and 255 alone are masks of a class.
        """
        if len(self.tops) != 1 or not self.distinct[0]:
            return None
        [top] = self.tops
        is_far = self.highest < _FAR * top
        return top if is_far and 2 * self.distinct[0] >= self.distinct[1] else None

    def notes(self) -> list[str]:
        found = []
        if self.colours:
            found.append(
                f"{len(self.colours)} of {self.files} maps are colour images: each colour is an object, black is "
                f"background (the first: {self.colours[0]})"
            )
        if self.negative[0]:
            shown = ", ".join(map(str, sorted(self.negative[0], reverse=True)[:3]))
            found.append(
                f"{self.negative[1]} of {self.files} maps have numbers below 0 ({shown}): they are background "
                f"(ignore_value: {max(self.negative[0])} takes them as not annotated)"
            )
        if self.full:
            found.append(
                f"{len(self.full)} of {self.files} maps have no pixel of 0 or black, so that their background is an "
                f"object (the first: {self.full[0]}); give the background the number 0"
            )
        return found


def _page_notes(images: list[OwnImage]) -> list[str]:
    """Return the line about stacks whose pages are pictures of their own."""
    pages = [files for files in images if files.page is not None]
    if not pages:
        return []
    stacks = {files.picture for files in pages}
    what = "1 file is a stack" if len(stacks) == 1 else f"{len(stacks)} files are stacks"
    return [
        f"{what} of as many pages as the maps: each page is a picture of its own, {len(pages)} in all (the first: "
        f"{pages[0].picture.stem}#1)"
    ]


def _channel_notes(pictures: list[Path], channels: tuple[int, ...] | None) -> list[str]:
    """Return the line about pictures with channels that are no colours."""
    found = {path: planes_of(path) for path in dict.fromkeys(pictures)}
    of_channels = {path: planes for path, planes in found.items() if "C" in planes.axes}
    if not of_channels:
        return []
    path, planes = next(iter(of_channels.items()))
    count = planes.length("C")
    names = f" ({', '.join(planes.names)})" if any(planes.names) else ""
    chosen = channels or tuple(range(1, min(count, 3) + 1))
    colours = ("grey",) if len(chosen) == 1 else ("red", "green", "blue")
    taken = ", ".join(f"{channel} becomes {colour}" for channel, colour in zip(chosen, colours, strict=False))
    return [
        f"{len(of_channels)} of {len(found)} pictures have {count} channels{names}: {taken} (key channels chooses; the "
        f"first: {path})"
    ]
