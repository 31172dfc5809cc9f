"""The ground truth of plants in the CVPPP folder layout."""

import re
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from rsis.config.datasets import CvpppSplit
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth, TrueObject, once_an_image
from rsis.eval.truths.images import read_image
from rsis.masks import encode_labels


class CvpppTruth(GroundTruth):
    """A folder of pictures `<id>_rgb.png` and instance maps `<id>_label.png`; all objects have class "leaf".

    Images are sorted by name; numbers in a name are compared as numbers.

    Args:
        root: Folder of the raw data.
        split: The folder, and the positions to take.

    Raises:
        UserError: The folder is missing or has no image at these positions. The methods raise it for a file that is
            missing, damaged or not of its format.
    """

    def __init__(self, root: Path, split: CvpppSplit) -> None:
        self._folder = root / split.folder
        if not self._folder.is_dir():
            raise UserError(f"{self._folder}: no such folder; run `rsis download DATASET`, or correct params.yaml")
        names = (path.name.removesuffix("_rgb.png") for path in self._folder.glob("*_rgb.png"))
        ids = sorted((name for name in names if not name.startswith(".")), key=_by_number)
        first, last = split.take or (0, len(ids))
        if not first < last <= len(ids):
            raise UserError(
                f"{self._folder}: has {len(ids)} images *_rgb.png; expected some, at positions {first} to {last - 1}; "
                "complete the folder, or correct the split's folder and take in params.yaml"
            )
        super().__init__(ids[first:last], ["leaf"])

    def image_path(self, image_id: str) -> Path:
        """Return the path of `<id>_rgb.png`."""
        return self._folder / f"{image_id}_rgb.png"

    @once_an_image
    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the palette indices or grey values of `<id>_label.png`."""
        path = self._folder / f"{image_id}_label.png"
        remedy = "restore it from the original data, or take the image out of the folder"
        image = read_image(path, remedy)
        if image.mode not in ("P", "L", "1", "I", "I;16"):
            found = f"has pixels of mode {image.mode}"
            raise UserError(f"{path}: {found}; expected one label a pixel, palette or grey; {remedy}")
        return np.asarray(image).astype(np.int32)

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects in rising order of their labels; there are no crowd regions."""
        instance_map = self.instance_map(image_id)
        rles = encode_labels(instance_map).values()
        return tuple(TrueObject(rle, 1, float(coco_mask.area(rle)), iscrowd=False) for rle in rles)


def _by_number(name: str) -> list[str | int]:
    """Return a sort key that puts plant2 before plant10: text and numbers alternate."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split("([0-9]+)", name))]
