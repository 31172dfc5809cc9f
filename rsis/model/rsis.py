"""The whole network, and its checkpoint on disk."""

import torch
from torch import nn

from rsis.config import ModelSection
from rsis.model.conv_lstm import State
from rsis.model.decoder import Decoder, DecoderShape, upsample
from rsis.model.encoder import Encoder
from rsis.structures import RSISOutput

_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, per channel, for images in 0..1: what the backbones were trained with
_STD = (0.229, 0.224, 0.225)


class RSIS(nn.Module):
    """Recurrent semantic instance segmentation (Salvador et al. 2017).

    Args:
        section: The architecture.
        num_classes: K, the data set's classes and class 0.
        pretrained: Whether to read `section.weights`; false when a checkpoint fills the network anyway.
    """

    def __init__(self, section: ModelSection, num_classes: int, *, pretrained: bool = True) -> None:
        super().__init__()
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

    def forward(self, images: torch.Tensor, num_steps: int) -> RSISOutput:
        """Run the network for `num_steps` steps on normalised float images [B, 3, H, W] (see `normalize`)."""
        return self.decode(self.encoder(images), num_steps)[0]

    def decode(
        self, skips: list[torch.Tensor], num_steps: int, states: list[State] | None = None
    ) -> tuple[RSISOutput, list[State]]:
        """Run the decoder alone, from `states` on; see `Decoder.forward`."""
        output: tuple[RSISOutput, list[State]] = self.decoder(skips, num_steps, states)
        return output


def normalize(images: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return uint8 RGB images [B, 3, H, W] scaled to 0..1, less ImageNet's mean, over its deviation."""
    mean = torch.tensor(_MEAN, dtype=dtype, device=images.device)[:, None, None]
    std = torch.tensor(_STD, dtype=dtype, device=images.device)[:, None, None]
    return (images.to(dtype) / 255 - mean) / std


def mask_probs(output: RSISOutput, size: tuple[int, int]) -> torch.Tensor:
    """Return the masks' probabilities [B, T, H, W] at the network's input size (H, W)."""
    return torch.sigmoid(upsample(output.mask_logits, size))
