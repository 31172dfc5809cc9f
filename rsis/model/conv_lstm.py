"""A convolutional LSTM layer that runs over a whole sequence at once."""

import torch
from torch import nn
from torch.nn import functional as F

State = tuple[torch.Tensor, torch.Tensor]
"""Hidden and cell state of a layer, each [B, D, h, w]."""


class ConvLSTM(nn.Module):
    """ConvLSTM without peepholes.

    One convolution over [input | hidden] gives the gates i, f, o, g in that order;
    c = sigmoid(f) * c + sigmoid(i) * tanh(g), h = sigmoid(o) * tanh(c) (released code; the paper cites
    Shi et al. 2015). The convolution is linear, so its input part is computed for all steps together
    (`drive`) and only its hidden part waits for the step before.

    Args:
        input_width: Channels of the input.
        hidden_width: Channels D of the hidden and cell state.
        kernel_size: Odd.
    """

    def __init__(self, input_width: int, hidden_width: int, kernel_size: int) -> None:
        super().__init__()
        self.input_width = input_width
        self.hidden_width = hidden_width
        self.padding = kernel_size // 2
        self.gates = nn.Conv2d(input_width + hidden_width, 4 * hidden_width, kernel_size, padding=self.padding)

    def drive(self, inputs: torch.Tensor, first: int = 0, bias: bool = True) -> torch.Tensor:
        """Return what inputs alone contribute to the gates, [M, 4D, h, w].

        Args:
            inputs: [M, C, h, w], channels `first` .. `first + C - 1` of the layer's input.
            first: Where in the layer's input these channels stand.
            bias: Whether to add the gates' bias; once per layer.
        """
        weight = self.gates.weight[:, first : first + inputs.shape[1]]
        return F.conv2d(inputs, weight, self.gates.bias if bias else None, padding=self.padding)

    def forward(self, drives: torch.Tensor, state: State | None = None) -> tuple[list[torch.Tensor], State]:
        """Run the recurrence.

        Args:
            drives: [T, B, 4D, h, w]: the inputs' whole contribution to the gates at each step.
            state: Where a previous call ended; None starts from zeros.

        Returns:
            The hidden state [B, D, h, w] of each step, and the state to go on from.
        """
        recurrent = self.gates.weight[:, self.input_width :]
        hiddens = []
        for drive in drives.unbind():
            if state is None:
                i, _, o, g = drive.chunk(4, dim=1)
                cell = torch.sigmoid(i) * torch.tanh(g)
            else:
                gates = drive + F.conv2d(state[0], recurrent, padding=self.padding)
                i, f, o, g = gates.chunk(4, dim=1)
                cell = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            state = (hidden, cell)
            hiddens.append(hidden)
        assert state is not None, "at least one step"
        return hiddens, state
