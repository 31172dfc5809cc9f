"""An optimiser that uses Muon for convolution kernels and AdamW for all other parameters.

torch's own Muon accepts only matrices and orthogonalises in bfloat16, which is slower than float32 on many CPUs.
Here a kernel [out, in, k, k] is treated as the matrix [out, in * k * k], and the iteration uses the kernel's dtype
and the smaller of the two Gram matrices.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch

# Coefficients of the quintic Newton-Schulz iteration: five steps bring all singular values into 0.68 .. 1.14 (Keller
# Jordan, "Muon: an optimizer for hidden layers", 2024).
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Momentum with an orthogonalised update for the groups with `orthogonal`; AdamW for the other groups.

    The update of a kernel is u = orthogonal(g + momentum * (m - g)), with m the running mean of its gradients g. After
    decoupled weight decay, -lr * max(1, out / (in * k * k))^0.5 * u is added to the kernel. All directions of the
    kernel then learn at the same rate, while a few directions dominate plain gradients.

    Args:
        groups: Parameter groups with "lr". Groups of kernels ([out, ...], at least two axes) have "orthogonal": True.
        weight_decay: Each step shrinks the weights by the fraction lr * weight_decay.
        momentum: Momentum of the kernels, 0..1.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], *, weight_decay: float = 0.0, momentum: float = 0.95) -> None:
        groups = [{"orthogonal": False} | group for group in groups]
        self._adamw = torch.optim.AdamW([torch.zeros(())], weight_decay=weight_decay, fused=True)
        super().__init__(groups, self._adamw.defaults | {"momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all parameters that have a gradient; return the loss of `closure`, None without one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["orthogonal"]:
                self._move_kernels(group)
        # resuming a training replaces the groups and the state, so they are passed to AdamW before each step
        self._adamw.param_groups = [group for group in self.param_groups if not group["orthogonal"]]
        self._adamw.state = self.state
        self._adamw.step()
        return loss

    def _move_kernels(self, group: dict[str, Any]) -> None:
        for kernel in group["params"]:
            if kernel.grad is None:
                continue
            state = self.state[kernel]
            if not state:
                state["mean"] = torch.zeros_like(kernel)
            mean = state["mean"].lerp_(kernel.grad, 1 - group["momentum"])
            update = kernel.grad.lerp(mean, group["momentum"]).movedim(1, -1)
            shape = update.shape  # [out, k, k, in], as a kernel of channels last lies in memory
            update = update.flatten(1)
            rows, columns = update.shape
            update = orthogonalize(update).view(shape).movedim(-1, 1)
            kernel.mul_(1 - group["lr"] * group["weight_decay"])
            kernel.add_(update, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonalize(matrix: torch.Tensor) -> torch.Tensor:
    """Return U S' V^T for a matrix U S V^T [m, n]; S' is about 1 wherever S is not tiny, and zeros stay zeros.

    Each step X <- (a + b X X^T + c (X X^T)^2) X multiplies X from the left by a polynomial of its Gram matrix. These
    polynomials commute with the Gram matrix, so the steps are multiplied as [m, m] matrices and applied once.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalize(matrix.T).T
    a, b, c = _COEFFICIENTS
    matrix = matrix / matrix.norm().clamp(min=torch.finfo(matrix.dtype).tiny)
    gram = matrix @ matrix.T  # [m, m]
    composed: torch.Tensor | None = None
    for iteration in range(_ITERATIONS):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        composed = factor if composed is None else factor @ composed
        if iteration < _ITERATIONS - 1:  # the last Gram matrix is not needed
            gram = factor @ gram @ factor
    assert composed is not None
    return composed @ matrix
