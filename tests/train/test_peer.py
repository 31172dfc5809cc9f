"""Training of Mask R-CNN: its targets, its losses under our names, and that it learns and resumes as ours do."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from support.peer_case import SECTION, drawn_batch, with_few_proposals
from support.short_training import KillAtEnd, Killed, outputs, paths_in, run_with, train_quietly, write_processed

from rsis.checkpoint.file import load_checkpoint
from rsis.config.runs import PredictSection, RunSection, TrainSection
from rsis.model.peers.mask_rcnn import MaskRCNNNetwork
from rsis.predict.decode import find_objects
from rsis.structures import Batch, Losses
from rsis.train.module import TrainingModule
from rsis.train.peer import targets


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> TrainingModule:
    with_few_proposals(monkeypatch)
    torch.manual_seed(0)
    section = TrainSection(epochs=1, batch_size=4, num_steps=5, lr=1e-3, lr_encoder=1e-3)
    return TrainingModule(MaskRCNNNetwork(SECTION, 3), section)


def values(losses: Losses) -> dict[str, float]:
    found = {field.name: getattr(losses, field.name) for field in fields(losses)}
    return {name: float(value.detach()) for name, value in found.items() if value is not None}


def test_targets_are_the_objects_that_can_be_seen() -> None:
    masks = torch.zeros(2, 4, 8, 10, dtype=torch.bool)
    masks[0, 0, 2:5, 3:9] = True
    masks[0, 1, 7, 0] = True  # one pixel
    masks[0, 2, 0, 5:9] = True  # where the annotation says nothing
    classes = torch.tensor([[2, 1, 1, 0], [0, 0, 0, 0]])
    valid = torch.ones(2, 8, 10, dtype=torch.bool)
    valid[0, 0] = valid[0, :, 8] = False
    images = torch.zeros(2, 3, 8, 10, dtype=torch.uint8)
    first, second = targets(Batch(images, masks, classes, torch.tensor([3, 0]), valid))
    assert first["boxes"].tolist() == [[2.5, 1.5, 7.5, 4.5], [-0.5, 6.5, 0.5, 7.5]]
    assert first["labels"].tolist() == [2, 1]
    assert first["masks"].sum(dim=(1, 2)).tolist() == [15, 1]
    assert second["boxes"].shape == (0, 4)
    assert second["masks"].shape == (0, 8, 10)


def test_the_total_is_the_sum_of_all_terms(module: TrainingModule) -> None:
    found = values(module.train().losses(drawn_batch()))
    assert set(found) == {"total", "mask", "class_", "stop", "box"}
    assert found["total"] == pytest.approx(sum(value for name, value in found.items() if name != "total"), rel=1e-5)


def test_pictures_without_objects_have_losses_and_gradients(module: TrainingModule) -> None:
    batch = drawn_batch(2)
    empty = replace(
        batch,
        target_masks=torch.zeros_like(batch.target_masks),
        class_ids=torch.zeros_like(batch.class_ids),
        num_instances=torch.zeros_like(batch.num_instances),
    )
    losses = module.train().losses(empty)
    assert values(losses)["mask"] == 0
    losses.total.backward()
    assert all(parameter.grad is not None for parameter in module.network.parameters())


def test_validation_changes_nothing_and_is_the_same_each_time(module: TrainingModule) -> None:
    module.eval()
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with torch.inference_mode():
        first = values(module.losses(drawn_batch()))
        assert torch.equal(torch.rand(3), expected)
        assert values(module.losses(drawn_batch())) == first
    assert not any(part.training for part in module.network.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.network.state_dict().items())
    module.train().losses(drawn_batch()).total.backward()  # nothing made for the validation is in the way


def test_frozen_backbone_gets_no_gradient(module: TrainingModule) -> None:
    module.network.backbone.requires_grad_(False)
    module.train().losses(drawn_batch()).total.backward()
    with_gradient = {name for name, value in module.network.named_parameters() if value.grad is not None}
    assert "detector.backbone.fpn.layer_blocks.0.0.weight" in with_gradient
    assert not any(name.startswith("detector.backbone.body.") for name in with_gradient)


def peer_run(**changes: Any) -> RunSection:
    run = run_with(optimizer="sgd", curriculum=None, objective={}, epochs=2, **changes)
    return run.model_copy(update={"model": SECTION})


@pytest.mark.slow
def test_resumed_run_equals_uninterrupted_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_few_proposals(monkeypatch)
    processed, run = write_processed(tmp_path / "processed"), peer_run()
    whole, broken = (paths_in(tmp_path / name, processed) for name in ("whole", "broken"))
    train_quietly(run, whole)
    build = pl.Trainer.__init__

    def with_killer(self: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **{**kwargs, "callbacks": [*kwargs["callbacks"], KillAtEnd(1)]})

    with monkeypatch.context() as patched:
        patched.setattr(pl.Trainer, "__init__", with_killer)
        with pytest.raises(Killed):
            train_quietly(run, broken)
    torch.rand(7)  # the state of the global generator must not matter
    train_quietly(run, broken)
    assert outputs(broken) == outputs(whole)
    trained, info = load_checkpoint(broken.model)
    assert isinstance(trained, MaskRCNNNetwork)
    assert {"train/box", "val/mask", "val/stop"} <= set(info.metrics)


@pytest.mark.slow
def test_bf16_trains_and_leaves_float32_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_few_proposals(monkeypatch)
    paths = paths_in(tmp_path, write_processed(tmp_path / "processed"))
    train_quietly(peer_run(precision="bf16"), paths)
    network, _ = load_checkpoint(paths.model)
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in network.parameters())


@pytest.mark.learning
def test_learns_two_pictures_by_heart(module: TrainingModule) -> None:
    batch, network = drawn_batch(2), module.network
    optimizer = torch.optim.Adam(network.parameters())
    module.train()
    for step in range(40):
        optimizer.param_groups[0]["lr"] = 1e-3 if step < 30 else 2e-4
        optimizer.zero_grad()
        module.losses(batch).total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
    found = find_objects(network.eval(), batch.images, [(64, 64)] * 2, PredictSection(num_steps=10))
    best = []
    for objects, masks, classes in zip(found, batch.target_masks.numpy(), batch.class_ids.numpy(), strict=True):
        kinds = objects.class_probs.argmax(axis=1) + 1
        for mask, class_id in zip(masks, classes, strict=True):
            best.append(
                max(
                    np.logical_and(m, mask).sum() / np.logical_or(m, mask).sum()
                    for m in objects.masks[kinds == class_id]
                )
            )
    assert min(best) > 0.5
    assert np.mean(best) > 0.85
