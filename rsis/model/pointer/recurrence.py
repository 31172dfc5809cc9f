"""The recurrence of the pointer decoder: a ConvLSTM on the grid that sees the canvas, and where it points."""

from dataclasses import dataclass

import torch
from torch import nn
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
class Gated:
    """One step of a ConvLSTM, with what its gradients are made of.

    Attributes:
        hidden: float [B, D, h, w], after the step.
        cell: float32 [B, D, h, w], after the step.
        gates: float32 [B, 3D, h, w], the sigmoids of i, f, o.
        candidate: float32 [B, D, h, w], the tanh of g.
        squashed: float32 [B, D, h, w], the tanh of `cell`.
    """

    hidden: torch.Tensor
    cell: torch.Tensor
    gates: torch.Tensor
    candidate: torch.Tensor
    squashed: torch.Tensor


@dataclass(frozen=True)
class Glance:
    """One step's view of the grid, before it is decided which cell the step points at.

    Attributes:
        memory: After the step.
        keys: float [B, D, h, w], what the cells offer.
        logits: float32 [B, h * w], for each cell whether an object should be taken there.
        maxima: float32 [B, 2D], the largest values of the hidden state and of the keys over the grid.
        seen: float [B, D + 10, h, w], hidden state and canvas before the step.
        gated: How `memory` came about.
    """

    memory: Memory
    keys: torch.Tensor
    logits: torch.Tensor
    maxima: torch.Tensor
    seen: torch.Tensor
    gated: Gated

    def at(self, cells: torch.Tensor) -> torch.Tensor:
        """Return float32 [B, 2D], keys and hidden state at a cell of each image, int64 [B]."""
        return pick_both(self.keys, self.memory.hidden, cells)


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
        places = features.coordinates.expand(features.grid.shape[0], -1, -1, -1).to(features.grid.dtype)
        gates = self.inputs(torch.cat([features.grid, places], dim=1))
        return Drive(gates, self.feature_keys(features.grid))

    def forward(self, drive: Drive, canvas: Canvas, memory: Memory | None) -> Glance:
        """Run one step; a memory of None is all zero."""
        if memory is None:
            zeros = torch.zeros_like(drive.keys, memory_format=torch.channels_last)
            memory = Memory(zeros, zeros.float())
        channels = canvas.channels().to(memory.hidden.dtype, memory_format=torch.channels_last)
        seen = torch.cat([memory.hidden, channels], dim=1)
        gated = lstm(drive.gates + self.recurrent(seen), memory.cell)
        keys = F.relu(self.keys(gated.hidden) + drive.keys)
        maxima = maxima_of(gated.hidden, keys)
        return Glance(Memory(gated.hidden, gated.cell), keys, self.logits(keys), maxima, seen, gated)

    def logits(self, keys: torch.Tensor) -> torch.Tensor:
        """Return the pointing logits, float32 [B, h * w], of keys [B, D, h, w]."""
        logits: torch.Tensor = self.pointing(keys)
        return logits.float().flatten(1)


def maxima_of(hidden: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """Return float32 [B, 2D], the largest values over the grid of hidden state and keys, each [B, D, h, w]."""
    return torch.cat([F.adaptive_max_pool2d(values, 1)[..., 0, 0].float() for values in (hidden, keys)], dim=1)


def pick_both(keys: torch.Tensor, hidden: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """Return float32 [B, 2D], keys and hidden state, each [B, D, h, w], at a cell of each image, int64 [B]."""
    return torch.cat([pick(values, cells[:, None])[:, 0] for values in (keys, hidden)], dim=1)


def pick(values: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """Return float32 [B, T, C], the values [B, C, h, w] at cells, int64 [B, T]."""
    cell_by_cell = values.flatten(2).transpose(1, 2)  # as it lies in memory
    return cell_by_cell.gather(1, cells[..., None].expand(-1, -1, values.shape[1])).float()


def lstm(gates: torch.Tensor, cell: torch.Tensor) -> Gated:
    """Return a step of a ConvLSTM.

    Args:
        gates: float [B, 4D, h, w], i, f, o and g, before their sigmoids and tanh.
        cell: float32 [B, D, h, w], before the step.
    """
    width = cell.shape[1]
    values = gates.float()
    active, candidate = torch.sigmoid(values[:, : 3 * width]), torch.tanh(values[:, 3 * width :])
    i, f, o = active.chunk(3, dim=1)
    after = torch.addcmul(f * cell, i, candidate)
    squashed = torch.tanh(after)
    return Gated((o * squashed).to(gates.dtype), after, active, candidate, squashed)


def lstm_backward(
    gated: Gated, before: torch.Tensor, grad_hidden: torch.Tensor, grad_cell: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradients of `lstm`'s two arguments, [B, 4D, h, w] and [B, D, h, w], float32.

    Args:
        gated: What it returned.
        before: Its `cell`.
        grad_hidden: float32 [B, D, h, w], of the hidden state.
        grad_cell: Likewise of the cell state; None is zero.
    """
    i, f, o = gated.gates.chunk(3, dim=1)
    inner = torch.ops.aten.tanh_backward(grad_hidden * o, gated.squashed)
    if grad_cell is not None:
        inner = inner + grad_cell
    sigmoids = torch.cat([inner * gated.candidate, inner * before, grad_hidden * gated.squashed], dim=1)
    parts = [
        torch.ops.aten.sigmoid_backward(sigmoids, gated.gates),
        torch.ops.aten.tanh_backward(inner * i, gated.candidate),
    ]
    return torch.cat(parts, dim=1), inner * f
