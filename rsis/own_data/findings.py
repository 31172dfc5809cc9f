"""Statistics of a user's images, files that cannot be used, and signs of wrong annotations."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rsis.config.datasets import AnyDataset
from rsis.data.readers.base import BadSampleError, notes_of
from rsis.data.readers.depth import DARK
from rsis.data.readers.open import open_split
from rsis.data.readers.turned import frame_note
from rsis.errors import UserError
from rsis.own_data.oddities import annotation_oddities, some
from rsis.own_data.repeats import Place, places_of, repeated_pictures
from rsis.structures import DropReason, RawSample

_NAMED = 3  # most annotations without an object that are named for a reason


@dataclass(frozen=True)
class Findings:
    """Statistics and problems of the images.

    Attributes:
        images: Number of images of each split.
        counts: int [images], number of objects of each inspected image.
        sizes: int [images, 2], their (H, W).
        sides: float [objects], square roots of the objects' areas in pixels.
        classes: Number of objects of each class.
        problems: One line for each file that cannot be used.
        bad: Number of images that cannot be used.
        oddities: One line for each property of the data that can be used but is probably a mistake.
        dropped: Number of the annotations that are no objects, by the reason.
    """

    images: dict[str, int]
    counts: np.ndarray
    sizes: np.ndarray
    sides: np.ndarray
    classes: dict[str, int]
    problems: tuple[str, ...] = ()
    bad: int = 0
    oddities: tuple[str, ...] = ()
    dropped: Mapping[DropReason, int] = field(default_factory=dict)

    @property
    def used_classes(self) -> int:
        """Number of classes with at least one object."""
        return sum(count > 0 for count in self.classes.values())


@dataclass
class _Tally:
    """Statistics of the images read so far."""

    counts: list[int] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    sides: list[float] = field(default_factory=list)
    classes: Counter[str] = field(default_factory=Counter)
    brightest: int = 0
    dropped: Counter[DropReason] = field(default_factory=Counter)
    details: dict[DropReason, list[str]] = field(default_factory=dict)
    assumed: int = 0

    def add(self, sample: RawSample, class_names: tuple[str, ...]) -> None:
        areas = np.bincount(sample.instance_map.ravel())[1:]
        self.counts.append(len(areas))
        self.sizes.append((sample.image.shape[0], sample.image.shape[1]))
        self.sides.extend(np.sqrt(areas).tolist())
        self.classes.update(class_names[k - 1] for k in sample.class_ids.tolist())
        self.assumed += sample.frame_is_assumed
        self.brightest = max(self.brightest, int(sample.image.max()))
        self.dropped.update(sample.dropped)
        for reason, detail in zip(sample.dropped, sample.drop_details, strict=False):
            self.details.setdefault(reason, []).append(detail)


def inspect(dataset: AnyDataset, root: Path, title: str = "NAME") -> Findings:
    """Read at most 400 images of every split, and collect statistics and problems.

    Args:
        dataset: The section that will be written to params.yaml; its `size` is not used.
        root: The user's folder.
        title: Name of the data set, for advice.

    Raises:
        UserError: A split cannot be opened, or none of its images can be used.
    """
    lost: dict[str, None] = {}  # each message once: splits that share a folder report the same files
    images: dict[str, int] = {}
    problems: list[str] = []
    tally = _Tally()
    notes: dict[str, None] = {}
    pictures: dict[str, list[Place]] = {}
    for split in dataset.splits:
        reader = open_split(dataset, root, split, lambda _, message: lost.update({message: None}))
        images[split] = len(reader.image_ids)
        notes.update(dict.fromkeys(notes_of(reader)))
        pictures[split] = places_of(reader)
        before = len(tally.counts)
        for image_id in some(reader.image_ids):
            try:
                tally.add(reader.read(image_id), reader.class_names)
            except BadSampleError as error:
                problems.append(str(error))
        if len(tally.counts) == before:
            why = [*problems, *lost][0]
            raise UserError(f"{root}: none of the {images[split]} images of {split} can be used: {why}")
        for class_name in reader.class_names:
            tally.classes.setdefault(class_name, 0)
    return Findings(
        images=images,
        counts=np.array(tally.counts),
        sizes=np.array(tally.sizes),
        sides=np.array(tally.sides),
        classes=dict(tally.classes),
        problems=(*lost, *problems),
        bad=len(lost) + len(problems),
        oddities=(
            *notes,
            *_oddities(tally),
            *frame_note(dataset, tally.assumed, title),
            *annotation_oddities(dataset, root),
            *repeated_pictures(pictures),
        ),
        dropped=dict(tally.dropped),
    )


def _oddities(tally: _Tally) -> list[str]:
    odd = []
    without = tally.counts.count(0)
    if without:
        odd.append(f"{without} of {len(tally.counts)} images have no object")
    for reason, details in tally.details.items():
        if reason != "crowd":  # of these `rsis.own_data.crowd` speaks
            shown = "; ".join(details[:_NAMED])
            odd.append(f"{len(details)} annotations are no objects ({reason}); the first: {shown}")
    if len(tally.counts) > 1 and max(tally.counts) == 1:
        odd.append("no image has two objects: these may be masks of a class, not of each object")
    unused = [name for name, count in tally.classes.items() if count == 0]
    if unused:
        odd.append(f"no object of {', '.join(unused)}")
    if tally.brightest < DARK:
        odd.append(
            f"no pixel of the pictures is above {tally.brightest} of 255: brighten them, such as by scaling the values "
            "to the whole range"
        )
    return odd
