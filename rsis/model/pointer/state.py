"""Where a sequence of the pointer decoder stands between two steps, and what its steps emitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch

from rsis.model.pointer.canvas import Canvas
from rsis.model.pointer.pyramid import Features
from rsis.model.pointer.recurrence import Drive, Memory


@dataclass(frozen=True)
class PointerState:
    """Where a sequence stands between two steps.

    Attributes:
        features: Of the images.
        drive: What the features contribute to every step.
        canvas: What has been emitted.
        memory: The recurrence's; None before the first step.
    """

    features: Features
    drive: Drive
    canvas: Canvas
    memory: Memory | None

    def of(self, images: torch.Tensor) -> PointerState:
        """Return the state of some images, int64 [M], in this order."""
        memory = None if self.memory is None else Memory(*_rows(self.memory, images))
        canvas, drive = Canvas(*_rows(self.canvas, images)), Drive(*_rows(self.drive, images))
        return PointerState(self.features.of(images), drive, canvas, memory)


@dataclass(frozen=True)
class Emissions:
    """What T steps emitted for each image, but for the masks, which `PointerNetwork.masks` makes of the queries.

    Attributes:
        cells: int64 [B, T], where each step pointed, row * w + column.
        pointing_logits: float [B, T], of that cell.
        queries: float [B, T, Q], see `MaskHead`.
        class_logits: float [B, T, K].
        objectness_logits: float [B, T].
    """

    cells: torch.Tensor
    pointing_logits: torch.Tensor
    queries: torch.Tensor
    class_logits: torch.Tensor
    objectness_logits: torch.Tensor

    def of(self, image: int) -> Emissions:
        """Return those of one image, with B = 1."""
        return Emissions(*_rows(self, slice(image, image + 1)))


def _rows(whole: Canvas | Drive | Memory | Emissions, images: torch.Tensor | slice) -> Iterator[torch.Tensor]:
    """Yield each of the tensors for these images alone."""
    return (getattr(whole, field.name)[images] for field in fields(whole))
