"""The mask head: a small network over the pixel embedding whose weights each step emits."""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from rsis.model.pointer.pyramid import GRID_STRIDE

_PLACES = 3  # channels relative to the object: rows, columns, a Gaussian about its centre
_REACH = 3.0  # radii beyond which relative coordinates stay the same
_FARTHEST = 4.0  # cells that a centre may lie from the cell that points at it


@dataclass(frozen=True)
class Geometry:
    """Where objects are and how large.

    Attributes:
        centres: float [M, 2], row and column in pixels of the image.
        radii: float [M], pixels: of the circle of the same area.
    """

    centres: torch.Tensor
    radii: torch.Tensor


class MaskHead(nn.Module):
    """Three 1 x 1 convolutions with ReLU, (C + 3) -> C -> C -> 1, and a disc as the prior.

    The three channels beside the embedding are (y - cy) / r and (x - cx) / r, both clamped to -3..3, and the Gaussian
    exp(-(distance / r)^2 / 2). The prior a * Gaussian + b, with two learned numbers, makes the first masks of a
    training discs at the right place.

    Args:
        embedding_width: C.

    Attributes:
        query_width: Q, numbers that a step emits: the weights, then the centre's offset from the cell in cells (row,
            column) and log(radius / 8 pixels).
    """

    def __init__(self, embedding_width: int) -> None:
        super().__init__()
        c = embedding_width
        self.widths = ((c + _PLACES, c), (c, c), (c, 1))
        self.num_weights = sum(inputs * outputs + outputs for inputs, outputs in self.widths)
        self.query_width = self.num_weights + 3
        self.prior = nn.Parameter(torch.tensor([12.0, -7.5]))

    def initial_query(self) -> torch.Tensor:
        """Return float [Q], what an untrained step should emit: random weights of the usual scale, a centred disc."""
        parts = []
        for (inputs, outputs), scale in zip(self.widths, (math.sqrt(2), math.sqrt(2), 0.3), strict=True):
            spread = scale if outputs == 1 else scale / math.sqrt(inputs)
            parts += [torch.randn(inputs * outputs) * spread, torch.zeros(outputs)]
        return torch.cat([*parts, torch.zeros(3)])

    def geometry(self, queries: torch.Tensor, cells: torch.Tensor, columns: int) -> Geometry:
        """Return where the objects of queries are.

        Args:
            queries: float [M, Q].
            cells: int64 [M], the cell that each points at, row * columns + column.
            columns: w, of the grid.
        """
        offsets, log_radii = queries[:, -3:-1].clamp(-_FARTHEST, _FARTHEST), queries[:, -1].clamp(-2, 3)
        places = torch.stack([cells // columns, cells % columns], dim=1) + 0.5
        return Geometry((places + offsets) * GRID_STRIDE, GRID_STRIDE * log_radii.exp())

    def forward(self, embedding: torch.Tensor, queries: torch.Tensor, geometry: Geometry, stride: int) -> torch.Tensor:
        """Return the logits [M, h', w'] of masks.

        Args:
            embedding: float [M, C, h', w'], of the image of each query.
            queries: float [M, Q].
            geometry: Of the queries.
            stride: Pixels of the image to one of the embedding.
        """
        count, width, height, columns = embedding.shape
        down, across = (
            (torch.arange(length, device=queries.device) + 0.5) * stride - geometry.centres[:, axis, None]
            for axis, length in ((0, height), (1, columns))
        )
        down, across = down / geometry.radii[:, None], across / geometry.radii[:, None]  # [M, h'], [M, w']
        disc = torch.exp(-(down**2) / 2)[:, :, None] * torch.exp(-(across**2) / 2)[:, None, :]  # [M, h', w']
        rows = down.clamp(-_REACH, _REACH)[:, :, None].expand_as(disc)
        places = torch.stack([rows, across.clamp(-_REACH, _REACH)[:, None, :].expand_as(disc), disc], dim=1)
        values = embedding.flatten(2)
        first = 0
        for number, (inputs, outputs) in enumerate(self.widths):
            weights = queries[:, first : first + inputs * outputs].view(count, outputs, inputs).to(values.dtype)
            first += inputs * outputs
            bias = queries[:, first : first + outputs, None].to(values.dtype)
            first += outputs
            if number == 0:  # in two parts: the embedding is not copied beside the places
                bias = torch.baddbmm(bias, weights[..., width:], places.flatten(2).to(values.dtype))
            values = torch.baddbmm(bias, weights[..., :width], values)
            if number < len(self.widths) - 1:
                values = F.relu(values, inplace=True)
        logits = values.view(count, height, columns).float()
        return logits + self.prior[0] * disc + self.prior[1]
