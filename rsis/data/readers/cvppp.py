"""Reader of the CVPPP leaf segmentation layout: one folder, two PNG files per plant.

    plant001_rgb.png    the picture, RGBA or RGB
    plant001_label.png  the instance map, a palette PNG: index 0 = background, each index above 0 = one leaf

Instance maps in 8-bit or 16-bit grey are read as well. Maps that skip numbers are renumbered 1..N.
`plantNNN_fg.png` and `plantNNN_centers.png` contain nothing new and are not read; `A1.csv` is only read by `check`.

The challenge's testing folders have no instance maps; their splits have `labels: false`.
"""

import csv
import re
from pathlib import Path

import numpy as np

from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.images import one_class_sample, read_image
from rsis.data.readers.pictures import Picture, read_picture
from rsis.errors import UserError
from rsis.structures import RawSample


class CvpppReader:
    """Reader of the plants of one folder; an image id is the file name before "_rgb.png".

    Attributes:
        class_names: ("leaf",).
        image_ids: Sorted by name; numbers in a name are compared as numbers.

    Args:
        folder: Folder of the PNG files.
        take: (first, last) positions of the plants to read, in sorted order; `last` is excluded. None for all.
        labels: False when the folder has no instance maps; its images have no objects then.
        on_missing: Called for each missing file of a plant; the default raises.

    Raises:
        UserError: The folder is missing or has no plants, a picture has no instance map, an instance map has no
            picture, or `take` goes beyond the last plant or selects none.
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
            present, missing = ("rgb", "label") if stem in pictures else ("label", "rgb")
            message = (
                f"{folder / stem}_{present}.png: {stem}_{missing}.png is missing beside it; add that or remove this"
            )
            on_missing(folder / f"{stem}_{missing}.png", message)
        plants = sorted(pictures | unpaired, key=_natural)  # unpaired ones count, so that `take` keeps its meaning
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
        """Read one plant; every leaf has class 1 and no pixel is ignored.

        Raises:
            BadSampleError: A file is damaged, the instance map is a colour image, or the sizes differ.
        """
        picture_path = self.folder / f"{image_id}_rgb.png"
        picture = read_picture(picture_path)
        indices = self._read_indices(image_id, picture) if self.labelled else np.zeros(picture.size, np.uint8)
        image, assumed = picture.as_annotated(indices.shape), self.labelled and picture.is_assumed(indices.shape)
        return one_class_sample(image, indices, image_id, frame_is_assumed=assumed)

    def check(self, plants: int) -> None:
        """Read all files and check that the folder is the official one, complete and unchanged.

        Args:
            plants: Expected number of plants (128 in A1's training folder).

        Raises:
            UserError: The number of plants differs, the labels of a plant are not 1..N consecutive, or
                `<folder>.csv` (A1.csv) exists and has another number of leaves for a plant or lacks the plant.
            BadSampleError: A file is broken, as in `read`.
        """
        if len(self.image_ids) != plants:
            raise UserError(
                f"{self.folder}: has {len(self.image_ids)} plants, expected {plants}; restore the original folder, "
                "or correct plants in params.yaml"
            )
        counted = _read_counts(self.folder / f"{self.folder.name}.csv") if self.labelled else None
        for image_id in self.image_ids:
            picture_path = self.folder / f"{image_id}_rgb.png"
            picture = read_picture(picture_path)
            if not self.labelled:
                continue
            labels = np.unique(self._read_indices(image_id, picture))
            leaves = labels[labels > 0]
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

    def _read_indices(self, image_id: str, picture: Picture) -> np.ndarray:
        """Return the values of the label image, integer [H, W], as stored in the file."""
        label_path = self.folder / f"{image_id}_label.png"
        label = read_image(label_path)
        if label.mode not in ("P", "L", "I") and not label.mode.startswith("I;16"):
            raise BadSampleError(
                f"{label_path}: a label of mode {label.mode}, expected a palette or grey image of leaf numbers; "
                "restore the original file"
            )
        indices = np.asarray(label)  # not converted: the indices matter, not the palette's colours
        if picture.frame_of(indices.shape) is None:
            raise BadSampleError(
                f"{label_path}: {indices.shape[0]} x {indices.shape[1]} pixels, its picture has "
                f"{picture.size[0]} x {picture.size[1]}; restore the matching pair"
            )
        return indices


def _read_counts(path: Path) -> dict[str, int] | None:
    """Return each plant's number of leaves, from the organisers' lines "plant001_rgb.png,7"; None without a file."""
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
    """Return a sort key that puts plant2 before plant10: text and numbers alternate."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]
