"""The network, one decoder step at a time, in contiguous NCHW."""

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from rsis.config.runs import ModelSection
from rsis.structures import RSISOutput

State = list[tuple[torch.Tensor, torch.Tensor]]
"""Hidden and cell state of each ConvLSTM, deepest first, each [B, D, h, w]."""

_WIDTHS = {
    "resnet18": (512, 256, 128, 64, 64),
    "resnet34": (512, 256, 128, 64, 64),
    "resnet50": (2048, 1024, 512, 256, 64),
    "resnet101": (2048, 1024, 512, 256, 64),
}
_RENAMED = {
    "encoder.backbone.": "encoder.base.",
    "encoder.skips.": "encoder.projections.",
    "decoder.layers.": "decoder.cells.",
}


class LiteralEncoder(nn.Module):
    """The outputs of a torchvision ResNet's blocks, each followed by a convolution and a BatchNorm.

    Args:
        section: The architecture; `coordinates` must be none or polar.
        widths: Channels of each skip, deepest first.
    """

    def __init__(self, section: ModelSection, widths: list[int]) -> None:
        super().__init__()
        self.base = torchvision.models.get_model(section.backbone, weights=None)
        self.polar = section.coordinates == "polar"
        left_out = {32: 0, 16: 1, 8: 2}[section.stride]
        if left_out:
            self.base.layer4 = nn.Identity()
        if left_out > 1:
            self.base.layer3 = nn.Identity()
        self.base.fc = nn.Identity()
        self.left_out = left_out
        channels = _WIDTHS[section.backbone][left_out:][: len(widths)]
        extra = 5 if self.polar else 0
        self.projections = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channel + extra, width, section.kernel_size, padding=section.kernel_size // 2),
                nn.BatchNorm2d(width),
            )
            for channel, width in zip(channels, widths, strict=True)
        )

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the skips of [B, 3, H, W], deepest first."""
        base = self.base
        first = base.relu(base.bn1(base.conv1(images)))
        second = base.layer1(base.maxpool(first))
        third = base.layer2(second)
        fourth = base.layer3(third)
        fifth = base.layer4(fourth)
        features = [fifth, fourth, third, second, first][self.left_out :]
        skips = []
        for feature, projection in zip(features, self.projections, strict=False):
            if self.polar:
                feature = torch.cat([feature, _polar(feature)], dim=1)
            skips.append(projection(feature))
        return skips


class LiteralConvLSTM(nn.Module):
    """One step of a ConvLSTM: one convolution over [input | hidden] for all four gates."""

    def __init__(self, input_width: int, hidden_width: int, kernel_size: int) -> None:
        super().__init__()
        self.hidden_width = hidden_width
        self.gates = nn.Conv2d(input_width + hidden_width, 4 * hidden_width, kernel_size, padding=kernel_size // 2)

    def forward(
        self, inputs: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the next (hidden, cell) for inputs [B, C, h, w]; a state of None is zeros."""
        if state is None:
            batch, _, height, width = inputs.shape
            zeros = inputs.new_zeros(batch, self.hidden_width, height, width)
            state = (zeros, zeros)
        hidden, cell = state
        i, f, o, g = self.gates(torch.cat([inputs, hidden], dim=1)).chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell


class LiteralDecoder(nn.Module):
    """One step: the ConvLSTMs from the deepest on, then the mask, class and objectness heads.

    Args:
        section: The architecture; `skip_mode` must be concat.
        num_classes: K.
    """

    def __init__(self, section: ModelSection, num_classes: int) -> None:
        super().__init__()
        widths = list(section.hidden_widths)
        inputs = [widths[0], *(2 * width for width in widths[:-1])]
        self.cells = nn.ModuleList(
            LiteralConvLSTM(into, width, section.kernel_size) for into, width in zip(inputs, widths, strict=True)
        )
        kernel = section.mask_kernel_size
        self.mask_head = nn.Conv2d(widths[-1], 1, kernel, padding=kernel // 2)
        self.class_head = nn.Linear(sum(widths), num_classes)
        self.objectness_head = nn.Linear(sum(widths), 1)

    def forward(
        self, skips: list[torch.Tensor], state: State | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, State]:
        """Return mask logits [B, 1, h, w], class logits [B, K], objectness logits [B], and the next state."""
        following: State = []
        maxima = []
        hidden = skips[0]
        for level, (cell, skip) in enumerate(zip(self.cells, skips, strict=True)):
            if level == 0:
                inputs = skip
            else:
                raised = F.interpolate(hidden, skip.shape[-2:], mode="bilinear", align_corners=True)
                inputs = torch.cat([raised, skip], dim=1)
            following.append(cell(inputs, None if state is None else state[level]))
            hidden = following[-1][0]
            maxima.append(F.max_pool2d(hidden, hidden.shape[-2:]).flatten(1))  # [B, D]
        twice = F.interpolate(hidden, scale_factor=2, mode="bilinear", align_corners=True)
        side = torch.cat(maxima, dim=1)  # [B, sum of D]
        return self.mask_head(twice), self.class_head(side), self.objectness_head(side).squeeze(1), following


class LiteralRSIS(nn.Module):
    """Encoder and decoder.

    Args:
        section: The architecture. Only the options of the paper's first version and of our demo are implemented: a
            ResNet, concatenated skips, no dropout, no box head, no or polar coordinates.
        num_classes: K.

    Raises:
        ValueError: The section has an option that is not implemented.
    """

    def __init__(self, section: ModelSection, num_classes: int) -> None:
        super().__init__()
        known = section.backbone in _WIDTHS and section.skip_mode == "concat" and not section.box_head
        dropout = section.dropout or section.dropout_class or section.dropout_stop
        if not known or dropout or section.coordinates not in ("none", "polar"):
            raise ValueError(f"the literal network has none of these options: {section}")
        widths = list(section.hidden_widths)
        self.encoder = LiteralEncoder(section, [widths[0], *widths[:-1]])
        self.decoder = LiteralDecoder(section, num_classes)

    def forward(self, images: torch.Tensor, num_steps: int) -> RSISOutput:
        """Run all `num_steps` steps on normalised images [B, 3, H, W]."""
        skips = self.encoder(images)
        state: State | None = None
        masks, classes, objectness = [], [], []
        for _ in range(num_steps):
            mask, class_, present, state = self.decoder(skips, state)
            masks.append(mask.squeeze(1))
            classes.append(class_)
            objectness.append(present)
        return RSISOutput(torch.stack(masks, dim=1), torch.stack(classes, dim=1), torch.stack(objectness, dim=1))


def literal_name(name: str) -> str:
    """Return the name that a weight of `RSISNetwork` has in `LiteralRSIS`."""
    for ours, literal in _RENAMED.items():
        if name.startswith(ours):
            return literal + name.removeprefix(ours)
    return name


def copy_weights(ours: nn.Module, literal: LiteralRSIS) -> None:
    """Copy the weights of `ours`, an `RSISNetwork` of the same section, to the literal network."""
    literal.load_state_dict({literal_name(name): value for name, value in ours.state_dict().items()})


def copy_weights_back(literal: LiteralRSIS, ours: nn.Module) -> None:
    """Copy the weights of the literal network to `ours`, an `RSISNetwork` of the same section."""
    state = literal.state_dict()
    ours.load_state_dict({name: state[literal_name(name)] for name in ours.state_dict()})


def normalized(images: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return uint8 RGB images [B, 3, H, W] normalised with ImageNet's mean and standard deviation, contiguous."""
    scaled = images.to(dtype).contiguous() / 255
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=dtype, device=images.device).view(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225], dtype=dtype, device=images.device).view(1, 3, 1, 1)
    return (scaled - mean) / deviation


def _polar(feature: torch.Tensor) -> torch.Tensor:
    """Return row, column, radius, and sine and cosine of the angle, [B, 5, h, w]; row and column are -1..1."""
    batch, _, height, width = feature.shape
    row = torch.linspace(-1, 1, height, dtype=feature.dtype, device=feature.device).view(height, 1).expand(-1, width)
    column = torch.linspace(-1, 1, width, dtype=feature.dtype, device=feature.device).view(1, width).expand(height, -1)
    radius = torch.sqrt(row**2 + column**2)
    grid = torch.stack([row, column, radius, row / (radius + 0.1), column / (radius + 0.1)])
    return grid.unsqueeze(0).expand(batch, -1, -1, -1)
