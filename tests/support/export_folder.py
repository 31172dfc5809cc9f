"""A user's folder of annotation tools: pictures, a reader of it, and the masks that shapes are drawn as."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from rsis.config.datasets import ExportDataset
from rsis.data.readers.base import OnMissing, refuse
from rsis.data.readers.open import open_split
from rsis.data.readers.outline_reader import OutlineReader
from rsis.structures import RawSample

SIZE = (12, 16)


def export_dataset(kind: str, annotations: str, images: str = "images", **keys: Any) -> ExportDataset:
    """Return a data set with one split, train, of the classes cat and dog."""
    split = {"annotations": annotations, "images": images}
    source = {"kind": "folder", "path": "unused"}
    content = {
        "format": kind,
        "source": source,
        "size": (32, 32),
        "splits": {"train": split},
        "classes": ("cat", "dog"),
    }
    return ExportDataset.model_validate({**content, **keys})


def open_export(root: Path, *arguments: str, on_missing: OnMissing = refuse, **keys: Any) -> OutlineReader:
    """Return the reader of `export_dataset`."""
    reader = open_split(export_dataset(*arguments, **keys), root, "train", on_missing)
    assert isinstance(reader, OutlineReader)
    return reader


def write_picture(path: Path, size: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (10, 20, 30)).save(path)
    return path


def box(left: int, top: int, right: int, bottom: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return bool [H, W] of a rectangle between pixels' corners."""
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def corners(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def round_mask(
    x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0, size: tuple[int, int] = SIZE
) -> np.ndarray:
    """Return bool [H, W] of an ellipse of 72 corners, turned clockwise."""
    turn = math.radians(degrees)
    ring: list[float] = []
    for k in range(72):
        across, down = radius_x * math.cos(2 * math.pi * k / 72), radius_y * math.sin(2 * math.pi * k / 72)
        ring.append(x + across * math.cos(turn) - down * math.sin(turn))
        ring.append(y + across * math.sin(turn) + down * math.cos(turn))
    return np.asarray(coco_mask.decode(coco_mask.frPyObjects([ring], *size))[..., 0] > 0)


def check_objects(sample: RawSample, *expected: tuple[np.ndarray, int]) -> None:
    """Check the masks and the classes of objects that do not overlap."""
    assert sample.class_ids.tolist() == [class_id for _, class_id in expected]
    painted = np.zeros(sample.instance_map.shape, np.int32)
    for number, (mask, _) in enumerate(expected, start=1):
        painted[mask] = number
    np.testing.assert_array_equal(sample.instance_map, painted)


class Lost:
    """An `on_missing` that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def __call__(self, path: Path, message: str) -> None:
        assert message.count("\n") == 0
        self.messages.append(message)


def flat(points: Sequence[Sequence[float]]) -> list[float]:
    return [number for point in points for number in point]
