"""Mask R-CNN small enough for tests, and pictures of discs and squares to learn by heart."""

import numpy as np
import pytest
import torch

from rsis.config.runs import ModelSection
from rsis.structures import Batch

SECTION = ModelSection(backbone="resnet18", peer="mask_rcnn")


def with_few_proposals(monkeypatch: pytest.MonkeyPatch, count: int = 16) -> None:
    """Train on so many proposals of an image, not on the network's 128, which take most of a step's time."""
    monkeypatch.setattr("rsis.model.peers.mask_rcnn._JUDGED", count)


def drawn_batch(count: int = 4, size: int = 64) -> Batch:
    """Return pictures with two discs (class 1) and a square (class 2) each, on a dark ground."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:size, :size]
    images = np.full((count, 3, size, size), 20, np.uint8)
    masks = np.zeros((count, 3, size, size), bool)
    for picture in range(count):
        centres = np.array([(16, 16), (16, 46), (46, 30)]) + rng.integers(-4, 5, (3, 2))
        for number, (row, column) in enumerate(centres):
            down, across = np.abs(rows - row), np.abs(columns - column)
            near = down**2 + across**2 <= 81 if number < 2 else np.maximum(down, across) <= 8
            masks[picture, number] = near
            images[picture, :, near] = rng.integers(120, 250, 3)
    classes = torch.tensor([1, 1, 2]).repeat(count, 1)
    valid = torch.ones(count, size, size, dtype=torch.bool)
    return Batch(torch.from_numpy(images), torch.from_numpy(masks), classes, torch.full((count,), 3), valid)
