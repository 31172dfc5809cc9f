"""The measured cases: architectures, training parameters, and batches of random pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.literal.model import LiteralRSIS, copy_weights
from benchmarks.results import Row
from rsis.config.runs import ModelSection, ObjectiveSection, TrainSection
from rsis.model.network import RSISNetwork
from rsis.structures import Batch

NUM_CLASSES = 21  # the twenty classes of Pascal VOC and class 0
PAPER_WIDTHS = (128, 128, 64, 32, 16)
OBJECTIVE = ObjectiveSection(class_weight=0.1, class_from_epoch=0, stop_weight=0.5, stop_from_epoch=0)


@dataclass(frozen=True)
class Case:
    """A measurement that can be run by itself.

    Attributes:
        subject: The part of the project.
        name: Name of the case; unique in its subject.
        measure: Runs the measurement and returns its rows.
    """

    subject: str
    name: str
    measure: Callable[[], list[Row]]


@dataclass(frozen=True)
class Shape:
    """A network and the size of its input.

    Attributes:
        model: Architecture.
        size: (H, W) of the images.
        batch: B.
        steps: T.
    """

    model: ModelSection
    size: tuple[int, int]
    batch: int
    steps: int

    @property
    def name(self) -> str:
        """The shape as text, such as "resnet34 128x128 B8 T10"."""
        return f"{self.model.backbone} {self.size[0]}x{self.size[1]} B{self.batch} T{self.steps}"


def paper_model(backbone: str, widths: tuple[int, ...] = PAPER_WIDTHS) -> ModelSection:
    """Return the paper's architecture, with random weights."""
    return ModelSection.model_validate({"backbone": backbone, "hidden_widths": widths})


def demo_model() -> ModelSection:
    """Return the architecture of the project's demos (params.yaml)."""
    return ModelSection.model_validate(
        {
            "backbone": "resnet18",
            "stride": 16,
            "hidden_widths": (32, 32, 8, 4),
            "mask_gain": 5.0,
            "mask_bias": -2.0,
            "coordinates": "polar",
        }
    )


def pointer_model() -> ModelSection:
    """Return the architecture of the runs on nuclei (params.yaml)."""
    found = {"decoder": "pointer", "backbone": "resnet18", "stride": 16, "normalization": "image"}
    return ModelSection.model_validate(found)


def paper_training(steps: int, *, frozen: bool = False) -> TrainSection:
    """Return the paper's training parameters, with all terms of the loss switched on.

    Args:
        steps: T.
        frozen: Whether the backbone is frozen, as in the paper's first phase.
    """
    return TrainSection(
        epochs=2,
        batch_size=1,
        num_steps=steps,
        lr=1e-3,
        lr_encoder=1e-6,
        weight_decay=1e-6,
        objective=OBJECTIVE,
        encoder_from_epoch=1 if frozen else 0,
    )


def demo_training(steps: int) -> TrainSection:
    """Return the training parameters of the project's demos, with a constant learning rate."""
    objective = ObjectiveSection(stop_weight=0.3, stop_from_epoch=0)
    return TrainSection(
        epochs=1,
        batch_size=1,
        num_steps=steps,
        optimizer="adamw",
        lr=2e-3,
        lr_encoder=2e-3,
        weight_decay=0.01,
        clip_norm=1.0,
        objective=objective,
    )


def pointer_training(steps: int) -> TrainSection:
    """Return training parameters of the pointer decoder: every object's mask, AdamW, own masks on every canvas."""
    objective = ObjectiveSection(
        class_weight=0.3, class_from_epoch=0, stop_weight=0.3, stop_from_epoch=0, own_canvas=1.0, own_canvas_ramp=0.0
    )
    return TrainSection(
        epochs=1,
        batch_size=1,
        num_steps=steps,
        max_instances=steps,
        order="free",
        optimizer="adamw",
        lr=2e-3,
        lr_encoder=2e-3,
        weight_decay=0.01,
        clip_norm=1.0,
        objective=objective,
    )


def make_networks(
    section: ModelSection, device: torch.device, num_classes: int = NUM_CLASSES
) -> tuple[RSISNetwork, LiteralRSIS]:
    """Return our network and the literal one with the same random weights."""
    torch.manual_seed(0)
    ours = RSISNetwork(section, num_classes).to(device)
    literal = LiteralRSIS(section, num_classes).to(device)
    copy_weights(ours, literal)
    return ours, literal


def make_batch(
    size: tuple[int, int], batch: int, slots: int, device: torch.device, num_classes: int = NUM_CLASSES
) -> Batch:
    """Return random pictures with rectangles as objects, the largest first; no pixel is void.

    Args:
        size: (H, W).
        batch: B.
        slots: N; the first image has N objects, so all steps are run, and the following images have fewer and fewer.
        device: The device of the batch.
        num_classes: K.
    """
    generator = torch.Generator().manual_seed(1)
    height, width = size
    counts = torch.tensor([slots - image % slots for image in range(batch)])
    masks = torch.zeros(batch, slots, height, width, dtype=torch.bool)
    corners = torch.rand(batch, slots, 4, generator=generator)
    for image in range(batch):
        for slot in range(int(counts[image])):
            top, left, tall, wide = corners[image, slot].tolist()
            rows = slice(int(top * height * 0.7), int(top * height * 0.7) + max(2, int((0.1 + 0.2 * tall) * height)))
            columns = slice(int(left * width * 0.7), int(left * width * 0.7) + max(2, int((0.1 + 0.2 * wide) * width)))
            masks[image, slot, rows, columns] = True
    order = masks.flatten(2).sum(2).argsort(dim=1, descending=True)
    masks = masks.gather(1, order[..., None, None].expand_as(masks))
    class_ids = torch.randint(1, num_classes, (batch, slots), generator=generator)
    class_ids[torch.arange(slots) >= counts[:, None]] = 0
    images = torch.randint(0, 256, (batch, 3, height, width), generator=generator, dtype=torch.uint8)
    return Batch(images, masks, class_ids, counts, torch.ones(batch, height, width, dtype=torch.bool)).to(device)
