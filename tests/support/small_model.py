"""A checkpoint of a small network with random weights, which runs fast and finds objects in every picture."""

from pathlib import Path

import torch

from rsis.checkpoint.file import CheckpointInfo, save_checkpoint
from rsis.config.runs import ModelSection, PredictSection
from rsis.model.network import RSISNetwork

SIZE = (48, 64)
CLASSES = ("disc", "square")


def write_small_model(path: Path, steps: int = 3, *, confident: bool = True) -> Path:
    """Write a checkpoint whose objectness is above 0.5 at every step or, without `confident`, at none."""
    torch.manual_seed(7)
    section = ModelSection(backbone="resnet18", hidden_widths=(8, 4), stride=8, mask_gain=5.0, coordinates="polar")
    network = RSISNetwork(section, len(CLASSES) + 1)
    with torch.no_grad():
        network.decoder.objectness_head.bias.fill_(9.0 if confident else -9.0)
    info = CheckpointInfo(
        run="small",
        dataset="drawn",
        class_names=CLASSES,
        size=SIZE,
        model=section.model_dump(mode="json"),
        train={"epochs": 2},
        predict=PredictSection(num_steps=steps, batch_size=2).model_dump(mode="json"),
        metrics={"val/total": 0.5},
        key="abc",
    )
    save_checkpoint(path, network, info)
    return path
