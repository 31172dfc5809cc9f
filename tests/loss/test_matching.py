"""Hungarian matching against all permutations."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsis.loss.matching import hungarian_match


def cheapest(costs: torch.Tensor) -> float:
    """The least total cost over all one-to-one assignments of rows to columns, found by trying them all."""
    rows, columns = costs.shape
    if rows > columns:
        return cheapest(costs.T)
    return min(sum(float(costs[r, c]) for r, c in enumerate(chosen)) for chosen in permutations(range(columns), rows))


@given(st.integers(0, 10_000), st.integers(1, 5), st.lists(st.integers(0, 5), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_is_optimal_and_one_to_one(seed: int, steps: int, counts: list[int]) -> None:
    costs = torch.rand(len(counts), steps, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assigned = hungarian_match(costs, torch.tensor(counts))
    for b, count in enumerate(counts):
        used = min(steps, count)
        row = assigned[b].tolist()
        assert all(object_ >= 0 for object_ in row[:used])
        assert all(object_ == -1 for object_ in row[used:])
        assert len(set(row[:used])) == used
        assert max(row[:used], default=-1) < count
        if used:
            total = sum(float(costs[b, t, row[t]]) for t in range(used))
            assert total == pytest.approx(cheapest(costs[b, :used, :count]), rel=1e-12)


def test_surplus_steps_cannot_take_an_object() -> None:
    """Step 3 has the least cost for the only object, but only the first N steps may have one."""
    costs = torch.tensor([[[0.9], [0.8], [0.1]]])
    assert hungarian_match(costs, torch.tensor([1])).tolist() == [[0, -1, -1]]


def test_nan_does_not_stop_the_matching() -> None:
    """When a network diverges, the error comes from the loss, with all its terms, and not from the matching."""
    costs = torch.full((1, 2, 2), float("nan"))
    assert sorted(hungarian_match(costs, torch.tensor([2]))[0].tolist()) == [0, 1]
