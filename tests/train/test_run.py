"""Training runs: what they write, short ones, and errors."""

import json
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from support.short_training import paths_in, run_with, train_quietly

from rsis.checkpoint.file import load_checkpoint
from rsis.checkpoint.info import read_info
from rsis.errors import UserError
from rsis.model.network import RSISNetwork
from rsis.structures import Losses
from rsis.train.module import TrainingModule
from rsis.train.run import TrainPaths

pytestmark = pytest.mark.slow


def test_history_has_a_row_for_every_epoch(uninterrupted: TrainPaths) -> None:
    folder = uninterrupted.history / "plots/metrics"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.tsv")}
    losses = {f"{stage}/{term}.tsv" for stage in ("train", "val") for term in ("total", "mask", "class", "stop")}
    assert losses <= names
    assert {"schedule/num_steps.tsv", "schedule/objects_per_image.tsv", "schedule/lr.tsv"} <= names
    steps = (folder / "schedule/num_steps.tsv").read_text().split()
    assert steps == ["step", "num_steps", "0", "2", "1", "3", "2", "4", "3", "4"]
    facts = json.loads((uninterrupted.history / "run.json").read_text())
    assert facts["epochs"] == 4
    assert 6e5 < facts["parameters"] < 8e5


def test_epochs_without_validation_have_no_validation_figures(tmp_path: Path, processed: Path) -> None:
    paths = paths_in(tmp_path, processed)
    train_quietly(run_with(validate_every=2), paths)
    rows = (paths.history / "plots/metrics/val/mask.tsv").read_text().splitlines()
    assert [row.split()[0] for row in rows] == ["step", "1", "3"]


@pytest.mark.parametrize(("every", "validated"), [(3, [2, 3]), (9, [3]), (4, [3])])
def test_the_last_epoch_is_always_validated(
    tmp_path: Path, processed: Path, uninterrupted: TrainPaths, every: int, validated: list[int]
) -> None:
    """A training can therefore be shortened by `epochs` alone, and still has best weights to keep."""
    run, paths = run_with(validate_every=every, objective={"stop_from_epoch": 0}), paths_in(tmp_path, processed)
    train_quietly(run, paths)
    rows = (paths.history / "plots/metrics/val/total.tsv").read_text().splitlines()[1:]
    assert [int(row.split()[0]) for row in rows] == validated
    assert read_info(paths.model).metrics["val/total"] == pytest.approx(float(rows[-1].split()[1]))
    best = json.loads((paths.history / "run.json").read_text())["best_epoch"]
    assert best in validated


def test_a_validation_of_the_last_epoch_does_not_change_the_training(tmp_path: Path, processed: Path) -> None:
    """Only the last epoch's metrics differ; with keep: last the weights are the same."""
    often, rarely = paths_in(tmp_path / "often", processed), paths_in(tmp_path / "rarely", processed)
    plain = {"objective": {"stop_from_epoch": 0}, "keep": "last"}
    train_quietly(run_with(**plain), often)
    train_quietly(run_with(validate_every=7, **plain), rarely)
    first, second = (load_checkpoint(paths.model)[0].state_dict() for paths in (often, rarely))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("epochs", "batch_size", "batches"), [(5, 3, 10), (1, 6, 1), (1, 2, 3)])
def test_a_short_training_has_a_learning_rate(
    tmp_path: Path, processed: Path, epochs: int, batch_size: int, batches: int
) -> None:
    """One cycle has a warm-up of one batch for ten batches, and none for one batch."""
    paths = paths_in(tmp_path, processed)
    train_quietly(run_with(epochs=epochs, batch_size=batch_size), paths)
    (last,) = paths.state.rglob("last.ckpt")
    assert torch.load(last, weights_only=False)["global_step"] == batches
    network, _ = load_checkpoint(paths.model)
    assert isinstance(network, RSISNetwork)
    pl.seed_everything(0, verbose=False)
    start = RSISNetwork(run_with().model, 3)
    assert not torch.equal(network.decoder.mask_head.weight, start.decoder.mask_head.weight)


def test_what_a_short_training_cannot_reach_is_said(
    tmp_path: Path, processed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        train_quietly(run_with(epochs=1, encoder_from_epoch=1), paths_in(tmp_path, processed))
    warnings = [message for message in caplog.messages if message.startswith("demo: ends after 1 epochs and ")]
    assert [re.sub(r".* epochs and (\w+( \w+){3}).*", r"\1", message) for message in warnings] == [
        "runs 2 of 4",
        "never trains the classes",
        "never trains the objectness",
        "never trains the backbone",
    ]


def test_checkpoint_describes_itself(uninterrupted: TrainPaths) -> None:
    network, info = load_checkpoint(uninterrupted.model)
    assert info.class_names == ("leaf", "stem")
    assert info.size == (32, 32)
    assert info.train["lr"] == 1e-3
    assert network(torch.zeros(1, 3, 32, 32), 2).class_logits.shape == (1, 2, 3)


def test_a_loss_that_is_not_finite_stops_with_its_breakdown(
    tmp_path: Path, processed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = TrainingModule.training_step

    def poisoned(self: TrainingModule, batch: Any, index: int) -> torch.Tensor:
        assert isinstance(self.network, RSISNetwork)
        with torch.no_grad():
            self.network.decoder.mask_head.weight.fill_(float("nan"))
        return step(self, batch, index)

    monkeypatch.setattr(TrainingModule, "training_step", poisoned)
    with pytest.raises(UserError, match=r"not finite in epoch 0, batch 0: total nan, mask nan, class \d.*, stop \d"):
        train_quietly(run_with(), paths_in(tmp_path, processed))
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_validation_loss_that_is_never_finite(
    tmp_path: Path, processed: Path, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    """There are no best weights to keep; the error suggests to keep the last ones."""
    losses = TrainingModule.losses

    def poisoned(self: TrainingModule, batch: Any) -> Losses:
        found = losses(self, batch)
        return found if self.training else replace(found, total=found.total * float("nan"))

    monkeypatch.setattr(TrainingModule, "losses", poisoned)
    run, paths = run_with(epochs=2, keep=keep), paths_in(tmp_path, processed)
    if keep == "last":
        train_quietly(run, paths)
        assert paths.model.is_file()
        return
    for _ in range(2):  # starting the finished training again gives the same error
        with pytest.raises(UserError, match=r"demo: no validation loss was finite .* total nan, .*mask \d.*keep: last"):
            train_quietly(run, paths)
        assert not paths.model.exists()


def test_training_leaves_the_process_as_it_was(tmp_path: Path, processed: Path) -> None:
    train_quietly(run_with(epochs=1), paths_in(tmp_path, processed))
    smallest = torch.tensor(1e-310, dtype=torch.float64)
    assert float(smallest * 1.0) > 0, "denormal numbers are still flushed to zero"


def test_missing_data_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"rsis prepare"):
        train_quietly(run_with(), paths_in(tmp_path, tmp_path / "data/processed/plants"))
    assert not (tmp_path / "state/demo").exists()


def test_frozen_encoder_does_not_move(tmp_path: Path, processed: Path) -> None:
    paths = paths_in(tmp_path, processed)
    train_quietly(run_with(epochs=1, encoder_from_epoch=1), paths)
    trained, _ = load_checkpoint(paths.model)
    assert isinstance(trained, RSISNetwork)
    pl.seed_everything(0, verbose=False)
    start = RSISNetwork(run_with().model, 3)
    name = "layer2.1.conv2.weight"
    assert torch.equal(trained.encoder.backbone.get_parameter(name), start.encoder.backbone.get_parameter(name))
    assert not torch.equal(trained.decoder.mask_head.weight, start.decoder.mask_head.weight)


def test_bf16_trains_and_leaves_float32_weights(tmp_path: Path, processed: Path) -> None:
    paths = paths_in(tmp_path, processed)
    train_quietly(run_with(epochs=1, precision="bf16"), paths)
    network, _ = load_checkpoint(paths.model)
    assert all(torch.isfinite(weight).all() for weight in network.parameters())
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    assert json.loads((paths.history / "run.json").read_text())["precision"] == "bf16-mixed"
