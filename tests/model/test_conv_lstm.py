"""The ConvLSTM against torch's own LSTM cell and against one step at a time."""

import pytest
import torch

from rsis.model.conv_lstm import ConvLSTM


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
    hiddens, state = layer(torch.stack([layer.drive(x) for x in inputs]))
    expected = None
    for x, hidden in zip(inputs, hiddens, strict=True):
        expected = cell(x.permute(0, 2, 3, 1).reshape(-1, 3), expected)
        torch.testing.assert_close(hidden.permute(0, 2, 3, 1).reshape(-1, 4), expected[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(state[1].permute(0, 2, 3, 1).reshape(-1, 4), expected[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_agrees_with_one_convolution_over_input_and_hidden(kernel_size: int) -> None:
    torch.manual_seed(1)
    layer = ConvLSTM(3, 2, kernel_size).double()
    inputs = torch.randn(4, 2, 3, 5, 5, dtype=torch.float64)
    hiddens, _ = layer(torch.stack([layer.drive(x) for x in inputs]))
    hidden = cell = torch.zeros(2, 2, 5, 5, dtype=torch.float64)
    for x, found in zip(inputs, hiddens, strict=True):
        i, f, o, g = layer.gates(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        torch.testing.assert_close(found, hidden, rtol=1e-12, atol=1e-14)


def test_goes_on_from_a_state() -> None:
    torch.manual_seed(2)
    layer = ConvLSTM(3, 2, 3).double()
    drives = torch.stack([layer.drive(x) for x in torch.randn(5, 1, 3, 4, 4, dtype=torch.float64)])
    whole, end = layer(drives)
    first, state = layer(drives[:2])
    second, end_in_parts = layer(drives[2:], state)
    assert all(torch.equal(a, b) for a, b in zip(whole, first + second, strict=True))
    assert torch.equal(end[1], end_in_parts[1])
