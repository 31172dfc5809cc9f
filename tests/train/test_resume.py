"""Trainings that were killed, repeated or find foreign files go on bit for bit, or leave all as it was."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from safetensors.torch import save
from support.short_training import outputs, paths_in, run_with, train_quietly, train_until

from rsis.checkpoint.info import read_info
from rsis.errors import UserError
from rsis.train.run import TrainPaths, train

pytestmark = pytest.mark.slow


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
