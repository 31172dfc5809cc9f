"""A training step: forward, matching, loss, backward and optimiser, ours compared with the literal one."""

import contextlib
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.cases import (
    NUM_CLASSES,
    Case,
    Shape,
    demo_model,
    demo_training,
    make_batch,
    make_networks,
    paper_model,
    paper_training,
    pointer_model,
    pointer_training,
)
from benchmarks.literal.pointing import LiteralPointing
from benchmarks.literal.training import LiteralTraining
from benchmarks.measure import Measurement, Settings, interleave
from benchmarks.results import Row
from rsis.config.runs import TrainSection
from rsis.model.any import Network
from rsis.model.pointer.network import PointerNetwork
from rsis.structures import Batch
from rsis.train.module import TrainingModule


class OurTraining:
    """Our training step without Lightning, which would need a data loader and a trainer.

    Args:
        network: The network to train.
        section: Parameters of the training; its schedule starts at epoch 0.
        autocast: Whether to use autocast, as with `train.precision: bf16`.
    """

    def __init__(self, network: Network, section: TrainSection, *, autocast: bool = False) -> None:
        self.module = TrainingModule(network, section)
        # as at the start of an epoch: freeze the backbone or train it
        self.module.network.backbone.requires_grad_(self.module.schedule.update_encoder)
        optimizer = self.module.configure_optimizers()
        assert isinstance(optimizer, torch.optim.Optimizer), "constant learning rate"
        self.optimizer = optimizer
        self.autocast = autocast

    def step(self, batch: Batch) -> torch.Tensor:
        """Update the weights once; return the total loss before the update."""
        self.optimizer.zero_grad()
        device = batch.images.device.type
        with torch.autocast(device, torch.bfloat16) if self.autocast else contextlib.nullcontext():
            total = self.module.losses(batch).total
        total.backward()
        self.module.configure_gradient_clipping(self.optimizer, self.module.section.clip_norm)
        self.optimizer.step()
        return total.detach()


def cases(settings: Settings) -> list[Case]:
    """Return the cases of a training step."""
    if settings.quick:
        shapes = [Shape(paper_model("resnet18", (16, 16, 8, 8, 4)), (64, 64), 2, 3)]
        demo = Shape(demo_model(), (64, 64), 2, 3)
    else:
        shapes = [
            Shape(paper_model("resnet34"), (128, 128), 8, 10),
            Shape(paper_model("resnet101"), (256, 256), 4, 10),
            Shape(paper_model("resnet101"), (256, 256), 4, 20),
        ]
        demo = Shape(demo_model(), (96, 96), 8, 13)
    found = [Case("training", shape.name, partial(_step, shape, settings, shape.name)) for shape in shapes]
    found.append(Case("training", f"demo {demo.name}", partial(_step, demo, settings, f"demo {demo.name}", demo=True)))
    size, images, slots = ((64, 64), 2, 3) if settings.quick else ((192, 192), 8, 20)
    name = f"pointer resnet18 {size[0]}x{size[1]} B{images} T{slots + 1}"
    found.append(Case("training", name, partial(_pointer, settings, name, size, images, slots)))
    for shape in shapes[:2]:
        name = f"{shape.name}, frozen encoder"
        found.append(Case("training", name, partial(_frozen, shape, settings, name)))
    return found


def _step(shape: Shape, settings: Settings, name: str, *, demo: bool = False) -> list[Row]:
    section = demo_training(shape.steps) if demo else paper_training(shape.steps)
    batch = make_batch(shape.size, shape.batch, shape.steps, settings.device)
    calls: dict[str, Callable[[], object]] = {}
    for precision in ("fp32", "bf16"):
        ours, literal = make_networks(shape.model, settings.device)
        autocast = precision == "bf16"
        terms = {"use_class": not demo, "use_stop": True}
        calls[f"ours {precision}"] = partial(OurTraining(ours.train(), section, autocast=autocast).step, batch)
        plain = LiteralTraining(literal.train(), section, autocast=autocast, **terms)
        calls[f"literal {precision}"] = partial(plain.step, batch)
    taken = interleave(calls, settings.effort, settings.device)
    return _rows(name, taken, shape.batch)


def _pointer(settings: Settings, name: str, size: tuple[int, int], images: int, slots: int) -> list[Row]:
    batch = make_batch(size, images, slots, settings.device)
    section = pointer_training(slots + 1)
    calls: dict[str, Callable[[], object]] = {}
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        networks = [PointerNetwork(pointer_model(), NUM_CLASSES).to(settings.device).train() for _ in range(2)]
        autocast = precision == "bf16"
        calls[f"ours {precision}"] = partial(OurTraining(networks[0], section, autocast=autocast).step, batch)
        calls[f"literal {precision}"] = partial(LiteralPointing(networks[1], section, autocast=autocast).step, batch)
    taken = interleave(calls, settings.effort, settings.device)
    return _rows(name, taken, images)


def _rows(name: str, taken: dict[str, Measurement], images: int) -> list[Row]:
    """Return a row for each number format, and one for bfloat16 against the literal step in float32."""
    return [
        Row(
            "training",
            f"{name} {precision}",
            taken[f"ours {precision}"],
            against=f"literal {other}",
            baseline=taken[f"literal {other}"],
            items=images,
        )
        for precision, other in (("fp32", "fp32"), ("bf16", "fp32"), ("bf16", "bf16"))
    ]


def _frozen(shape: Shape, settings: Settings, name: str) -> list[Row]:
    batch = make_batch(shape.size, shape.batch, shape.steps, settings.device)
    calls: dict[str, Callable[[], object]] = {}
    for frozen in (True, False):
        network, _ = make_networks(shape.model, settings.device)
        section = paper_training(shape.steps, frozen=frozen)
        calls[str(frozen)] = partial(OurTraining(network.train(), section).step, batch)
    taken = interleave(calls, settings.effort, settings.device)
    return [Row("training", name, taken["True"], against="ours, learning", baseline=taken["False"], items=shape.batch)]
