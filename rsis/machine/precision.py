"""The number format that a network computes in: which one is faster is measured, not guessed.

bfloat16 halves the time of a training step on a processor with AMX and on most GPUs. Elsewhere a processor may have the
instructions and still be slower with them than with float32, or may have none and take many times as long.
"""

import contextlib
import functools
import statistics
import time
from collections.abc import Iterator
from typing import Literal

import torch
from torch import nn

Format = Literal["fp32", "bf16"]
Precision = Literal["fp32", "bf16", "auto"]

_ROUNDS = 5
_HOPELESS = 2.0  # times as long in one round: no more rounds are needed
_GAIN = 0.9  # bfloat16 is taken if it needs less than this share of float32's time


def settle(wanted: Precision, device: torch.device) -> Format:
    """Return the number format to compute in; "auto" is the faster one on this device (`faster_format`)."""
    return faster_format(device.type) if wanted == "auto" else wanted


@contextlib.contextmanager
def denormals_flushed() -> Iterator[None]:
    """Let a processor take the smallest numbers as 0, also in threads that start meanwhile.

    Values of saturated gates decay to such numbers, with which it computes ten times slower.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@functools.cache
def faster_format(kind: str) -> Format:
    """Return the format in which a network computes faster on this machine, measured once in a process.

    On a processor three convolutions are timed, forwards and backwards, for about half a second, with as many threads
    as torch has now. A GPU takes bf16 if its hardware has it. Other devices take fp32.

    Args:
        kind: Type of the device, such as "cpu".
    """
    if kind == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if kind != "cpu":
        return "fp32"
    with torch.inference_mode(False), torch.enable_grad():
        return _faster_on_cpu()


def _faster_on_cpu() -> Format:
    seconds: dict[Format, list[float]] = {"fp32": [], "bf16": []}
    network, images = _trial()
    for number in range(_ROUNDS + 1):
        for name, times in seconds.items():
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
                loss = network(images).float().square().mean()
            torch.autograd.grad(loss, list(network.parameters()))
            times.append(time.perf_counter() - start)
        if number == 0:  # the first call of each kernel builds it
            for times in seconds.values():
                times.clear()
        elif seconds["bf16"][-1] > _HOPELESS * seconds["fp32"][-1]:
            return "fp32"
    return "bf16" if statistics.median(seconds["bf16"]) < _GAIN * statistics.median(seconds["fp32"]) else "fp32"


def _trial() -> tuple[nn.Module, torch.Tensor]:
    """Return three convolutions as in the middle of a backbone, and their input; no global random state changes."""
    with torch.random.fork_rng(devices=[]):
        layers = [nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()) for _ in range(3)]
        images = torch.randn(4, 64, 48, 48)
    network = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    return network, images.contiguous(memory_format=torch.channels_last)
