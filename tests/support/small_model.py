"""A checkpoint of a small network with random weights, which runs fast and finds objects in every picture."""

from pathlib import Path
from typing import Any

import torch

from rsis.checkpoint.file import save_checkpoint
from rsis.checkpoint.info import PREPROCESSING_OF, CheckpointInfo
from rsis.config.runs import ModelSection, PredictSection
from rsis.model.any import make_network
from rsis.model.network import RSISNetwork
from rsis.model.pointer.network import PointerNetwork

SIZE = (48, 64)
CLASSES = ("disc", "square")


CONVLSTM = ModelSection(backbone="resnet18", hidden_widths=(8, 4), stride=8, mask_gain=5.0, coordinates="polar")
POINTER = ModelSection(
    decoder="pointer", backbone="resnet18", stride=16, hidden_width=8, embedding_width=4, normalization="image"
)


def write_small_model(
    path: Path, steps: int = 3, *, confident: bool = True, section: ModelSection = CONVLSTM, **predict: Any
) -> Path:
    """Write a checkpoint whose objectness is above 0.5 at every step or, without `confident`, at none.

    Its run has the name of the file, and these values of `predict`.
    """
    torch.manual_seed(7)
    network = make_network(section, len(CLASSES) + 1)
    assert isinstance(network, RSISNetwork | PointerNetwork)
    with torch.no_grad():
        if isinstance(network, PointerNetwork):  # untrained, it points at one place all the time
            torch.nn.init.normal_(network.decoder.recurrence.pointing.weight, std=3.0)
        network.decoder.objectness_head.bias.fill_(9.0 if confident else -9.0)
    info = CheckpointInfo(
        run=path.stem,
        dataset="drawn",
        class_names=CLASSES,
        size=SIZE,
        model=section.model_dump(mode="json"),
        train={"epochs": 2},
        predict=PredictSection(num_steps=steps, batch_size=2, **predict).model_dump(mode="json"),
        metrics={"val/total": 0.5},
        key="abc",
        preprocessing=PREPROCESSING_OF[section.normalization],
    )
    save_checkpoint(path, network, info)
    return path
