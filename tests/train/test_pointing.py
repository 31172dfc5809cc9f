"""Training of the pointer decoder: its sequence beside the truth, its sum of terms, and that it learns."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.short_training import RUN, KillAtEnd, Killed, outputs, paths_in, train_quietly, write_processed

import rsis.train.run as training
from rsis.checkpoint.file import load_checkpoint
from rsis.config.runs import ModelSection, PredictSection, RunSection, TrainSection
from rsis.data.prepared.file import PreparedSplit
from rsis.data.prepared.writer import SplitOrigin, write_split
from rsis.loss.criterion import at_least_one
from rsis.model.any import make_network
from rsis.model.pointer.network import PointerNetwork
from rsis.predict.decode import find_objects
from rsis.structures import Batch, Losses, RawSample
from rsis.train.pointing import pointer_losses

MODEL = {"decoder": "pointer", "backbone": "resnet18", "stride": 16, "normalization": "image"}


def pointer_run(**changes: Any) -> RunSection:
    train = {**RUN["train"], "curriculum": None, "order": "free", **changes}
    return RunSection.model_validate({**RUN, "model": MODEL, "train": train})


def network() -> PointerNetwork:
    torch.manual_seed(0)
    found = make_network(ModelSection.model_validate(MODEL), 3)
    assert isinstance(found, PointerNetwork)
    return found


def batch_of(count: int = 2, size: tuple[int, int] = (64, 48)) -> Batch:
    torch.manual_seed(1)
    masks = torch.zeros(count, 4, *size, dtype=torch.bool)
    for b in range(count):
        for n in range(4 - b):
            masks[b, n, 16 * n : 16 * n + 12, 4 + 8 * b : 24 + 8 * b] = True
    numbers = torch.tensor([4 - b for b in range(count)])
    ids = (torch.arange(4) < numbers[:, None]).long() * (1 + torch.arange(4) % 2)
    images = torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8)
    return Batch(images, masks, ids, numbers, torch.ones(count, *size, dtype=torch.bool))


def losses_of(model: PointerNetwork, batch: Batch, own: float = 0.0, **changes: Any) -> Losses:
    torch.manual_seed(2)
    section = TrainSection.model_validate({**RUN["train"], "curriculum": None, "order": "free", **changes})
    images = model.normalize(batch.images)
    return pointer_losses(
        model, images, batch, section, num_steps=5, own_canvas=own, use_class=True, use_stop=True, divisor=at_least_one
    )


def test_the_total_is_the_weighted_sum_of_its_terms() -> None:
    weights = {
        "mask_weight": 2.0,
        "class_weight": 0.3,
        "stop_weight": 0.7,
        "pointing_weight": 1.5,
        "geometry_weight": 0.4,
    }
    losses = losses_of(network(), batch_of(), objective=weights)
    terms = {field.name: getattr(losses, field.name) for field in fields(losses)}
    assert terms.pop("box") is None
    total = terms.pop("total")
    expected = sum(weights[f"{name.rstrip('_')}_weight"] * float(value.detach()) for name, value in terms.items())
    assert float(total.detach()) == pytest.approx(expected, rel=1e-5)
    total.backward()


@pytest.mark.parametrize("own", [0.0, 1.0])
@pytest.mark.parametrize("order", ["free", "left_to_right"])
def test_every_parameter_learns(own: float, order: str) -> None:
    model = network()
    losses_of(model, batch_of(), own, order=order).total.backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []
    assert all(bool(torch.isfinite(parameter.grad).all()) for parameter in model.parameters())  # type: ignore[arg-type]


def test_padding_slots_and_the_order_of_targets_do_not_matter() -> None:
    """In a free order the network chooses."""
    model, batch = network().eval(), batch_of()
    expected = losses_of(model, batch)
    order = [2, 0, 3, 1]
    shuffled = replace(batch, target_masks=batch.target_masks[:, order], class_ids=batch.class_ids[:, order])
    shuffled = replace(  # present slots first, as a batch has them
        shuffled,
        target_masks=torch.stack([m[torch.argsort(~m.any(dim=(1, 2)), stable=True)] for m in shuffled.target_masks]),
        class_ids=torch.stack([c[torch.argsort(c == 0, stable=True)] for c in shuffled.class_ids]),
    )
    empty = torch.zeros(2, 3, *batch.target_masks.shape[2:], dtype=torch.bool)
    padded = replace(
        batch,
        target_masks=torch.cat([batch.target_masks, empty], dim=1),
        class_ids=torch.cat([batch.class_ids, torch.zeros(2, 3, dtype=torch.int64)], dim=1),
    )
    for other in (shuffled, padded):
        for field in fields(expected):
            if field.name != "box":
                ours, theirs = getattr(expected, field.name), getattr(losses_of(model, other), field.name)
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5, msg=field.name)


def test_what_the_annotation_leaves_open_does_not_matter() -> None:
    model, batch = network().eval(), batch_of(1)
    valid = batch.valid.clone()
    valid[:, :, 32:] = False
    masks = batch.target_masks.clone()
    masks[..., 32:] = False
    first = losses_of(model, replace(batch, valid=valid, target_masks=masks))
    # the mask term sees nothing of what is emitted there, the pointing term asks for nothing there
    assert torch.isfinite(first.total)
    everywhere = losses_of(model, replace(batch, target_masks=masks))
    assert float(first.pointing.detach()) < float(everywhere.pointing.detach())  # type: ignore[union-attr]


def test_images_without_objects() -> None:
    batch = batch_of()
    empty = replace(
        batch,
        target_masks=torch.zeros_like(batch.target_masks),
        class_ids=torch.zeros_like(batch.class_ids),
        num_instances=torch.zeros_like(batch.num_instances),
    )
    losses = losses_of(network(), empty)
    losses.total.backward()
    assert float(losses.mask.detach()) == 0
    assert float(losses.stop.detach()) > 0


def test_a_training_that_was_stopped_goes_on_bit_for_bit(tmp_path: Path) -> None:
    processed = write_processed(tmp_path / "processed")
    run = pointer_run(augment={"flip": True, "border": "mirror", "zoom": (0.8, 1.2), "noise": 0.1}, keep="last")
    whole, parts = paths_in(tmp_path / "whole", processed), paths_in(tmp_path / "parts", processed)
    train_quietly(run, whole)
    trainer = training._trainer

    def killed(section: TrainSection, state: Path, callbacks: list[Any]) -> Any:
        return trainer(section, state, [*callbacks, KillAtEnd(2)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_trainer", killed)
        with pytest.raises(Killed):
            train_quietly(run, parts)
    train_quietly(run, parts)
    for (name, ours), (_, theirs) in zip(outputs(parts).items(), outputs(whole).items(), strict=True):
        assert ours == theirs, name


@dataclass(frozen=True)
class FourPictures:
    """Four pictures of discs in two colours, again and again."""

    image_ids: tuple[str, ...]
    class_names: tuple[str, ...] = ("red", "blue")

    def read(self, image_id: str) -> RawSample:
        rng = np.random.default_rng(int(image_id) % 4)
        image = np.full((64, 64, 3), 60, np.uint8) + rng.integers(0, 20, (64, 64, 3), dtype=np.uint8)
        instance_map = np.zeros((64, 64), np.int32)
        rows, columns = np.mgrid[:64, :64]
        class_ids = []
        for number, corner in enumerate(rng.permutation(9)[: 3 + int(image_id) % 4], start=1):
            centre = (32 + 64 * np.array(divmod(int(corner), 3)) + 2 * rng.integers(-2, 3, 2)) / 3
            disc = np.hypot(rows - centre[0], columns - centre[1]) < rng.uniform(6, 8.7)
            class_ids.append(1 + int(rng.integers(0, 2)))
            instance_map[disc] = number
            image[disc] = ((220, 60, 60), (60, 60, 220))[class_ids[-1] - 1]
        return RawSample(image, instance_map, np.array(class_ids), np.zeros((64, 64), bool), image_id)


@pytest.mark.learning
def test_overfits_four_pictures(tmp_path: Path) -> None:
    """Every object of four pictures, to an IoU of 0.95, its class, and no object more.

    A few long epochs: after each the whole state of the training is written, which takes longer than a step.
    """
    processed = tmp_path / "processed"
    for split, count in (("train", 64), ("val", 4)):
        pictures = FourPictures(tuple(f"{number:03d}" for number in range(count)))
        write_split(pictures, processed / f"{split}.h5", (64, 64), SplitOrigin("x", split, "y"))
    run = pointer_run(
        epochs=12,
        batch_size=4,
        num_steps=8,
        lr=3e-3,
        lr_encoder=3e-3,
        optimizer="muon",
        lr_kernels=0.03,
        augment={},
        validate_every=12,
        keep="last",
        objective={"stop_from_epoch": 0, "class_from_epoch": 0, "class_weight": 0.3},
    )
    paths = paths_in(tmp_path, processed)
    train_quietly(run, paths)
    model, _ = load_checkpoint(paths.model)
    validation = PreparedSplit(processed / "val.h5")
    samples = [validation.read(i) for i in range(4)]
    images = torch.stack([sample.image for sample in samples])
    found = find_objects(model, images, [(64, 64)] * 4, PredictSection(num_steps=10, exclusive=True))
    for sample, objects in zip(samples, found, strict=True):
        targets = [(sample.instance_map == label).numpy() for label in range(1, len(sample.class_ids) + 1)]
        assert len(objects.masks) == len(targets)
        overlaps = np.array([[(m & t).sum() / (m | t).sum() for m in objects.masks] for t in targets])
        assert overlaps.max(axis=1).min() > 0.95
        classes = objects.class_probs.argmax(axis=1)[overlaps.argmax(axis=1)] + 1
        assert classes.tolist() == sample.class_ids.tolist()
