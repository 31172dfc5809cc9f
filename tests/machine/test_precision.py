"""The number format that computes faster: measured once, and told apart by the time that each takes."""

import time

import pytest
import torch

from rsis.machine import precision
from rsis.machine.precision import faster_format, settle


def test_what_is_asked_for_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "faster_format", lambda kind: pytest.fail("measured"))
    assert settle("fp32", torch.device("cpu")) == "fp32"
    assert settle("bf16", torch.device("cpu")) == "bf16"


@pytest.mark.parametrize(("slow", "expected"), [(torch.float32, "bf16"), (torch.bfloat16, "fp32")])
def test_the_slower_format_is_not_taken(slow: torch.dtype, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that waits in one of the formats decides, whatever the processor does."""

    class Waiting(torch.nn.Conv2d):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            result = super().forward(images)
            if result.dtype == slow:
                time.sleep(0.1)
            return result

    trial = Waiting(1, 1, 3), torch.zeros(1, 1, 8, 8)
    monkeypatch.setattr(precision, "_trial", lambda: trial)
    assert faster_format.__wrapped__("cpu") == expected


def test_measuring_changes_nothing_of_the_process() -> None:
    """It may happen in the middle of a prediction, where no gradients are kept, and before a seeded training."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with torch.inference_mode():
        assert faster_format.__wrapped__("cpu") in ("fp32", "bf16")
        assert torch.is_inference_mode_enabled()
    assert torch.equal(torch.get_rng_state(), before)


def test_devices_that_are_not_known_compute_in_float32() -> None:
    assert faster_format("meta") == "fp32"
