"""The highest rates of the processor or GPU, and the fraction of them that a training step and a prediction reach.

The highest rates are measured: bytes by a large copy, operations by large matrix products. The operations of the work
(convolutions and matrix products) are counted by torch, its bytes by `TrafficCounter`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases import Case, Shape, make_batch, make_networks, paper_model, paper_training
from benchmarks.literal.training import LiteralTraining
from benchmarks.measure import Measurement, Settings, interleave
from benchmarks.results import Row
from benchmarks.training import OurTraining


@dataclass(frozen=True)
class Work:
    """The counted work of a call.

    Attributes:
        flop: Operations of convolutions and matrix products; a multiplication and an addition count as two.
        bytes: Bytes of all tensors that kernels read and write; the true traffic is less because of caches.
    """

    flop: int
    bytes: int


@dataclass(frozen=True)
class Ceilings:
    """The highest measured rates of the device.

    Attributes:
        copy: Bytes per second that a copy reads and writes in total.
        matmul: Operations per second of matrix products, by precision.
    """

    copy: float
    matmul: dict[str, float]


class TrafficCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums the bytes of all inputs and outputs of kernels; views count nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count its bytes."""
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return result


def count(call: Callable[[], object]) -> Work:
    """Return the work of a call; run it once before, so that one-time work is not counted."""
    flops = FlopCounterMode(display=False)
    with TrafficCounter() as traffic, flops:
        call()
    return Work(flops.get_total_flops(), traffic.bytes)


def measure_ceilings(settings: Settings) -> tuple[Ceilings, list[Row]]:
    """Measure the device's rates of copies and matrix products."""
    cuda = settings.device.type == "cuda"
    size, side = (2**28, 8192) if cuda else (2**26, 2048)
    if settings.quick:
        size, side = size // 64, side // 16
    source = torch.zeros(size, device=settings.device)
    target = torch.empty_like(source)
    calls: dict[str, Callable[[], object]] = {"copy": partial(target.copy_, source)}
    products = {"fp32": (torch.float32, "highest"), "bf16": (torch.bfloat16, "highest")}
    if cuda:
        products["tf32"] = (torch.float32, "high")
    for name, (dtype, precision) in products.items():
        matrix = torch.randn(side, side, device=settings.device).to(dtype)
        calls[name] = partial(_product, matrix, precision)
    before = torch.get_float32_matmul_precision()
    taken = interleave(calls, settings.effort, settings.device)
    torch.set_float32_matmul_precision(before)
    rates = {name: _rate(taken[name], 2 * side**3) for name in products}
    copy = _rate(taken["copy"], 2 * size * 4)
    rows = [Row("roofline", "copy", _scaled(copy, 1e9), unit="GB/s", note=f"{size * 4 >> 20} MiB, read and written")]
    for name, rate in rates.items():
        rows.append(
            Row("roofline", f"matrix product {name}", _scaled(rate, 1e9), unit="GFLOP/s", note=f"{side}x{side}")
        )
    ceilings = Ceilings(copy.median, {name: rate.median for name, rate in rates.items()})
    return ceilings, rows


def achieved(work: Work, seconds: float, ceilings: Ceilings, precision: str) -> str:
    """Return a line with the rates of some work in some seconds, as fractions of the highest rates."""
    if precision == "fp32" and torch.backends.cudnn.allow_tf32 and "tf32" in ceilings.matmul:
        precision = "tf32"  # as convolutions of float32 run on a card
    operations, moved = work.flop / seconds, work.bytes / seconds
    return (
        f"{work.flop / 1e9:.3g} GFLOP at {operations / 1e9:.3g} G/s = "
        f"{operations / ceilings.matmul[precision]:.0%} of {precision} products; "
        f"at most {work.bytes / 1e9:.3g} GB at {moved / 1e9:.3g} GB/s = {moved / ceilings.copy:.0%} of a copy"
    )


def cases(settings: Settings) -> list[Case]:
    """Return the only case: the highest rates, and those of a training step."""
    shape = Shape(paper_model("resnet34"), (128, 128), 8, 10)
    if settings.quick:
        shape = Shape(paper_model("resnet18", (16, 16, 8, 8, 4)), (64, 64), 2, 3)
    return [Case("roofline", shape.name, partial(_step, shape, settings))]


def _step(shape: Shape, settings: Settings) -> list[Row]:
    ceilings, rows = measure_ceilings(settings)
    batch = make_batch(shape.size, shape.batch, shape.steps, settings.device)
    section = paper_training(shape.steps)
    calls: dict[str, Callable[[], object]] = {}
    for precision in ("fp32", "bf16"):
        ours, literal = make_networks(shape.model, settings.device)
        fast = OurTraining(ours.train(), section, autocast=precision == "bf16")
        plain = LiteralTraining(literal.train(), section, use_class=True, use_stop=True, autocast=precision == "bf16")
        calls[f"ours {precision}"] = partial(fast.step, batch)
        calls[f"literal {precision}"] = partial(plain.step, batch)
    taken = interleave(calls, settings.effort, settings.device)
    for name, call in calls.items():
        note = achieved(count(call), taken[name].median, ceilings, name.split()[1])
        rows.append(Row("roofline", f"step of {shape.name}, {name}", taken[name], items=shape.batch, note=note))
    return rows


def _product(matrix: torch.Tensor, precision: str) -> torch.Tensor:
    torch.set_float32_matmul_precision(precision)
    return matrix @ matrix


def _rate(taken: Measurement, amount: float) -> Measurement:
    # the slowest round is not kept, so the least rate is not known
    return Measurement(amount / taken.median, amount / taken.median, taken.repetitions)


def _scaled(taken: Measurement, unit: float) -> Measurement:
    return Measurement(taken.median / unit, taken.minimum / unit, taken.repetitions)
