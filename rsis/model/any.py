"""The networks of a run: `model.decoder` says which."""

from typing import assert_never

from rsis.config.runs import ModelSection
from rsis.model.network import RSISNetwork
from rsis.model.pointer.network import PointerNetwork

Network = RSISNetwork | PointerNetwork


def make_network(section: ModelSection, num_classes: int, *, pretrained: bool = True) -> Network:
    """Return the network of a section.

    Args:
        section: The architecture.
        num_classes: K, the data set's classes and class 0.
        pretrained: Whether to read `section.weights`; false when a checkpoint fills the network anyway.

    Raises:
        UserError: The weights are not there or do not fit.
    """
    match section.decoder:
        case "convlstm":
            return RSISNetwork(section, num_classes, pretrained=pretrained)
        case "pointer":
            return PointerNetwork(section, num_classes, pretrained=pretrained)
        case _ as unknown:
            assert_never(unknown)
