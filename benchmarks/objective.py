"""Matching and loss alone: from mask logits at the decoder's size to their gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import psutil
import torch

from benchmarks.cases import NUM_CLASSES, OBJECTIVE, Case, make_batch
from benchmarks.literal.loss import losses as literal_losses
from benchmarks.measure import Settings, interleave
from benchmarks.results import Row
from rsis.loss.criterion import Criterion
from rsis.model.network import mask_probs
from rsis.structures import Batch, RSISOutput

_COPIES = 12  # peak memory of both implementations, in copies of all masks in float32, with a margin


@dataclass(frozen=True)
class Problem:
    """Sizes of a batch: B images of (H, W) with up to N objects, T steps."""

    batch: int
    steps: int
    slots: int
    size: tuple[int, int]

    @property
    def name(self) -> str:
        """The sizes as text, such as "B8 T10 N10 256x256"."""
        return f"B{self.batch} T{self.steps} N{self.slots} {self.size[0]}x{self.size[1]}"

    @property
    def fits(self) -> bool:
        """Whether the machine has enough free memory."""
        masks = self.batch * max(self.steps, self.slots) * self.size[0] * self.size[1] * 4
        return bool(_COPIES * masks < psutil.virtual_memory().available)


def cases(settings: Settings) -> list[Case]:
    """Return the cases of the objective that fit into the machine's memory."""
    if settings.quick:
        problems = [Problem(2, 3, 3, (32, 32)), Problem(2, 3, 5, (32, 64))]
    else:
        square, street = (256, 256), (512, 1024)
        problems = [
            Problem(4, 10, 5, square),
            Problem(8, 10, 10, square),
            Problem(8, 20, 20, square),
            Problem(32, 20, 20, square),
            Problem(4, 10, 10, street),
            Problem(4, 20, 20, street),
            Problem(32, 20, 20, street),
        ]
    return [
        Case("objective", problem.name, partial(_measure, problem, settings)) for problem in problems if problem.fits
    ]


def _measure(problem: Problem, settings: Settings) -> list[Row]:
    batch = make_batch(problem.size, problem.batch, problem.slots, settings.device)
    output = make_output(problem, settings.device)
    calls: dict[str, Callable[[], object]] = {
        "ours": partial(our_gradients, output, batch),
        "literal": partial(literal_gradients, output, batch),
    }
    taken = interleave(calls, settings.effort, settings.device)
    return [
        Row(
            "objective",
            problem.name,
            taken["ours"],
            against="literal",
            baseline=taken["literal"],
            items=problem.batch,
        )
    ]


def make_output(problem: Problem, device: torch.device, dtype: torch.dtype = torch.float32) -> RSISOutput:
    """Return random outputs of the network that require gradients."""
    generator = torch.Generator().manual_seed(3)
    height, width = problem.size

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype).to(device).requires_grad_()

    return RSISOutput(
        random(problem.batch, problem.steps, height // 2, width // 2),
        random(problem.batch, problem.steps, NUM_CLASSES),
        random(problem.batch, problem.steps),
    )


def our_gradients(output: RSISOutput, batch: Batch) -> torch.Tensor:
    """Return the gradient of our total loss with respect to the mask logits."""
    criterion = Criterion(OBJECTIVE.class_weight, OBJECTIVE.stop_weight, OBJECTIVE.stop_balance)
    height, width = batch.images.shape[-2:]
    probs = mask_probs(output, (height, width))
    losses, _ = criterion(output, probs, batch, use_class=True, use_stop=True)
    return torch.autograd.grad(losses.total, output.mask_logits)[0]


def literal_gradients(output: RSISOutput, batch: Batch) -> torch.Tensor:
    """Return the same gradient of the literal implementation."""
    height, width = batch.images.shape[-2:]
    losses = literal_losses(output, (height, width), batch, OBJECTIVE, use_class=True, use_stop=True)
    return torch.autograd.grad(losses.total, output.mask_logits)[0]
