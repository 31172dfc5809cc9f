"""Inference: from images to run-length masks at the original size, ours compared with the literal implementation."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from benchmarks.cases import Case, Shape, make_networks, paper_model
from benchmarks.literal.model import LiteralRSIS, copy_weights_back, normalized
from benchmarks.literal.training import predict as literal_predict
from benchmarks.measure import Settings, interleave
from benchmarks.results import Row
from rsis.config.runs import PredictSection
from rsis.model.network import RSISNetwork
from rsis.predict.run import predict_batch

ORIGINAL = (375, 500)  # (H, W), a common size in Pascal VOC


def cases(settings: Settings) -> list[Case]:
    """Return the cases of inference."""
    if settings.quick:
        wanted = [(2, 3, 3), (2, 6, 2)]
        model, size, original = paper_model("resnet18", (16, 16, 8, 8, 4)), (64, 64), (75, 100)
    else:
        wanted = [(1, 10, 10), (8, 10, 10), (1, 20, 20), (8, 20, 20), (1, 20, 5), (8, 20, 5)]
        model, size, original = paper_model("resnet101"), (256, 256), ORIGINAL
    found = []
    for batch, steps, objects in wanted:
        shape = Shape(model, size, batch, steps)
        name = f"{shape.name}, {objects} objects an image"
        found.append(
            Case(
                "inference",
                name,
                partial(_predict, shape, objects, original, settings, name),
            )
        )
    return found


def _predict(shape: Shape, objects: int, original: tuple[int, int], settings: Settings, name: str) -> list[Row]:
    generator = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (shape.batch, 3, *shape.size), generator=generator, dtype=torch.uint8)
    images = images.to(settings.device)
    ours, literal = make_networks(shape.model, settings.device)
    teach_length(ours, literal, images, shape.steps, objects)
    ours = ours.eval().to(memory_format=torch.channels_last)
    section = PredictSection(num_steps=shape.steps, batch_size=shape.batch)
    sizes = [original] * shape.batch
    named = [(str(number), size) for number, size in enumerate(sizes)]
    calls: dict[str, Callable[[], object]] = {
        "ours": partial(predict_batch, ours, images, named, section),
        "literal": partial(literal_predict, literal.eval(), images, sizes, section),
    }
    taken = interleave(calls, settings.effort, settings.device)
    return [
        Row(
            "inference",
            name,
            taken["ours"],
            against="literal, all steps",
            baseline=taken["literal"],
            items=shape.batch,
        )
    ]


@torch.no_grad()
def teach_length(ours: RSISNetwork, literal: LiteralRSIS, images: torch.Tensor, steps: int, objects: int) -> None:
    """Set the weights of two random networks so that they predict a given number of objects, as trained ones would.

    BatchNorm gets the statistics of these images; without them a deep random network saturates. The objectness head is
    then fitted to its inputs by least squares, with the target +5 at the first `objects` steps and -5 after them.

    Args:
        ours: Our network; it gets the literal network's weights at the end.
        literal: The literal network, which is fitted.
        images: uint8 [B, 3, H, W].
        steps: T.
        objects: 1..T.
    """
    norms = [layer for layer in literal.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    literal.train()
    inputs = normalized(images, torch.float32)
    # more than one image, or the statistics of a 1 x 1 map have no variance
    literal(torch.cat([inputs, inputs.flip(-1)]), 1)
    for norm in norms:
        norm.momentum = 0.1
    literal.eval()
    seen: list[torch.Tensor] = []
    head = literal.decoder.objectness_head
    hook = head.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].double()))
    literal(inputs, steps)
    hook.remove()
    features = torch.stack(seen, dim=1).flatten(0, 1)  # [B*T, sum of D]
    features = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    wanted = torch.where(torch.arange(steps) < objects, 5.0, -5.0).to(features)  # [T]
    wanted = wanted.repeat(len(images))[:, None]
    solution = torch.linalg.pinv(features, rtol=1e-6) @ wanted
    head.weight.copy_(solution[:-1].T)
    head.bias.copy_(solution[-1])
    copy_weights_back(literal, ours)
