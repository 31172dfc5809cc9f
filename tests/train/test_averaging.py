"""The running mean of weights: of a short training it is of its last steps."""

import pytest
import torch

from rsis.train.averaging import average


@pytest.mark.parametrize(("steps", "decay"), [(1, 0.9), (20, 0.995), (400, 0.995), (5000, 0.99)])
def test_the_mean_is_a_weighted_sum_that_reaches_back_a_tenth(steps: int, decay: float) -> None:
    """Each value's share of the mean, found by giving one value 1 and all others 0."""
    values = torch.eye(steps + 1, dtype=torch.float64)  # row n: the value of step n
    mean = values[0]
    for number in range(1, steps + 1):
        mean = average(mean, values[number], torch.tensor(number), decay=decay)
    assert float(mean.sum()) == pytest.approx(1)
    age = float((mean * torch.arange(steps, -1, -1, dtype=torch.float64)).sum())  # mean age of the values, in steps
    assert age <= min(steps / 10 + 1, decay / (1 - decay) + 1)
    if steps > 100:
        assert float(mean[: steps // 4].sum()) < 0.001


def test_a_long_training_has_the_decay_that_is_asked_for() -> None:
    found = average(torch.tensor(1.0), torch.tensor(0.0), 10**6, decay=0.995)
    assert float(found) == pytest.approx(0.995)
