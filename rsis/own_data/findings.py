"""Statistics of a user's images, files that cannot be used, and signs of wrong annotations."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rsis.config.datasets import AnyDataset
from rsis.data.readers.base import BadSampleError, SampleReader, notes_of
from rsis.data.readers.depth import DARK
from rsis.data.readers.open import open_split
from rsis.data.readers.turned import frame_note
from rsis.errors import UserError
from rsis.own_data.looked_at import LookedAt
from rsis.own_data.oddities import annotation_oddities, some
from rsis.structures import DropReason, RawSample
from rsis.tracking.account import Account
from rsis.tracking.agreement import compared
from rsis.tracking.repeats import Place, places_of, repeated_pictures

_NAMED = 3  # most annotations without an object that are named for a reason


@dataclass(frozen=True)
class Findings:
    """Statistics and problems of the images.

    Attributes:
        images: Number of images of each split that can be used, as far as they were looked at.
        counts: int [images], number of objects of each inspected image.
        sizes: int [images, 2], their (H, W).
        sides: float [objects], square roots of the objects' areas in pixels.
        classes: Number of objects of each class.
        looked_at: The images of each split that were read, at most 400, evenly spaced.
        problems: One line for each file that cannot be used.
        oddities: One line for each property of the data that can be used but is probably a mistake.
        dropped: Number of the annotations that are no objects, by the reason.
    """

    images: dict[str, int]
    counts: np.ndarray
    sizes: np.ndarray
    sides: np.ndarray
    classes: dict[str, int]
    looked_at: tuple[LookedAt, ...] = ()
    problems: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()
    dropped: Mapping[DropReason, int] = field(default_factory=dict)

    @property
    def used_classes(self) -> int:
        """Number of classes with at least one object."""
        return sum(count > 0 for count in self.classes.values())

    @property
    def bad(self) -> int:
        """Number of images that cannot be used."""
        return len(self.problems)

    def accounts(self, size: tuple[int, int]) -> list[Account]:
        """Return what of the images looked at will be used when the network's size is `size` (H, W)."""
        return [split.account(size) for split in self.looked_at]


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
    looked_at: list[LookedAt] = []
    images: dict[str, int] = {}
    tally = _Tally()
    notes: dict[str, None] = {}
    pictures: dict[str, list[Place]] = {}
    for split in dataset.splits:
        seen = LookedAt(split)
        reader = _open(dataset, root, seen, {line for earlier in looked_at for line in earlier.left_out})
        notes.update(dict.fromkeys(notes_of(reader)))
        pictures[split] = places_of(reader)
        # what init writes if a file is lacking
        reader = compared(reader, dataset.model_copy(update={"skip_bad": True}), root, split)
        found = len(reader.image_ids) + len(seen.left_out)
        before = len(tally.counts)
        for image_id in some(reader.image_ids):
            try:
                sample = reader.read(image_id)
            except BadSampleError as error:
                seen.left_out.append(str(error))
            else:
                tally.add(sample, reader.class_names)
                seen.add(sample)
        if len(tally.counts) == before:
            lines = [line for one in (*looked_at, seen) for line in one.left_out]
            why = f": {lines[-1]}" if lines else ""
            raise UserError(f"{root}: none of the {found} images of {split} can be used{why}")
        images[split] = found - len(seen.left_out)
        looked_at.append(seen)
        for class_name in reader.class_names:
            tally.classes.setdefault(class_name, 0)
    return Findings(
        images=images,
        counts=np.array(tally.counts),
        sizes=np.array(tally.sizes),
        sides=np.array(tally.sides),
        classes=dict(tally.classes),
        looked_at=tuple(looked_at),
        problems=tuple(line for seen in looked_at for line in seen.left_out),
        oddities=(
            *notes,
            *_oddities(tally),
            *frame_note(dataset, tally.assumed, title),
            *annotation_oddities(dataset, root),
            *repeated_pictures(pictures),
        ),
        dropped=dict(tally.dropped),
    )


def _open(dataset: AnyDataset, root: Path, seen: LookedAt, known: set[str]) -> SampleReader:
    """Return the reader of a split, after noting the images that lack a file.

    Splits that share a folder lack the same files: what is `known` from an earlier split is not noted again.
    """
    lost: list[str] = []
    reader = open_split(dataset, root, seen.split, lambda _, message: lost.append(message))
    seen.left_out.extend(line for line in lost if line not in known)
    return reader


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
