"""A ConvLSTM layer that runs over all steps of a sequence in one call."""

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

State = tuple[torch.Tensor, torch.Tensor]
"""Hidden and cell state of a layer, each [B, D, h, w]."""


class ConvLSTM(nn.Module):
    """ConvLSTM without peepholes.

    One convolution over [input | hidden] gives the gates i, f, o, g in that order;
    c = sigmoid(f) * c + sigmoid(i) * tanh(g), h = sigmoid(o) * tanh(c) (released code; the paper cites
    Shi et al. 2015). The convolution is linear, so the input's part is computed for all steps together
    (`drive`); only the hidden state's part needs the previous step.

    Args:
        input_width: Channels of the input.
        hidden_width: Channels D of the hidden and cell state.
        kernel_size: Side of the convolution's kernel, odd.
    """

    def __init__(self, input_width: int, hidden_width: int, kernel_size: int) -> None:
        super().__init__()
        self.input_width = input_width
        self.hidden_width = hidden_width
        self.padding = kernel_size // 2
        self.gates = nn.Conv2d(input_width + hidden_width, 4 * hidden_width, kernel_size, padding=self.padding)

    def drive(self, inputs: torch.Tensor, first: int = 0, bias: bool = True) -> torch.Tensor:
        """Return the contribution of some input channels to the gates, [M, 4D, h, w].

        Args:
            inputs: [M, C, h, w], channels `first` .. `first + C - 1` of the layer's input.
            first: Index of the first of these channels in the layer's input.
            bias: Whether to add the bias of the gates; each gate needs it exactly once.
        """
        weight = self.gates.weight[:, first : first + inputs.shape[1]]
        return F.conv2d(inputs, weight, self.gates.bias if bias else None, padding=self.padding)

    def forward(
        self,
        num_steps: int,
        drives: torch.Tensor | None,
        constant: torch.Tensor | None = None,
        state: State | None = None,
    ) -> tuple[torch.Tensor, State]:
        """Run the recurrence. At least one of `drives` and `constant` is needed.

        Args:
            num_steps: T, at least 1.
            drives: [T*B, 4D, h, w], step-major: contribution to the gates that differs from step to step.
            constant: [B, 4D, h, w]: contribution to the gates that is the same at every step.
            state: State at the end of a previous call; None starts from zeros.

        Returns:
            The hidden states [T*B, D, h, w], step-major, channels last in memory, and the state after the last step.
        """
        given = drives if drives is not None else constant
        assert given is not None, "an input"
        recurrent = self.gates.weight[:, self.input_width :].to(given.dtype, memory_format=torch.channels_last)
        hidden, cell = (None, None) if state is None else state
        if is_being_exported():
            hiddens, end = _plain_recurrence(num_steps, drives, constant, recurrent, hidden, cell)
            return hiddens, (hiddens[-end.shape[0] :], end)
        # autocast has already chosen the dtype, in `drive`
        with torch.autocast(given.device.type, enabled=False):
            hiddens, end = _Recurrence.apply(num_steps, drives, constant, recurrent, hidden, cell)
        return hiddens, (hiddens[-end.shape[0] :], end)


def is_being_exported() -> bool:
    """Return whether torch is exporting the network for another runtime, which has no in-place operations."""
    return torch.compiler.is_exporting() or torch.jit.is_tracing()  # type: ignore[attr-defined]


def _plain_recurrence(
    num_steps: int,
    drives: torch.Tensor | None,
    constant: torch.Tensor | None,
    weight: torch.Tensor,
    hidden: torch.Tensor | None,
    cell: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the same as `_Recurrence`, using only operations that every runtime has."""
    parts = () if drives is None else torch.unflatten(drives, 0, (num_steps, -1)).unbind(0)  # T x [B, 4D, h, w]
    hiddens = []
    for t in range(num_steps):
        total = parts[t] if constant is None else constant if drives is None else constant + parts[t]
        if hidden is not None:
            total = total + F.conv2d(hidden, weight, padding=weight.shape[-1] // 2)
        i, f, o, g = total.chunk(4, dim=1)
        fresh = torch.sigmoid(i) * torch.tanh(g)
        cell = fresh if cell is None else torch.sigmoid(f) * cell + fresh
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        hiddens.append(hidden)
    assert cell is not None, "at least one step"
    return torch.cat(hiddens), cell  # [T*B, D, h, w], [B, D, h, w]


class _Recurrence(torch.autograd.Function):
    """The recurrence with a backward pass of its own.

    Autograd would store more tensors, join the steps' gradients by copies, and compute the kernel's gradient step by
    step; here one convolution computes it for all steps. The values of a step are stored as [B, h, w, D], and
    those of its four gates as [4, B, h, w, D], so that all elementwise operations run over contiguous memory. The
    convolutions before and after them work on [B, h, w, 4D], channels last.
    """

    @staticmethod
    def forward(
        ctx: Any,
        num_steps: int,
        drives: torch.Tensor | None,
        constant: torch.Tensor | None,
        weight: torch.Tensor,
        hidden: torch.Tensor | None,
        cell: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the hidden states [T*B, D, h, w] and the last cell state [B, D, h, w]."""
        given = drives if drives is not None else constant
        assert given is not None
        height, width = given.shape[-2:]
        batch = given.shape[0] if drives is None else given.shape[0] // num_steps
        depth, padding = weight.shape[1], weight.shape[-1] // 2
        shape = (batch, height, width, depth)
        gates = given.new_empty(num_steps, 4, *shape)
        cells, hiddens = given.new_empty(num_steps, *shape), given.new_empty(num_steps, *shape)
        squashed = given.new_empty(shape)
        h = None if hidden is None else _last(hidden)
        c = None if cell is None else _last(cell)
        for t in range(num_steps):
            parts = [] if constant is None else [constant]
            if drives is not None:
                parts.append(drives[t * batch : (t + 1) * batch])
            if h is not None:
                parts.append(F.conv2d(_first(h), weight, padding=padding))
            _sum_by_gate(parts, gates[t])
            gates[t, :3].sigmoid_()
            gates[t, 3].tanh_()
            i, f, o, g = gates[t]
            if c is None:
                torch.mul(i, g, out=cells[t])
            else:
                torch.mul(f, c, out=cells[t]).addcmul_(i, g)
            h, c = hiddens[t], cells[t]
            torch.mul(o, torch.tanh(c, out=squashed), out=h)
        ctx.save_for_backward(weight, gates, cells, hiddens, hidden, cell)
        ctx.given = (drives is not None, constant is not None)
        ctx.set_materialize_grads(False)
        return _first(hiddens.flatten(0, 1)), _first(cells[-1].clone())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hiddens: torch.Tensor | None, grad_end: torch.Tensor | None) -> Any:
        """Return the gradients of `forward`'s arguments."""
        weight, gates, cells, hiddens, hidden, cell = ctx.saved_tensors
        num_steps, shape = hiddens.shape[0], hiddens.shape[1:]
        batch, height, width, depth = shape
        padding = weight.shape[-1] // 2
        grads = gates.new_empty(num_steps, batch, height, width, 4 * depth)
        grad = torch.empty_like(gates[0])  # of one step's gates before sigmoid and tanh, [4, B, h, w, D]
        dh: torch.Tensor | None = None
        dc = torch.zeros_like(cells[0]) if grad_end is None else _last(grad_end).clone()
        for t in reversed(range(num_steps)):
            i, f, o, g = gates[t]
            if grad_hiddens is not None:
                outer = _last(grad_hiddens[t * batch : (t + 1) * batch])
                dh = outer if dh is None else dh.add_(outer)
            squashed = torch.tanh(cells[t])
            if dh is None:  # only the last cell state was used
                grad[2].zero_()
            else:
                torch.mul(dh, squashed, out=grad[2])
                dc.add_(torch.ops.aten.tanh_backward(dh * o, squashed))
            before = cells[t - 1] if t > 0 else None if cell is None else _last(cell)
            torch.mul(dc, g, out=grad[0])
            if before is None:
                grad[1].zero_()
            else:
                torch.mul(dc, before, out=grad[1])
            torch.mul(dc, i, out=grad[3])
            torch.ops.aten.sigmoid_backward(grad[:3], gates[t, :3], grad_input=grad[:3])
            torch.ops.aten.tanh_backward(grad[3], g, grad_input=grad[3])
            torch.unflatten(grads[t], -1, (4, depth)).copy_(grad.movedim(0, 3))
            dc.mul_(f)
            dh = None
            if t > 0 or hidden is not None:
                size = [batch, depth, height, width]
                dh = _last(conv2d_input(size, weight, _first(grads[t]), padding=padding))
        used = hiddens[:-1] if hidden is None else torch.cat([_last(hidden)[None], hiddens[:-1]])
        if len(used):
            after = grads[num_steps - len(used) :].flatten(0, 1)
            dw = conv2d_weight(_first(used.flatten(0, 1)), weight.shape, _first(after), padding=padding)
        else:
            dw = torch.zeros_like(weight)
        has_drives, has_constant = ctx.given
        return (
            None,
            _first(grads.flatten(0, 1)) if has_drives else None,
            _first(grads.sum(dim=0)) if has_constant else None,
            dw,
            None if hidden is None or dh is None else _first(dh),
            None if cell is None else _first(dc),
        )


def _sum_by_gate(parts: list[torch.Tensor], gates: torch.Tensor) -> None:
    """Add up one to three parts [B, 4D, h, w] and write them to `gates` [4, B, h, w, D]."""
    total = parts[-1] if len(parts) == 1 else torch.add(parts[-1], parts[0])
    if len(parts) == 3:
        total.add_(parts[1])
    gates.copy_(torch.unflatten(_last(total), -1, (4, -1)).movedim(3, 0))


def _last(images: torch.Tensor) -> torch.Tensor:
    """Return [M, C, h, w] as contiguous [M, h, w, C]; no copy if it is channels last in memory."""
    return images.permute(0, 2, 3, 1).contiguous()


def _first(images: torch.Tensor) -> torch.Tensor:
    """Return [M, h, w, C] as [M, C, h, w], channels last in memory."""
    return images.permute(0, 3, 1, 2)
