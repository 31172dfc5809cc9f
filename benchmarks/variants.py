"""Variants of our network on a GPU: as it is, compiled by torch, and as CUDA graphs."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from benchmarks.cases import Case, Shape, make_batch, make_networks, paper_model, paper_training
from benchmarks.inference import ORIGINAL, teach_length
from benchmarks.literal.training import LiteralTraining
from benchmarks.literal.training import predict as literal_predict
from benchmarks.measure import Measurement, Settings, interleave
from benchmarks.results import Row
from benchmarks.roofline import achieved, count, measure_ceilings
from benchmarks.training import OurTraining
from rsis.config.runs import PredictSection
from rsis.model.network import RSISNetwork
from rsis.predict.run import predict_batch
from rsis.structures import Batch, RSISOutput

VARIANTS = ("as it is", "compiled", "CUDA graphs")


def cases(settings: Settings) -> list[Case]:
    """Return the cases for a GPU; none without one, since compiling brings no benefit on the CPU."""
    if settings.device.type != "cuda":
        return []
    training = Shape(paper_model("resnet101"), (256, 256), 28, 10)
    inference = [Shape(paper_model("resnet101"), (256, 256), batch, 20) for batch in (1, 8)]
    if settings.quick:
        small = paper_model("resnet18", (16, 16, 8, 8, 4))
        training, inference = Shape(small, (64, 64), 2, 3), [Shape(small, (64, 64), 1, 3)]
    name = f"step of {training.name} bf16"
    found = [Case("variants", name, partial(train_variants, training, settings, VARIANTS))]
    for shape in inference:
        name = f"inference of {shape.name}"
        found.append(Case("variants", name, partial(predict_variants, shape, settings, VARIANTS)))
    return found


class _Flat(nn.Module):
    """A network with one argument and a tuple of tensors as output, as CUDA graphs require."""

    def __init__(self, network: RSISNetwork, num_steps: int) -> None:
        super().__init__()
        self.network = network
        self.num_steps = num_steps

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        output = self.network(images, self.num_steps)
        return output.mask_logits, output.class_logits, output.objectness_logits


class _Graphed(nn.Module):
    """A network whose forward and backward passes are CUDA graphs for one shape."""

    def __init__(self, network: RSISNetwork, images: torch.Tensor, num_steps: int) -> None:
        super().__init__()
        self.num_steps = num_steps
        # weights that autocast has cast must not be cached from a capture to a replay
        with torch.autocast("cuda", torch.bfloat16, enabled=torch.is_autocast_enabled("cuda"), cache_enabled=False):
            self.replay: Any = torch.cuda.make_graphed_callables(_Flat(network, num_steps), (images,))

    def forward(self, images: torch.Tensor, num_steps: int) -> RSISOutput:
        assert num_steps == self.num_steps, "a graph has one length"
        masks, classes, objectness = self.replay(images)
        return RSISOutput(masks, classes, objectness)


def train_variants(shape: Shape, settings: Settings, variants: tuple[str, ...]) -> list[Row]:
    """Measure a bfloat16 training step in different variants, compared with the literal ones.

    Args:
        shape: Network and batch.
        settings: Device and rounds.
        variants: Names from `VARIANTS`; the row of one that fails has the reason.
    """
    ceilings, _ = measure_ceilings(settings)
    batch = make_batch(shape.size, shape.batch, shape.steps, settings.device)
    section = paper_training(shape.steps)
    calls: dict[str, Callable[[], object]] = {}
    for autocast in (False, True):
        _, literal = make_networks(shape.model, settings.device)
        plain = LiteralTraining(literal.train(), section, use_class=True, use_stop=True, autocast=autocast)
        calls[f"literal {'bf16' if autocast else 'fp32'}"] = partial(plain.step, batch)
    failed: dict[str, str] = {}
    for variant in variants:
        ours, _ = make_networks(shape.model, settings.device)
        training = OurTraining(ours.train(), section, autocast=True)
        try:
            _prepare_training(training, variant, batch)
            training.step(batch)
        except Exception as error:  # compilers raise many kinds of error; the row shows it
            failed[variant] = _reason(error)
            continue
        calls[variant] = partial(training.step, batch)
    taken = interleave(calls, settings.effort, settings.device)
    rows = []
    for variant in variants:
        case = f"step of {shape.name} bf16, {variant}"
        if variant in failed:
            rows.append(_failed_row(case, failed[variant]))
            continue
        note = ""
        if variant == "as it is":  # the others hide their operations from the counters
            note = achieved(count(calls[variant]), taken[variant].median, ceilings, "bf16")
        for other in ("literal fp32", "literal bf16"):
            rows.append(Row("variants", case, taken[variant], "s", other, taken[other], shape.batch, note))
    return rows


def _prepare_training(training: OurTraining, variant: str, batch: Batch) -> None:
    if variant == "compiled":
        training.module.network.compile()
    elif variant == "CUDA graphs":
        images = torch.zeros(batch.images.shape, device=batch.images.device)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cuda", torch.bfloat16):
            graphed = _Graphed(training.module.network, images, training.module.schedule.num_steps)
        training.module.network = graphed  # type: ignore[assignment]


def predict_variants(shape: Shape, settings: Settings, variants: tuple[str, ...]) -> list[Row]:
    """Measure inference in different variants, compared with the literal one; see `train_variants`."""
    generator = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (shape.batch, 3, *shape.size), generator=generator, dtype=torch.uint8)
    images = images.to(settings.device)
    section = PredictSection(num_steps=shape.steps, batch_size=shape.batch)
    sizes = [ORIGINAL] * shape.batch
    named = [(str(number), size) for number, size in enumerate(sizes)]
    calls: dict[str, Callable[[], object]] = {}
    failed: dict[str, str] = {}
    for variant in variants:
        ours, literal = make_networks(shape.model, settings.device)
        teach_length(ours, literal, images, shape.steps, shape.steps)
        calls["literal"] = partial(literal_predict, literal.eval(), images, sizes, section)
        ours.requires_grad_(False)  # a graph of the forward pass alone
        network: nn.Module = ours.eval().to(memory_format=torch.channels_last)
        try:
            if variant == "compiled":
                network.compile()
            elif variant == "CUDA graphs":
                blank = torch.zeros(images.shape, device=images.device)
                network = _Graphed(ours, blank.contiguous(memory_format=torch.channels_last), shape.steps).eval()
            predict_batch(network, images, named, section)  # type: ignore[arg-type]
        except Exception as error:  # as above
            failed[variant] = _reason(error)
            continue
        calls[variant] = partial(predict_batch, network, images, named, section)  # type: ignore[arg-type]
    taken = interleave(calls, settings.effort, settings.device)
    return list(_predict_rows(shape, variants, taken, failed))


def _predict_rows(
    shape: Shape, variants: tuple[str, ...], taken: dict[str, Measurement], failed: dict[str, str]
) -> Iterator[Row]:
    for variant in variants:
        case = f"inference of {shape.name}, {variant}"
        if variant in failed:
            yield _failed_row(case, failed[variant])
        else:
            yield Row("variants", case, taken[variant], "s", "literal", taken["literal"], shape.batch)


def _failed_row(case: str, reason: str) -> Row:
    return Row("variants", case, Measurement(0.0, 0.0, 0), note=f"does not work: {reason}")


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
