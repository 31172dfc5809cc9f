"""The decoder: a pyramid of ConvLSTM layers that predicts one object at each step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from rsis.model.convlstm.layer import ConvLSTM, State, is_being_exported
from rsis.structures import RSISOutput

SkipMode = Literal["concat", "sum", "mul", "none"]


@dataclass(frozen=True)
class DecoderShape:
    """The decoder's architecture and dropout rates; the fields have the meaning of those in `ModelSection`.

    `mask_gain` and `mask_bias` scale the initial weights of the mask head and shift its initial bias. The default
    initialisation gives logits near 0, so all mask probabilities are near 0.5. An optimiser whose step size is its
    learning rate (Adam) then needs thousands of steps until the weights are large enough for clear masks.
    """

    hidden_widths: Sequence[int]
    num_classes: int
    skip_mode: SkipMode = "concat"
    kernel_size: int = 3
    mask_kernel_size: int = 1
    mask_gain: float = 1.0
    mask_bias: float = 0.0
    box_head: bool = False
    dropout: float = 0.0
    dropout_class: float = 0.0
    dropout_stop: float = 0.0

    @property
    def skip_widths(self) -> list[int]:
        """Channels of each skip, deepest first: the width of h_{i-1}, which skip i is joined with; of h_0 for i = 0."""
        return [self.hidden_widths[0], *self.hidden_widths[:-1]]


@dataclass(frozen=True)
class DecoderState:
    """The state of the decoder between two steps; all following steps depend on it alone.

    Attributes:
        constants: For each layer, deepest first, the input from its skip, which is the same at every step. For the
            deepest layer and in the skip modes "concat" and "sum", the skip's contribution to the gates
            [B, 4D, h, w]. Else the skip itself: a factor in mode "mul", and in mode "none" used for its size only.
        layers: Hidden and cell state of each layer; None before the first step.
    """

    constants: Sequence[torch.Tensor]
    layers: Sequence[State] | None = None


class Decoder(nn.Module):
    """h_0 = ConvLSTM_0(S_0), h_i = ConvLSTM_i([up(h_{i-1}) | S_i]) (paper, section 3.2).

    The mask is computed from the last hidden state, upsampled by two. Class and objectness are computed from the
    spatial maxima of all hidden states; so is the optional box (paper, fourth version). No layer depends on a
    shallower one, so the layers run one after the other, each over all steps, and everything except the
    hidden-to-hidden convolutions runs on T * B images at once.

    Args:
        shape: Widths, modes and dropout rates; dropout is off in eval mode.
    """

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.shape = shape
        widths = list(shape.hidden_widths)
        self.layers = nn.ModuleList()
        for i, (width, skip_width) in enumerate(zip(widths, shape.skip_widths, strict=True)):
            # sum and mul need equal widths, which skip_widths ensures
            input_width = skip_width if i == 0 or shape.skip_mode != "concat" else 2 * skip_width
            self.layers.append(ConvLSTM(input_width, width, shape.kernel_size))
        mask_kernel = shape.mask_kernel_size
        self.mask_head = nn.Conv2d(widths[-1], 1, mask_kernel, padding=mask_kernel // 2)
        with torch.no_grad():
            self.mask_head.weight.mul_(shape.mask_gain)
            assert self.mask_head.bias is not None
            self.mask_head.bias.add_(shape.mask_bias)
        self.class_head = nn.Linear(sum(widths), shape.num_classes)
        self.objectness_head = nn.Linear(sum(widths), 1)
        self.box_head = nn.Linear(sum(widths), 4) if shape.box_head else None

    def start(self, skips: Sequence[torch.Tensor]) -> DecoderState:
        """Return the state before the first step.

        Args:
            skips: Output of the encoder, deepest first, [B, C_i, h_i, w_i].
        """
        constants = []
        for i, (layer, skip) in enumerate(zip(self.layers, skips, strict=True)):
            assert isinstance(layer, ConvLSTM)
            if i == 0 or self.shape.skip_mode == "sum":
                constants.append(layer.drive(skip))
            elif self.shape.skip_mode == "concat":
                constants.append(layer.drive(skip, first=layer.input_width - skip.shape[1]))
            else:
                constants.append(skip)
        return DecoderState(constants)

    def forward(self, state: DecoderState, num_steps: int) -> tuple[RSISOutput, DecoderState]:
        """Run T = `num_steps` steps (at least 1), starting from `state`.

        Returns:
            The outputs of these T steps and the state after them.
        """
        ends: list[State] = []
        maxima = []
        hidden: torch.Tensor | None = None  # [T*B, D_i, h_i, w_i], step-major
        for i, (layer, constant) in enumerate(zip(self.layers, state.constants, strict=True)):
            assert isinstance(layer, ConvLSTM)
            drives = None if hidden is None else self._drives(layer, constant, hidden, num_steps)
            # the deepest layer has the same input at every step
            alike = constant if hidden is None or self.shape.skip_mode in ("concat", "sum") else None
            hidden, end = layer(num_steps, drives, alike, None if state.layers is None else state.layers[i])
            ends.append(end)
            hidden = F.dropout2d(hidden, self.shape.dropout, self.training)
            maxima.append(hidden.amax(dim=(-2, -1)))  # [T*B, D_i]
        assert hidden is not None, "at least one layer"
        return self._read_out(hidden, torch.cat(maxima, dim=1), num_steps), DecoderState(state.constants, ends)

    def _drives(self, layer: ConvLSTM, constant: torch.Tensor, below: torch.Tensor, num_steps: int) -> torch.Tensor:
        """Return the contribution of the next deeper layer to the gates of each step, [T*B, 4D, h, w]."""
        below = upsample(below, (constant.shape[-2], constant.shape[-1]))  # [T*B, D, h, w]
        match self.shape.skip_mode:
            case "none":
                return layer.drive(below)
            case "mul":
                return layer.drive(below * constant.repeat(num_steps, 1, 1, 1))
            case _:
                return layer.drive(below, bias=False)

    def _read_out(self, hidden: torch.Tensor, maxima: torch.Tensor, num_steps: int) -> RSISOutput:
        shape, training = self.shape, self.training
        twice = (2 * hidden.shape[-2], 2 * hidden.shape[-1])
        if shape.mask_kernel_size == 1:  # a 1 x 1 convolution and a resize commute: resize one channel instead of D
            masks = upsample(self.mask_head(hidden), twice)
        else:
            masks = self.mask_head(upsample(hidden, twice))
        masks = masks.squeeze(1)  # [T*B, h, w]
        classes = self.class_head(F.dropout(maxima, shape.dropout_class, training))  # [T*B, K]
        objectness = self.objectness_head(F.dropout(maxima, shape.dropout_stop, training)).squeeze(1)  # [T*B]
        boxes = None if self.box_head is None else torch.sigmoid(self.box_head(maxima))  # [T*B, 4]
        return RSISOutput(
            torch.unflatten(masks, 0, (num_steps, -1)).transpose(0, 1),  # [B, T, h, w]
            torch.unflatten(classes, 0, (num_steps, -1)).transpose(0, 1),  # [B, T, K]
            torch.unflatten(objectness, 0, (num_steps, -1)).transpose(0, 1),  # [B, T]
            None if boxes is None else torch.unflatten(boxes, 0, (num_steps, -1)).transpose(0, 1),  # [B, T, 4]
        )


def join_steps(parts: Sequence[RSISOutput]) -> RSISOutput:
    """Concatenate the outputs of consecutive runs of the decoder along T."""
    boxes = [part.boxes for part in parts if part.boxes is not None]
    return RSISOutput(
        torch.cat([part.mask_logits for part in parts], dim=1),
        torch.cat([part.class_logits for part in parts], dim=1),
        torch.cat([part.objectness_logits for part in parts], dim=1),
        torch.cat(boxes, dim=1) if boxes else None,
    )


def upsample(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize [M, C, h, w] bilinearly to `size` (H, W) with aligned corner pixels, as the released code does."""
    if not is_being_exported() and images.shape[-2:] == size:  # in an export this branch would fix the size
        return images
    return F.interpolate(images, size, mode="bilinear", align_corners=True)
