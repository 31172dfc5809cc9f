"""The weights in a checkpoint's file, compared with the network's before memory is taken for either."""

from pathlib import Path

import torch
from safetensors import safe_open

from rsis.config.runs import ModelSection
from rsis.model.any import Network, make_network

_TYPES = {torch.float32: "F32", torch.int64: "I64"}  # safetensors' names


def read_network(path: Path, section: ModelSection, num_classes: int) -> Network:
    """Make a network and fill it with the weights of a file.

    A description may claim a network of any size. So the file is first compared with a network without values, and a
    network of the claimed size is only made when the file holds its weights.

    Args:
        path: The file, safetensors.
        section: The architecture.
        num_classes: K, the data set's classes and class 0.

    Raises:
        ValueError: The file has other tensors than the network, of other shapes or types, or a weight that is not
            finite.
        SafetensorError, OSError: The file is damaged or cannot be read.
    """
    expected = _tensors_of(section, num_classes)
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        if odd := names ^ expected.keys():
            name = min(odd)
            raise ValueError(f"{name[:100]} is {'not in the network' if name in names else 'missing'}")
        for name, value in expected.items():
            part = file.get_slice(name)
            found, wanted = (part.get_dtype(), part.get_shape()), (_TYPES[value.dtype], list(value.shape))
            if found != wanted:
                raise ValueError(f"{name} is {found[0]} {found[1]}, expected {wanted[0]} {wanted[1]}")
        weights = {name: file.get_tensor(name) for name in expected}
    for name, value in weights.items():
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"{name} has a value that is not finite")
    network = make_network(section, num_classes, pretrained=False)
    network.load_state_dict(weights)
    return network


def _tensors_of(section: ModelSection, num_classes: int) -> dict[str, torch.Tensor]:
    """Return the state of such a network, without values where its backbone can be made so."""
    try:
        with torch.device("meta"):
            return make_network(section, num_classes, pretrained=False).state_dict()
    except NotImplementedError:  # a backbone that computes its widths with tensors, as torchvision's RegNet
        return make_network(section, num_classes, pretrained=False).state_dict()
