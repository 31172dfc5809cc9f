"""Pictures of known objects, for tests of annotation tools' formats: outlines with whole corners, and their masks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (48, 64)
CLASSES = ("dividing cell", "cell")  # not in the order of the alphabet
Objects = list[tuple[str, np.ndarray]]
"""The class and the mask, bool [H, W], of each object."""


@dataclass(frozen=True)
class Outline:
    """An object: its class, its corners (x, y), and its pixels."""

    class_name: str
    corners: tuple[tuple[int, int], ...]
    mask: np.ndarray

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom."""
        x, y = zip(*self.corners, strict=True)
        return min(x), min(y), max(x), max(y)


def outlines(number: int) -> list[Outline]:
    """Return the objects of a picture: four L-shapes and rectangles that do not touch, of two classes in turn."""
    random = np.random.default_rng(number)
    found = []
    for k, (row, column) in enumerate(((2, 3), (2, 34), (26, 3), (26, 34))):
        top, left = row + int(random.integers(0, 5)), column + int(random.integers(0, 6))
        high, wide = int(random.integers(9, 15)), int(random.integers(9, 20))
        mask = np.zeros(SIZE, bool)
        mask[top : top + high, left : left + wide] = True
        bottom, right = top + high, left + wide
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        if k % 2 == 0:  # an L: without its lower right quarter
            y, x = top + high // 2, left + wide // 2
            mask[y:bottom, x:right] = False
            corners = [(left, top), (right, top), (right, y), (x, y), (x, bottom), (left, bottom)]
        found.append(Outline(CLASSES[(number + k // 2) % 2], tuple(corners), mask))
    return found


def objects_of(number: int, class_name: str | None = None) -> Objects:
    """Return class and mask of each object of a picture; of one class if `class_name` is given."""
    return [(class_name or item.class_name, item.mask) for item in outlines(number)]


def instance_map(number: int) -> np.ndarray:
    """Return the instance map of a picture, int32 [H, W], numbered from 1."""
    labels = np.zeros(SIZE, np.int32)
    for k, item in enumerate(outlines(number)):
        labels[item.mask] = k + 1
    return labels


def write_picture(path: Path, number: int) -> str:
    """Write the picture, bright objects on dark noise, and return its name without the type."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1000 + number).integers(0, 60, (*SIZE, 3))
    Image.fromarray((noise + 150 * (instance_map(number) > 0)[..., None]).astype(np.uint8)).save(path)
    return path.stem
