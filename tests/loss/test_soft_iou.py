"""Soft IoU against a loop over pixels, and its edges."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsis.loss.soft_iou import soft_iou


def slow_soft_iou(prob: torch.Tensor, target: torch.Tensor, valid: torch.Tensor) -> float:
    """The formula, pixel by pixel."""
    intersection = union = 0.0
    for p, y, v in zip(prob.ravel().tolist(), target.ravel().tolist(), valid.ravel().tolist(), strict=True):
        if v:
            intersection += p * y
            union += p + y - p * y
    return intersection / (union + 1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_agrees_with_the_loop(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    probs = torch.rand(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    targets = torch.rand(2, 2, 4, 5, generator=generator) > 0.5
    valid = torch.rand(2, 4, 5, generator=generator) > 0.2
    found = soft_iou(probs, targets, valid)
    for b in range(2):
        for t in range(3):
            for n in range(2):
                expected = slow_soft_iou(probs[b, t], targets[b, n], valid[b])
                assert float(found[b, t, n]) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_perfect_and_disjoint() -> None:
    mask = torch.zeros(1, 2, 4, 4, dtype=torch.float64)
    mask[0, 0, :2] = mask[0, 1, 2:] = 1
    torch.testing.assert_close(soft_iou(mask, mask)[0], torch.eye(2, dtype=torch.float64), rtol=0, atol=1e-6)


def test_empty_target_overlaps_nothing() -> None:
    assert soft_iou(torch.ones(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)).item() == 0
    assert soft_iou(torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)).item() == 0


def test_ignored_pixels_carry_neither_value_nor_gradient() -> None:
    probs = torch.full((1, 1, 2, 2), 0.5, requires_grad=True)
    target = torch.tensor([[[[True, False], [True, False]]]])
    valid = torch.tensor([[[True, True], [False, False]]])
    value = soft_iou(probs, target, valid)
    value.sum().backward()
    assert value.item() == pytest.approx(0.5 / 1.5, abs=1e-6)
    assert probs.grad is not None
    assert probs.grad[0, 0, 1].tolist() == [0, 0]
    assert (probs.grad[0, 0, 0] != 0).all()
