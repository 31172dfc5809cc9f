"""The recurrence of the pointer decoder: a ConvLSTM on the grid that sees the canvas, and where it points."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from rsis.model.pointer.canvas import CHANNELS, Canvas
from rsis.model.pointer.pyramid import Features


@dataclass(frozen=True)
class Memory:
    """The ConvLSTM's state.

    Attributes:
        hidden: float [B, D, h, w].
        cell: float [B, D, h, w].
    """

    hidden: torch.Tensor
    cell: torch.Tensor


@dataclass(frozen=True)
class Drive:
    """What the features contribute to every step alike, computed once.

    Attributes:
        gates: float [B, 4D, h, w].
        keys: float [B, D, h, w].
    """

    gates: torch.Tensor
    keys: torch.Tensor


@dataclass(frozen=True)
class Glance:
    """One step's view of the grid, before it is decided which cell the step points at.

    Attributes:
        memory: After the step.
        keys: float [B, D, h, w], what the cells offer.
        logits: float32 [B, h * w], for each cell whether an object should be taken there.
        maxima: float32 [B, 2D], the largest values of the hidden state and of the keys over the grid.
    """

    memory: Memory
    keys: torch.Tensor
    logits: torch.Tensor
    maxima: torch.Tensor

    def at(self, cells: torch.Tensor) -> torch.Tensor:
        """Return float32 [B, 2D], keys and hidden state at a cell of each image, int64 [B]."""
        return torch.cat([pick(values, cells[:, None])[:, 0] for values in (self.keys, self.memory.hidden)], dim=1)


class Recurrence(nn.Module):
    """ConvLSTM over [features, coordinates, canvas], without peepholes, and a map of pointing logits.

    Args:
        input_width: Channels of the features and their coordinates.
        feature_width: Channels of the features alone.
        hidden_width: D.
    """

    def __init__(self, input_width: int, feature_width: int, hidden_width: int) -> None:
        super().__init__()
        self.hidden_width = hidden_width
        self.inputs = nn.Conv2d(input_width, 4 * hidden_width, 3, padding=1)
        self.recurrent = nn.Conv2d(hidden_width + CHANNELS, 4 * hidden_width, 3, padding=1, bias=False)
        self.keys = nn.Conv2d(hidden_width, hidden_width, 3, padding=1)
        self.feature_keys = nn.Conv2d(feature_width, hidden_width, 1)
        self.pointing = nn.Conv2d(hidden_width, 1, 1)
        nn.init.normal_(self.pointing.weight, std=0.05)
        assert self.pointing.bias is not None
        nn.init.constant_(self.pointing.bias, -3.0)  # few cells are right

    def drive(self, features: Features) -> Drive:
        """Return what the features contribute to every step."""
        places = features.coordinates.expand(len(features.grid), -1, -1, -1).to(features.grid.dtype)
        gates = self.inputs(torch.cat([features.grid, places], dim=1))
        return Drive(gates, self.feature_keys(features.grid))

    def forward(self, drive: Drive, canvas: Canvas, memory: Memory | None) -> Glance:
        """Run one step; a memory of None is all zero."""
        if memory is None:
            zeros = torch.zeros_like(drive.keys)
            memory = Memory(zeros, zeros.float())
        seen = torch.cat([memory.hidden, canvas.channels().to(memory.hidden.dtype)], dim=1)
        gates = drive.gates + self.recurrent(seen.contiguous(memory_format=torch.channels_last))
        if torch.is_grad_enabled():
            hidden, cell = _Gates.apply(gates, memory.cell)
        else:
            hidden, cell = lstm(gates, memory.cell)
        keys = F.relu(self.keys(hidden) + drive.keys)
        logits = self.pointing(keys).float().flatten(1)  # [B, h * w]
        maxima = torch.cat([values.float().amax(dim=(2, 3)) for values in (hidden, keys)], dim=1)
        return Glance(Memory(hidden, cell), keys, logits, maxima)


def pick(values: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """Return float32 [B, T, C], the values [B, C, h, w] at cells, int64 [B, T]."""
    index = cells[:, None].expand(-1, values.shape[1], -1)
    return values.flatten(2).gather(2, index).transpose(1, 2).float()


def lstm(gates: torch.Tensor, cell: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the hidden and the cell state after a step, from gates i, f, o, g [B, 4D, h, w] and the cell before."""
    i, f, o, g = gates.float().chunk(4, dim=1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return (torch.sigmoid(o) * torch.tanh(cell)).to(gates.dtype), cell


class _Gates(torch.autograd.Function):
    """`lstm` with a backward pass of its own: it keeps three tensors instead of ten."""

    @staticmethod
    def forward(ctx: Any, gates: torch.Tensor, cell: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        width = cell.shape[1]
        active = gates.float().contiguous()  # float32 of its own: sigmoid and tanh in place
        if active.data_ptr() == gates.data_ptr():
            active = active.clone()
        active[:, : 3 * width].sigmoid_()
        active[:, 3 * width :].tanh_()
        i, f, o, g = active.chunk(4, dim=1)
        after = (f * cell).addcmul_(i, g)
        squashed = after.tanh()
        ctx.save_for_backward(active, cell, squashed)
        ctx.dtype = gates.dtype
        return (o * squashed).to(gates.dtype), after

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_hidden: torch.Tensor, grad_cell: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        active, cell, squashed = ctx.saved_tensors
        width = cell.shape[1]
        i, f, o, g = active.chunk(4, dim=1)
        grad_hidden = grad_hidden.float()
        inner = (grad_hidden * o) * (1 - squashed * squashed)
        if grad_cell is not None:
            inner = inner + grad_cell
        grad = torch.cat([inner * g, inner * cell, grad_hidden * squashed, inner * i], dim=1)
        grad[:, : 3 * width] *= active[:, : 3 * width] * (1 - active[:, : 3 * width])
        grad[:, 3 * width :] *= 1 - g * g
        return grad.to(ctx.dtype).contiguous(memory_format=torch.channels_last), inner * f
