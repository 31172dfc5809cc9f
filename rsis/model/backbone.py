"""torchvision's backbones, cut off where they are read."""

from torch import nn

from rsis.model.backbone_weights import load_backbone_weights
from rsis.model.vision import create_feature_extractor, torchvision

# Where each backbone is read, shallowest first.
_STRIDES = (2, 4, 8, 16, 32)
_RESNET_NODES = ("relu", "layer1", "layer2", "layer3", "layer4")
_VGG16_NODES = ("features.4", "features.9", "features.16", "features.23", "features.30")
_BOTTLENECK_WIDTHS = (64, 256, 512, 1024, 2048)
_BASIC_WIDTHS = (64, 64, 128, 256, 512)
_VGG16_WIDTHS = (64, 128, 256, 512, 512)
_LEVELS = {
    "resnet18": (_RESNET_NODES, _BASIC_WIDTHS),
    "resnet34": (_RESNET_NODES, _BASIC_WIDTHS),
    "resnet50": (_RESNET_NODES, _BOTTLENECK_WIDTHS),
    "resnet101": (_RESNET_NODES, _BOTTLENECK_WIDTHS),
    "vgg16": (_VGG16_NODES, _VGG16_WIDTHS),
}


def make_backbone(name: str, weights: str | None, stride: int) -> tuple[nn.Module, dict[str, int]]:
    """Return a backbone that maps images to a dict of features, and the channels of each, shallowest first.

    Args:
        name: resnet18, resnet34, resnet50, resnet101 or vgg16.
        weights: What it starts from, see `load_backbone_weights`; None = random.
        stride: Of the deepest level, 2 to 32; what lies deeper is left out. The levels have strides 2, 4, ..., stride.

    Raises:
        UserError: See `load_backbone_weights`.
    """
    depth = _STRIDES.index(stride) + 1
    nodes, widths = _LEVELS[name][0][:depth], _LEVELS[name][1][:depth]
    network = torchvision.models.get_model(name, weights=None)
    if weights is not None:
        load_backbone_weights(network, name, weights)
    return create_feature_extractor(network, {node: node for node in nodes}), dict(zip(nodes, widths, strict=True))
