"""Data sets of annotation tools for the tests of their truths: pictures, and the pixels that are expected."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from rsis.config.datasets import ExportDataset
from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import decode_rle

SIZE = (6, 8)  # (H, W) of the pictures


def export(tool: str, annotations: str = "annotations", **keys: Any) -> ExportDataset:
    """Return a data set of a tool's `annotations` and the folder images/, with one split, test."""
    split = {"annotations": annotations, "images": "images", **keys.pop("split", {})}
    source = {"kind": "folder", "path": "unused"}
    return ExportDataset.model_validate(
        {"format": tool, "source": source, "size": (8, 8), "splits": {"test": split}, **keys}
    )


def load(root: Path, tool: str, annotations: str = "annotations", **keys: Any) -> GroundTruth:
    return load_ground_truth(export(tool, annotations, **keys), root, "test")


def draw_pictures(root: Path, *names: str, size: tuple[int, int] = SIZE, orientation: int = 1) -> None:
    """Write grey pictures below images/; `size` is that of the pixels in the file."""
    for name in names:
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", size[::-1], (90, 90, 90)).save(path, exif=exif)


def block(rows: tuple[int, int], columns: tuple[int, int], size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return bool [H, W], true from the first up to before the second row and column."""
    mask = np.zeros(size, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def filled(points: list[tuple[float, float]], size: tuple[int, int]) -> np.ndarray:
    """Return bool [H, W], the pixels of a polygon as COCO's own code draws them."""
    flat = [float(value) for point in points for value in point]
    return np.asarray(coco_mask.decode(coco_mask.frPyObjects([flat], *size)))[..., 0] > 0


def around(cx: float, cy: float, rx: float, ry: float, degrees: float = 0.0) -> list[tuple[float, float]]:
    """Return the 72 points of an ellipse that is turned clockwise as seen on the screen."""
    turn = complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
    points = [complex(rx * math.cos(t), ry * math.sin(t)) for t in (2 * math.pi * k / 72 for k in range(72))]
    return [(cx + (point * turn).real, cy + (point * turn).imag) for point in points]


def objects_of(truth: GroundTruth, image_id: str) -> list[tuple[str, list[list[int]]]]:
    """Return the class and the pixels, as [row, column], of each object."""
    names = truth.class_names
    found = truth.annotations(image_id)
    for item in found:
        assert not item.iscrowd
        assert item.area == decode_rle(item.rle).sum()
    return [(names[item.class_id - 1], np.argwhere(decode_rle(item.rle)).tolist()) for item in found]


def expected(*objects: tuple[str, np.ndarray]) -> list[tuple[str, list[list[int]]]]:
    """Return classes and masks in the form of `objects_of`."""
    return [(name, np.argwhere(mask).tolist()) for name, mask in objects]
