"""The ConvLSTM against torch's LSTM cell, and against a slow twin that runs one step at a time."""

import pytest
import torch

from rsis.model.convlstm.layer import ConvLSTM, State


def test_with_1x1_kernels_it_is_an_lstm_cell_at_every_pixel() -> None:
    torch.manual_seed(0)
    layer = ConvLSTM(3, 4, kernel_size=1).double()
    cell = torch.nn.LSTMCell(3, 4).double()
    weight = layer.gates.weight.detach()[:, :, 0, 0]
    i, f, o, g = weight.chunk(4)
    bi, bf, bo, bg = layer.gates.bias.detach().chunk(4)
    with torch.no_grad():  # torch orders the gates i, f, g, o
        cell.weight_ih.copy_(torch.cat([i, f, g, o])[:, :3])
        cell.weight_hh.copy_(torch.cat([i, f, g, o])[:, 3:])
        cell.bias_ih.copy_(torch.cat([bi, bf, bg, bo]))
        cell.bias_hh.zero_()
    inputs = torch.randn(5, 2, 3, 4, 6, dtype=torch.float64)  # [T, B, C, h, w]
    hiddens, state = layer(5, layer.drive(inputs.flatten(0, 1)))
    expected = None
    for x, hidden in zip(inputs, hiddens.unflatten(0, (5, 2)), strict=True):
        expected = cell(x.permute(0, 2, 3, 1).reshape(-1, 3), expected)
        torch.testing.assert_close(hidden.permute(0, 2, 3, 1).reshape(-1, 4), expected[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(state[1].permute(0, 2, 3, 1).reshape(-1, 4), expected[1], rtol=1e-12, atol=1e-14)


def slowly(layer: ConvLSTM, inputs: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
    """The slow twin: at each step one convolution over input and hidden state; autograd's backward pass."""
    shape = (inputs.shape[1], layer.hidden_width, *inputs.shape[-2:])
    hidden, cell = (torch.zeros(shape, dtype=inputs.dtype),) * 2 if state is None else state
    hiddens = []
    for x in inputs:
        i, f, o, g = layer.gates(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        hiddens.append(hidden)
    return torch.cat(hiddens), (hidden, cell)


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("given", ["drives", "constant", "both"])
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("resumed", [False, True])
def test_agrees_with_one_convolution_a_step_and_so_do_its_gradients(
    kernel_size: int, given: str, steps: int, resumed: bool
) -> None:
    torch.manual_seed(1)
    layer = ConvLSTM(3, 2, kernel_size).double()
    moving = torch.randn(steps, 2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    still = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    state = (torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True),) * 2 if resumed else None
    weights = torch.randn(steps * 2 + 4, 2, 5, 4, dtype=torch.float64)
    leaves = [*layer.parameters(), moving, still, *(state or ())]

    def gradients(hiddens: torch.Tensor, end: State) -> list[torch.Tensor | None]:
        total = (torch.cat([hiddens, *end]) * weights).sum()
        return list(torch.autograd.grad(total, leaves, allow_unused=True))

    drives = None if given == "constant" else layer.drive(moving.flatten(0, 1), bias=given == "drives")
    constant = None if given == "drives" else layer.drive(still)
    found, end = layer(steps, drives, constant, state)
    inputs = moving * (given != "constant") + still * (given != "drives")
    expected, expected_end = slowly(layer, inputs, state)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(end, expected_end, rtol=1e-12, atol=1e-14)
    for ours, theirs in zip(gradients(found, end), gradients(expected, expected_end), strict=True):
        if ours is None:  # this input was None
            assert theirs is None or not theirs.any()
        else:
            assert theirs is not None
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_its_gradients_are_those_of_differences() -> None:
    torch.manual_seed(3)
    layer = ConvLSTM(1, 2, 3).double()
    drives = torch.randn(3, 8, 3, 2, dtype=torch.float64, requires_grad=True)
    constant = torch.randn(1, 8, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d, c: layer(3, d, c)[0], (drives, constant))


def test_a_last_cell_that_alone_is_used_has_gradients_too() -> None:
    torch.manual_seed(4)
    layer = ConvLSTM(1, 2, 3).double()
    drives = torch.randn(2, 8, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d: layer(2, d)[1][1], (drives,))


def test_goes_on_from_a_state() -> None:
    torch.manual_seed(2)
    layer = ConvLSTM(3, 2, 3).double()
    drives = layer.drive(torch.randn(5, 3, 4, 4, dtype=torch.float64))
    whole, end = layer(5, drives)
    first, state = layer(2, drives[:2])
    second, end_in_parts = layer(3, drives[2:], None, state)
    assert torch.equal(torch.cat([first, second]), whole)
    assert torch.equal(end[1], end_in_parts[1])


def test_works_in_bfloat16_under_autocast() -> None:
    torch.manual_seed(5)
    layer = ConvLSTM(3, 4, 3)
    inputs = torch.randn(6, 3, 5, 5, requires_grad=True)
    expected, _ = layer(3, layer.drive(inputs))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = layer(3, layer.drive(inputs))
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=2e-2)
    found.float().sum().backward()
    assert inputs.grad is not None
    assert bool(inputs.grad.isfinite().all())
