"""Reader of the CVPPP leaf segmentation layout: one folder, two PNG files per plant.

    plant001_rgb.png    the picture, RGBA or RGB
    plant001_label.png  palette PNG whose indices are the leaves: 0 = background, above 0 = one leaf each

Plain 8-bit and 16-bit grey labels are read as well. Labels that skip numbers are renumbered 1..N.
`plantNNN_fg.png`, `plantNNN_centers.png` and `A1.csv` follow from the labels and are not read.

The challenge's testing folders have no labels, which a split says by `labels: false`.
"""

import csv
import re
from pathlib import Path

import numpy as np

from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.images import one_class_sample, read_image, to_rgb
from rsis.errors import UserError
from rsis.structures import RawSample


class CvpppReader:
    """Plants of one folder; image_id is the file name before "_rgb.png".

    Attributes:
        class_names: ("leaf",).
        image_ids: Sorted by name, with numbers compared as numbers.

    Args:
        folder: Holds the PNG files.
        take: First and one past the last position to take, in sorted order; None for all.
        labels: False reads pictures alone, as images without objects.
        on_missing: Told of each file of a plant that is not there; by default it raises.

    Raises:
        UserError: The folder is missing or holds no plants, a picture lacks its label or the reverse, or
            `take` reaches past the last plant or takes none.
    """

    class_names: tuple[str, ...] = ("leaf",)

    def __init__(
        self, folder: Path, take: tuple[int, int] | None = None, *, labels: bool = True, on_missing: OnMissing = refuse
    ) -> None:
        self.folder, self.labelled = folder, labels
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; it was to hold plantNNN_rgb.png and plantNNN_label.png")
        pictures = _stems(folder, "_rgb.png")
        unpaired = pictures ^ _stems(folder, "_label.png") if labels else set()
        for stem in sorted(unpaired, key=_natural):
            there, lacking = ("rgb", "label") if stem in pictures else ("label", "rgb")
            message = f"{folder / stem}_{there}.png: {stem}_{lacking}.png is missing beside it; add that or remove this"
            on_missing(folder / f"{stem}_{lacking}.png", message)
        plants = sorted(pictures | unpaired, key=_natural)  # so that the others keep their positions
        if not plants:
            raise UserError(f"{folder}: no plantNNN_rgb.png in it; expected at least one plant; put the data there")
        first, last = take or (0, len(plants))
        if first >= last or last > len(plants):
            message = (
                f"{folder}: has {len(plants)} plants, cannot take [{first}, {last}]; "
                f"give take two rising numbers within 0..{len(plants)}"
            )
            on_missing(folder, message)
        self.image_ids: tuple[str, ...] = tuple(stem for stem in plants[first:last] if stem not in unpaired)

    def read(self, image_id: str) -> RawSample:
        """Read one plant; every leaf has class 1 and nothing is ignored.

        Raises:
            BadSampleError: A file is damaged, the label is a colour image, or the sizes differ.
        """
        picture_path = self.folder / f"{image_id}_rgb.png"
        image = to_rgb(read_image(picture_path), picture_path)
        indices = self._read_indices(image_id, image) if self.labelled else np.zeros(image.shape[:2], np.uint8)
        return one_class_sample(image, indices, image_id)

    def check(self, plants: int) -> None:
        """Read everything and check that it is the whole official folder, untouched.

        Args:
            plants: How many it must have (128 in A1's training folder).

        Raises:
            UserError: There are more or fewer plants, labels of a plant are not 1..N consecutive, or
                `<folder>.csv` (A1.csv) is there and counts other leaves or lacks a plant.
            BadSampleError: As `read`.
        """
        if len(self.image_ids) != plants:
            raise UserError(
                f"{self.folder}: has {len(self.image_ids)} plants, expected {plants}; restore the original folder, "
                "or correct plants in params.yaml"
            )
        counted = _read_counts(self.folder / f"{self.folder.name}.csv") if self.labelled else None
        for image_id in self.image_ids:
            picture_path = self.folder / f"{image_id}_rgb.png"
            image = to_rgb(read_image(picture_path), picture_path)
            if not self.labelled:
                continue
            found = np.unique(self._read_indices(image_id, image))
            leaves = found[found > 0]
            for expected, label in enumerate(leaves, start=1):
                if label != expected:
                    raise UserError(
                        f"{self.folder / image_id}_label.png: labels are not consecutive, {expected} is missing before "
                        f"{label}; restore the original file"
                    )
            if counted is not None and counted.get(image_id) != len(leaves):
                raise UserError(
                    f"{self.folder / image_id}_label.png: has {len(leaves)} leaves, {self.folder.name}.csv says "
                    f"{counted.get(image_id, 'nothing of it')}; restore the original files"
                )

    def _read_indices(self, image_id: str, image: np.ndarray) -> np.ndarray:
        """Return the label image's numbers [H, W], as they are in the file."""
        label_path = self.folder / f"{image_id}_label.png"
        label = read_image(label_path)
        if label.mode not in ("P", "L", "I") and not label.mode.startswith("I;16"):
            raise BadSampleError(
                f"{label_path}: a label of mode {label.mode}, expected a palette or grey image of leaf numbers; "
                "restore the original file"
            )
        indices = np.asarray(label)  # never converted: the palette's colours mean nothing
        if indices.shape != image.shape[:2]:
            raise BadSampleError(
                f"{label_path}: {indices.shape[0]} x {indices.shape[1]} pixels, its picture has "
                f"{image.shape[0]} x {image.shape[1]}; restore the matching pair"
            )
        return indices


def _read_counts(path: Path) -> dict[str, int] | None:
    """Return the leaves of each plant by the organisers' list, lines "plant001_rgb.png,7"; None without it."""
    if not path.is_file():
        return None
    counts = {}
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        for number, row in enumerate(csv.reader(file, skipinitialspace=True), start=1):
            if not row:
                continue
            if len(row) < 2 or not row[1].strip().isdecimal():
                if number == 1:
                    continue  # a heading
                raise UserError(f"{path}: line {number}, expected a file name and a number; restore the original file")
            counts[row[0].strip().removesuffix(".png").removesuffix("_rgb").removesuffix("_label")] = int(row[1])
    return counts


def _stems(folder: Path, suffix: str) -> set[str]:
    names = (path.name for path in folder.glob(f"*{suffix}"))
    return {name.removesuffix(suffix) for name in names if not name.startswith(".")}


def _natural(name: str) -> list[str | int]:
    """Sort key that puts plant2 before plant10: text and numbers in turn."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]
