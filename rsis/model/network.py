"""The paper's network: encoder and ConvLSTM decoder."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from rsis.config.runs import ModelSection
from rsis.model.convlstm.decoder import Decoder, DecoderShape, DecoderState, join_steps, upsample
from rsis.model.encoder import Encoder
from rsis.model.normalization import normalize
from rsis.structures import RSISOutput


class RSISNetwork(nn.Module):
    """Recurrent semantic instance segmentation (Salvador et al. 2017).

    Args:
        section: The architecture.
        num_classes: K, the number of classes of the data set plus 1 for class 0.
        pretrained: Whether to load `section.weights`; false when a checkpoint fills the network anyway.
    """

    no_kernels = ("decoder.mask_",)
    """Names of convolutions whose kernels are heads: Muon is not for them."""

    def __init__(self, section: ModelSection, num_classes: int, *, pretrained: bool = True) -> None:
        super().__init__()
        assert section.hidden_widths is not None
        self.normalization = section.normalization
        shape = DecoderShape(
            hidden_widths=section.hidden_widths,
            num_classes=num_classes,
            skip_mode=section.skip_mode,
            kernel_size=section.kernel_size,
            mask_kernel_size=section.mask_kernel_size,
            mask_gain=section.mask_gain,
            mask_bias=section.mask_bias,
            box_head=section.box_head,
            dropout=section.dropout,
            dropout_class=section.dropout_class,
            dropout_stop=section.dropout_stop,
        )
        self.encoder = Encoder(
            section.backbone,
            section.weights if pretrained else None,
            shape.skip_widths,
            kernel_size=section.kernel_size,
            coordinates=section.coordinates,
            stride=section.stride,
        )
        self.decoder = Decoder(shape)

    def forward(self, images: torch.Tensor, num_steps: int, checkpoint_steps: int | None = None) -> RSISOutput:
        """Run the network on normalised images (see `normalize`).

        Args:
            images: float [B, 3, H, W].
            num_steps: T, at least 1.
            checkpoint_steps: Number of decoder steps in a segment of gradient checkpointing: the backward pass runs
                each segment a second time instead of storing its activations. Memory grows half as fast with T, a
                training step takes 20 to 30 % longer (benchmarks/README.md). None stores all activations. The result
                is the same.

        Returns:
            The outputs of all T steps.
        """
        state = self.start(images)
        if checkpoint_steps is None or not torch.is_grad_enabled():
            return self.decode(state, num_steps)[0]
        outputs = []
        for first in range(0, num_steps, checkpoint_steps):
            count = min(checkpoint_steps, num_steps - first)
            output, state = checkpoint(self.decoder, state, count, use_reentrant=False)
            outputs.append(output)
        return join_steps(outputs)

    def start(self, images: torch.Tensor) -> DecoderState:
        """Run the encoder; return the decoder's state before its first step."""
        state: DecoderState = self.decoder.start(self.encoder(images))
        return state

    def decode(self, state: DecoderState, num_steps: int) -> tuple[RSISOutput, DecoderState]:
        """Run `num_steps` decoder steps, starting from `state`; return their outputs and the state after them."""
        output: tuple[RSISOutput, DecoderState] = self.decoder(state, num_steps)
        return output

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """Return uint8 RGB images [B, 3, H, W] as this network wants them, float32."""
        return normalize(images, kind=self.normalization)

    def mask_probs(self, output: RSISOutput, size: tuple[int, int]) -> torch.Tensor:
        """Return the masks' probabilities [B, T, H, W] at the size (H, W) of the images."""
        return mask_probs(output, size)


def mask_probs(output: RSISOutput, size: tuple[int, int]) -> torch.Tensor:
    """Return the mask probabilities [B, T, H, W], 0..1, upsampled to `size` (H, W), the network's input size."""
    return torch.sigmoid(upsample(output.mask_logits, size))
