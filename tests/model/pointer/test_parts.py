"""The parts of the pointer decoder against what they are defined to be, pixel by pixel."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from rsis.model.pointer.canvas import CHANNELS, Canvas, points_of
from rsis.model.pointer.mask_head import Geometry, MaskHead
from rsis.model.pointer.recurrence import Drive, Glance, Recurrence, lstm, lstm_backward, pick
from rsis.model.pointer.unrolled import unroll


@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=20)
def test_masks_are_those_of_a_small_network_over_each_pixel(seed: int, width: int, height: int, columns: int) -> None:
    torch.manual_seed(seed)
    head = MaskHead(width).double()
    queries = torch.randn(2, head.query_width, dtype=torch.float64)
    embedding = torch.randn(2, width, height, columns, dtype=torch.float64)
    geometry = Geometry(torch.rand(2, 2, dtype=torch.float64) * 10, 1 + 5 * torch.rand(2, dtype=torch.float64))
    found = head(embedding, queries, geometry, stride=2)
    for m in range(2):
        parts, first = [], 0
        for inputs, outputs in head.widths:
            weight = queries[m, first : first + inputs * outputs].view(outputs, inputs)
            first += inputs * outputs
            parts.append((weight, queries[m, first : first + outputs]))
            first += outputs
        for row in range(height):
            for column in range(columns):
                y = (2 * (row + 0.5) - geometry.centres[m, 0]) / geometry.radii[m]
                x = (2 * (column + 0.5) - geometry.centres[m, 1]) / geometry.radii[m]
                disc = torch.exp(-(y * y + x * x) / 2)
                values = torch.cat([embedding[m, :, row, column], torch.stack([y.clamp(-3, 3), x.clamp(-3, 3), disc])])
                for number, (weight, bias) in enumerate(parts):
                    values = weight @ values + bias
                    values = values.relu() if number < 2 else values
                expected = values[0] + head.prior[0] * disc + head.prior[1]
                assert float(found[m, row, column]) == pytest.approx(float(expected), rel=1e-4, abs=1e-4)


def test_an_untrained_head_draws_a_disc_where_it_points() -> None:
    torch.manual_seed(0)
    head = MaskHead(8)
    query = head.initial_query()[None]
    cell = torch.tensor([2 * 12 + 5])  # row 2, column 5 of a grid with 12 columns: pixel (20, 44)
    geometry = head.geometry(query, cell, columns=12)
    assert geometry.centres.tolist() == [[20.0, 44.0]]
    assert geometry.radii.tolist() == [8.0]
    mask = head(torch.zeros(1, 8, 48, 48), query, geometry, stride=2)[0] > 0
    rows, columns = mask.nonzero().double().mean(dim=0).tolist()
    assert (2 * (rows + 0.5), 2 * (columns + 0.5)) == pytest.approx((20, 44), abs=0.5)
    assert 4 <= math.sqrt(float(mask.sum()) * 4 / math.pi) <= 12


def test_a_canvas_holds_all_and_the_last() -> None:
    grid = torch.zeros(2, 64, 3, 4)
    canvas = Canvas.empty(grid)
    assert canvas.channels().shape == (2, CHANNELS, 3, 4)
    assert not canvas.channels().any()
    torch.manual_seed(0)
    masks, cells = torch.rand(3, 2, 6, 8), torch.randint(0, 12, (3, 2))
    for mask, cell in zip(masks, cells, strict=True):
        canvas = canvas.add(mask, points_of(cell, (3, 4)))
    channels = canvas.channels()
    for row in range(3):
        for column in range(4):
            block = masks[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].flatten(2)  # [3, 2, 4]
            assert torch.equal(channels[:, :4, row, column], block.amax(dim=0))
            assert torch.equal(channels[:, 4:8, row, column], block[-1])
            distance = [[(row - c // 4) ** 2 + (column - c % 4) ** 2 for c in step] for step in cells.tolist()]
            points = np.exp(-np.array(distance) / 2)
            np.testing.assert_allclose(channels[:, 8, row, column], points.max(axis=0), rtol=1e-6)
            np.testing.assert_allclose(channels[:, 9, row, column], points[-1], rtol=1e-6)


def test_a_step_of_the_lstm_has_the_gradient_of_its_definition() -> None:
    torch.manual_seed(0)
    gates, cell = torch.randn(2, 12, 3, 2, requires_grad=True), torch.randn(2, 3, 3, 2, requires_grad=True)
    of_hidden, of_cell = torch.randn(2, 2, 3, 3, 2)
    i, f, o, g = gates.chunk(4, dim=1)
    after = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    hidden = o.sigmoid() * after.tanh()
    step = lstm(gates, cell)
    torch.testing.assert_close((step.hidden, step.cell), (hidden, after))
    expected = torch.autograd.grad([hidden, after], (gates, cell), [of_hidden, of_cell], retain_graph=True)
    torch.testing.assert_close(lstm_backward(step, cell, of_hidden, of_cell), expected)
    last = torch.autograd.grad(hidden, (gates, cell), of_hidden)
    torch.testing.assert_close(lstm_backward(step, cell, of_hidden, None), last)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_unrolled_sequence_has_the_gradients_of_its_steps(dtype: torch.dtype) -> None:
    """Those of autograd through one step after the other, of the features and of all kernels."""
    torch.manual_seed(0)
    recurrence = Recurrence(8, 8, 6)
    kernels = [p for name, p in recurrence.named_parameters() if name.split(".")[0] in ("recurrent", "keys")]
    features = [torch.randn(2, width, 4, 5, requires_grad=True) for width in (24, 6)]
    masks, cells = torch.rand(3, 2, 8, 10), torch.randint(0, 20, (3, 2))
    weights = torch.randn(2, 3 * 2, 6, 4, 5)

    def steps() -> list[Glance]:
        drive, canvas = Drive(*(part.to(dtype) for part in features)), Canvas.empty(features[1])
        found: list[Glance] = []
        for mask, cell in zip(masks, cells, strict=True):
            found.append(recurrence(drive, canvas, found[-1].memory if found else None))
            canvas = canvas.add(mask, points_of(cell, (4, 5)))
        return found

    def gradients(hidden: torch.Tensor, keys: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad((weights[0] * hidden).sum() + (weights[1] * keys).sum(), [*features, *kernels])

    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        each = steps()
        with torch.no_grad():
            recorded = steps()
        whole = unroll(recurrence, Drive(*(part.to(dtype) for part in features)), recorded)
    hidden, keys = torch.cat([step.memory.hidden for step in each]), torch.cat([step.keys for step in each])
    assert torch.equal(whole.hidden, hidden)
    assert torch.equal(whole.keys, keys)
    tolerance = 1e-5 if dtype == torch.float32 else 0.05  # of the largest value: bfloat16 has 8 bits
    for ours, expected in zip(gradients(whole.hidden, whole.keys), gradients(hidden, keys), strict=True):
        assert float((ours - expected).abs().max() / expected.abs().max()) < tolerance


def test_values_are_picked_by_row_and_column() -> None:
    values = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    picked = pick(values, torch.tensor([[0, 7], [19, 7]]))
    assert torch.equal(picked[1, 0], values[1, :, 3, 4].float())
    assert torch.equal(picked[0, 1], values[0, :, 1, 2].float())
    assert F.mse_loss(picked[1, 1], values[1, :, 1, 2].float()) == 0
