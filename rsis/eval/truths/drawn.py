"""What is common to truths whose objects are outlines and masks that may overlap.

They are drawn in the frame that the annotation has, and then turned as the picture is shown.
"""

from typing import Literal

import numpy as np
from pycocotools import mask as coco_mask

from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.images import PictureFrame, as_shown
from rsis.masks import RLE, decode_rle, encode_rle


class DrawnTruth(GroundTruth):
    """A truth whose instance maps are drawn from its objects."""

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], objects numbered from 1 in the order of `annotations`, without crowd regions.

        Where objects overlap, the pixels belong to the smaller object; of two objects with equal areas, to the
        earlier one.
        """
        objects = [item.rle for item in self.annotations(image_id) if not item.iscrowd]
        areas = [int(coco_mask.area(rle)) for rle in objects]
        instance_map = np.zeros(self.size(image_id), np.int32)
        for number in sorted(range(len(objects)), key=lambda i: (areas[i], i), reverse=True):
            instance_map[decode_rle(objects[number])] = number + 1
        return instance_map


def drawing_frame(
    frame: PictureFrame, written: tuple[int, int] | None, annotated: Literal["upright", "stored"]
) -> tuple[tuple[int, int], int]:
    """Return the (H, W) that an annotation has, and the EXIF orientation by which it must be turned.

    Args:
        frame: That of the picture.
        written: The (H, W) that the annotation file says; None if it says none.
        annotated: The frame of an annotation whose size fits both, or is unknown.

    Returns:
        The size, and 1 for the orientation where the annotation lies as the picture is shown.
    """
    size = written or (frame.stored if annotated == "stored" else frame.shown)
    return size, frame.orientation if frame.lies_as_stored(size, annotated) else 1


def turned(rle: RLE, orientation: int) -> RLE:
    """Return a mask of the stored frame as it lies on the picture that is shown."""
    return rle if orientation == 1 else encode_rle(as_shown(decode_rle(rle), orientation))
