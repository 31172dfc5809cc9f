"""The gradients of a whole sequence of the pointer decoder's recurrence.

In training the canvas depends on what the steps before pointed at, but no gradient flows through a canvas. So the steps
run without gradients, and keep what they computed. Afterwards the loss sees the hidden states and the keys of all steps
as one function of the features and the kernels. Its backward pass walks back over the steps for the gates alone;
everything else - keys, pointing logits, maxima, the kernels' gradients - is done for all steps at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from rsis.model.pointer.recurrence import Drive, Gated, Glance, Recurrence, lstm_backward


@dataclass(frozen=True)
class Unrolled:
    """Hidden states and keys of T steps, step by step.

    Attributes:
        hidden: float [T * B, D, h, w].
        keys: float [T * B, D, h, w].
    """

    hidden: torch.Tensor
    keys: torch.Tensor


def unroll(recurrence: Recurrence, drive: Drive, glances: Sequence[Glance]) -> Unrolled:
    """Return what T steps computed, as a function of `drive` and of the recurrence's kernels.

    Args:
        recurrence: Which made the glances.
        drive: Of the features, with which it made them.
        glances: Its steps from the first one on, each with the memory of the one before, run without gradients.
    """
    weights = recurrence.recurrent.weight, recurrence.keys.weight, recurrence.keys.bias
    hidden, keys = _Unrolled.apply(drive.gates, drive.keys, *weights, glances)
    return Unrolled(hidden, keys)


class _Unrolled(torch.autograd.Function):
    """The function `unroll`, whose values are known."""

    @staticmethod
    def forward(
        ctx: Any,
        drive_gates: torch.Tensor,
        drive_keys: torch.Tensor,
        recurrent: torch.Tensor,
        key_weight: torch.Tensor,
        key_bias: torch.Tensor,
        glances: Sequence[Glance],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = torch.cat([glance.gated.hidden for glance in glances])
        keys = torch.cat([glance.keys for glance in glances])
        ctx.save_for_backward(recurrent, key_weight, hidden, keys)
        # neither inputs nor outputs, so nothing that autograd has to know of
        ctx.seen = [glance.seen for glance in glances]
        ctx.gated = [glance.gated for glance in glances]
        return hidden, keys

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: torch.Tensor, grad_keys: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        recurrent, key_weight, hidden, keys = ctx.saved_tensors
        grad_keys = torch.ops.aten.threshold_backward(grad_keys, keys, 0)  # of the ReLU
        of_keys = _of_convolution(grad_keys, hidden, key_weight, [True, True, True])
        grad_gates, of_drive = _through_time(ctx.gated, recurrent, grad_hidden + of_keys[0])
        of_gates = _of_convolution(grad_gates, torch.cat(ctx.seen), recurrent, [False, True, False])
        of_drive_keys = _sum(grad_keys.chunk(len(ctx.gated)))
        return of_drive, of_drive_keys, of_gates[1].float(), of_keys[1].float(), of_keys[2].float(), None


def _through_time(
    steps: list[Gated], recurrent: torch.Tensor, grad_hidden: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradients of the gates of all steps, [T * B, 4D, h, w], and their sum over the steps, [B, 4D, h, w].

    Args:
        steps: T of them.
        recurrent: The kernel [4D, D + 10, 3, 3].
        grad_hidden: [T * B, D, h, w], of the hidden states, but for what they do to later steps.
    """
    width = grad_hidden.shape[1]
    kernel = recurrent[:, :width].to(grad_hidden.dtype)
    of_outputs = grad_hidden.chunk(len(steps))
    found: list[torch.Tensor] = []
    of_cell: torch.Tensor | None = None
    total = torch.empty(0)
    for step in reversed(range(len(steps))):
        of_hidden = of_outputs[step].float()
        if found:
            of_hidden = of_hidden + _of_convolution(found[-1], steps[step].hidden, kernel, [True, False, False])[0]
        before = steps[step - 1].cell if step > 0 else torch.zeros_like(of_hidden)
        of_gates, of_cell = lstm_backward(steps[step], before, of_hidden, of_cell)
        total = of_gates if not found else total.add_(of_gates)
        found.append(of_gates.to(grad_hidden.dtype, copy=True))
    return torch.cat(found[::-1]), total.to(grad_hidden.dtype)


def _sum(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the sum, in float32, of tensors alike: several times faster than `torch.sum` over a dimension."""
    total = parts[0].to(torch.float32, copy=True)
    for part in parts[1:]:
        total += part
    return total.to(parts[0].dtype)


def _of_convolution(
    grad: torch.Tensor, inputs: torch.Tensor, kernel: torch.Tensor, wanted: list[bool]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the gradients of a 3 x 3 convolution that keeps the size: those `wanted` of inputs, kernel and bias."""
    stay = [1, 1]
    found: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = torch.ops.aten.convolution_backward(
        grad, inputs, kernel.to(grad.dtype), [kernel.shape[0]], stay, stay, stay, False, [0, 0], 1, wanted
    )
    return found
