"""Training runs: resuming, finishing, learning, and errors."""

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from safetensors.torch import save
from support.short_training import outputs, paths_in, run_with, train_quietly, train_until

from rsis.checkpoint.file import load_checkpoint
from rsis.checkpoint.info import read_info
from rsis.data.prepared.writer import SplitOrigin, write_split
from rsis.data.synthetic.plants.dataset import make_plant
from rsis.errors import UserError
from rsis.model.network import RSISNetwork
from rsis.structures import Losses, RawSample
from rsis.train.module import TrainingModule
from rsis.train.run import TrainPaths, train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, processed: Path) -> TrainPaths:
    paths = paths_in(tmp_path_factory.mktemp("whole"), processed)
    train_quietly(run_with(), paths)
    return paths


@pytest.mark.parametrize(
    "changes",
    [{}, {"keep": "last", "average_decay": 0.5, "epochs": 2}, {"workers": 1, "epochs": 2}, {"validate_every": 3}],
    ids=str,
)
def test_resumed_run_equals_uninterrupted_bit_for_bit(
    tmp_path: Path,
    processed: Path,
    uninterrupted: TrainPaths,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    run = run_with(**changes)
    whole, broken = uninterrupted, paths_in(tmp_path / "broken", processed)
    if changes:
        whole = paths_in(tmp_path / "whole", processed)
        train_quietly(run, whole)
    assert run.train.epochs is not None
    for epoch in range(1, run.train.epochs, 2):  # killed in the middle of epoch 1, and again in the middle of epoch 3
        train_until(epoch, run, broken, monkeypatch)
        assert not broken.model.exists()
    torch.rand(7)  # the state of the global generator must not matter
    before = torch.load(next(broken.state.rglob("last.ckpt")), weights_only=False)["callbacks"]["History"]["seconds"]
    train_quietly(run, broken)
    assert outputs(broken) == outputs(whole)
    # the training time includes that of the killed processes, up to their last finished epoch
    assert json.loads((broken.history / "run.json").read_text())["seconds"] >= round(before, 1) > 0


def test_killed_for_real_and_started_again(tmp_path: Path, processed: Path, uninterrupted: TrainPaths) -> None:
    """SIGKILL from outside as soon as the first epoch is on disk."""
    script = (
        "import sys; from pathlib import Path\n"
        "from rsis.config.runs import RunSection; from rsis.train.run import *\n"
        "run = RunSection.model_validate_json(sys.argv[1], strict=False)\n"
        "train('demo', run, TrainPaths(*map(Path, sys.argv[2:])), progress=False)\n"
    )
    run = run_with()
    paths = paths_in(tmp_path, processed)
    arguments = [str(path) for path in (paths.processed, paths.model, paths.history, paths.state)]
    process = subprocess.Popen([sys.executable, "-c", script, run.model_dump_json(), *arguments])
    while not (found := list(paths.state.rglob("last.ckpt"))):
        assert process.poll() is None, "training ended before its first checkpoint"
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert torch.load(found[0], weights_only=False)["epoch"] < 3
    train_quietly(run, paths)
    assert outputs(paths)["models/demo.safetensors"] == outputs(uninterrupted)["models/demo.safetensors"]


def test_finished_twice_does_nothing(uninterrupted: TrainPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    before = outputs(uninterrupted)
    monkeypatch.setattr(pl.Trainer, "fit", lambda *_, **__: pytest.fail("trained again"))
    train_quietly(run_with(), uninterrupted)
    assert outputs(uninterrupted) == before
    uninterrupted.model.unlink()  # DVC does this before it runs a stage
    train_quietly(run_with(), uninterrupted)
    assert outputs(uninterrupted) == before


def with_model(paths: TrainPaths, folder: Path, content: bytes) -> TrainPaths:
    """A copy of a finished training with `content` in place of its checkpoint."""
    shutil.copytree(paths.state.parent, folder)
    copied = TrainPaths(paths.processed, *(folder / path.relative_to(paths.state.parent) for path in places(paths)))
    copied.model.write_bytes(content)
    return copied


def places(paths: TrainPaths) -> tuple[Path, Path, Path]:
    return paths.model, paths.history, paths.state


@pytest.mark.parametrize("damage", ["half of it", "its first bytes", "nothing", "an old schema"])
def test_a_checkpoint_that_cannot_be_read_counts_as_none(
    tmp_path: Path, uninterrupted: TrainPaths, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    whole = uninterrupted.model.read_bytes()
    old = save({"weight": torch.zeros(2)}, metadata={"rsis": json.dumps({"schema_version": 1})})
    content = {
        "half of it": whole[: len(whole) // 2],
        "its first bytes": whole[:60],
        "nothing": b"",
        "an old schema": old,
    }
    paths = with_model(uninterrupted, tmp_path / "copy", content[damage])
    train_quietly(run_with(), paths)
    assert paths.model.read_bytes() == whole
    assert re.search(r"demo\.safetensors: .*; it counts as not there", caplog.text)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(
    "content",
    [b"notes of mine", save({"weight": torch.zeros(2)}), save({}, {"format": "pt"})],
    ids=["text", "weights", "weights with metadata"],
)
def test_a_file_of_the_users_is_not_replaced(
    tmp_path: Path, uninterrupted: TrainPaths, content: bytes, fresh: bool
) -> None:
    paths = with_model(uninterrupted, tmp_path / "copy", content)
    kept = [path for path in paths.state.parent.rglob("*") if path.suffix in (".safetensors", ".ckpt", ".tsv", ".json")]
    before = {path: path.read_bytes() for path in kept}
    with pytest.raises(UserError, match=r"demo\.safetensors: rsis did not write this, .* move it away, then train"):
        train("demo", run_with(), paths, progress=False, fresh=fresh)
    assert {path: path.read_bytes() for path in kept} == before
    shutil.rmtree(paths.history)  # the file is not replaced without a history beside it either
    with pytest.raises(UserError, match=r"rsis did not write this"):
        train("demo", run_with(), paths, progress=False, fresh=fresh)
    assert paths.model.read_bytes() == content


def test_changed_parameters_do_not_find_foreign_state(tmp_path: Path, processed: Path) -> None:
    paths = paths_in(tmp_path, processed)
    train_quietly(run_with(epochs=1), paths)
    first = read_info(paths.model).key
    train_quietly(run_with(epochs=1, seed=1), paths)
    assert read_info(paths.model).key != first
    assert len([path for path in (paths.state / "demo").iterdir() if path.is_dir()]) == 2


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


def test_training_leaves_the_process_as_it_was(uninterrupted: TrainPaths) -> None:
    assert uninterrupted.model.is_file()
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


@dataclass(frozen=True)
class TwoPlants:
    """Two generated plants of four leaves, repeated so that an epoch has the wanted number of steps."""

    image_ids: tuple[str, ...]
    class_names: tuple[str, ...] = ("leaf",)

    def read(self, image_id: str) -> RawSample:
        return replace(make_plant(7, int(image_id) % 2, (64, 64), (4, 4)), image_id=image_id)


@pytest.mark.learning
def test_overfits_one_batch(tmp_path: Path) -> None:
    """The network memorises two plants: each leaf at a step of its own, and low objectness after the last leaf.

    The epochs are few and long, because the whole training state is written after each, which takes longer than a step.
    """
    processed = tmp_path / "processed"
    for split, steps in (("train", 40), ("val", 1)):
        plants = TwoPlants(tuple(f"{number:03d}" for number in range(2 * steps)))
        write_split(plants, processed / f"{split}.h5", (64, 64), SplitOrigin("x", split, "y"))
    run = run_with(
        epochs=12,
        lr=2e-3,
        lr_encoder=2e-3,
        num_steps=5,
        augment={},
        curriculum=None,
        validate_every=12,
        keep="last",
        objective={"stop_from_epoch": 0},
    )
    # with the rounding of some machines, training stays for long at masks near 0.5 that all steps share; larger initial
    # mask logits avoid this
    larger = {
        "stride": 16,
        "hidden_widths": (32, 16, 16, 8),
        "mask_kernel_size": 3,
        "mask_gain": 5.0,
        "mask_bias": -2.0,
        "dropout": 0.0,
    }
    run = run.model_copy(update={"model": run.model.model_copy(update=larger)})
    paths = paths_in(tmp_path, processed)
    train_quietly(run, paths)
    mask = (paths.history / "plots/metrics/train/mask.tsv").read_text().split()
    stop = (paths.history / "plots/metrics/train/stop.tsv").read_text().split()
    assert float(mask[3]) > 0.6
    assert float(mask[-1]) < 0.2
    assert float(stop[-1]) < 0.05
