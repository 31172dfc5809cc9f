"""Trainings that last for minutes in place of epochs (`train.minutes`)."""

import json
import logging
import re
from pathlib import Path

import pytest
import torch
from support.short_training import outputs, paths_in, run_with, train_quietly, train_until
from support.trained_files import curves
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from rsis.config.runs import RunSection
from rsis.train import budget
from rsis.train.optimizers import schedule_by_fraction
from rsis.train.run import TrainPaths, train

LR = 1e-3


def run_of(seconds: float) -> RunSection:
    """A training with three batches in an epoch."""
    return run_with(epochs=None, minutes=seconds / 60, validate_every=100)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock by which every training step takes a second."""
    passed = iter(range(100_000))
    monkeypatch.setattr(budget, "_now", lambda module: float(next(passed)))


def figures(paths: TrainPaths) -> dict[str, list[float]]:
    return curves(paths.state.parent, "demo")


def test_a_fraction_of_a_minute_by_the_processors_clock(tmp_path: Path, processed: Path) -> None:
    paths = paths_in(tmp_path, processed)
    train_quietly(run_of(1.5), paths)
    found = figures(paths)
    assert len(found["train/total"]) >= 1
    assert len(found["val/total"]) == 1  # in the last epoch, whatever `validate_every` says
    assert found["schedule/lr"][-1] < 0.1 * LR
    progress = json.loads(next(paths.state.glob("demo/*/alive.json")).read_text())
    assert progress["epochs"] is None
    assert progress["epoch"] == len(found["train/total"])


@pytest.mark.parametrize(("seconds", "epochs"), [(0.5, 1), (1.5, 1), (3, 1), (3.5, 2), (7.5, 3)])
def test_it_ends_with_the_step_that_spends_the_rest(
    tmp_path: Path, processed: Path, clock: None, seconds: float, epochs: int
) -> None:
    paths = paths_in(tmp_path, processed)
    train_quietly(run_of(seconds), paths)
    found = figures(paths)
    assert len(found["train/total"]) == epochs
    assert len(found["val/total"]) == 1
    (checkpoint,) = paths.state.glob("demo/*/last.ckpt")
    stored = torch.load(checkpoint, weights_only=True)
    assert stored["rsis_spent"] == stored["global_step"] == int(seconds + 0.5)


def test_a_killed_training_goes_on_with_the_rest(
    tmp_path: Path, processed: Path, clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(10.5)
    whole, killed = paths_in(tmp_path / "whole", processed), paths_in(tmp_path / "killed", processed)
    train_quietly(run, whole)
    for epoch in (1, 2):
        train_until(epoch, run, killed, monkeypatch)
    assert not killed.model.exists()
    train_quietly(run, killed)
    assert outputs(killed) == outputs(whole)


def test_the_lines_of_the_epochs_say_minutes(
    tmp_path: Path, processed: Path, clock: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    train("demo", run_of(7.5), paths_in(tmp_path, processed))
    lines = [record.getMessage() for record in caplog.records if ": epoch " in record.getMessage()]
    assert [line.split(" steps")[0] for line in lines] == [
        "demo: epoch 1, 0.1 of 0.125 minutes, 2",
        "demo: epoch 2, 0.1 of 0.125 minutes, 3",
        "demo: epoch 3, 0.1 of 0.125 minutes, 4",
    ]
    assert all(re.search(r"training loss \d+\.\d{4}", line) for line in lines)
    assert ["validation loss" in line for line in lines] == [False, False, True]


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
def test_the_schedule_by_fraction_has_the_curve_of_torch(schedule: str) -> None:
    steps, peaks = 4000, (LR, 0.03)
    section = run_of(1).train.model_copy(update={"lr_schedule": schedule})

    def optimizer() -> torch.optim.SGD:
        return torch.optim.SGD([{"params": [torch.zeros(1)], "lr": lr} for lr in peaks])

    theirs_of, ours_of = optimizer(), optimizer()
    theirs = (
        OneCycleLR(theirs_of, list(peaks), total_steps=steps + 1, pct_start=0.1, cycle_momentum=False)
        if schedule == "one_cycle"
        else CosineAnnealingLR(theirs_of, steps)
    )
    done = 0
    ours = schedule_by_fraction(ours_of, section, lambda: done / steps)
    for done in range(1, steps + 1):
        for stepped in (theirs_of, ours_of):
            stepped.step()
        theirs.step()
        ours.step()
        # torch ends the warm-up a step early
        allowed = 0.005 if schedule == "one_cycle" else 1e-6
        for expected, found, peak in zip(theirs.get_last_lr(), ours.get_last_lr(), peaks, strict=True):
            assert abs(float(expected) - float(found)) <= allowed * peak, done
    assert max(float(lr) for lr in ours.get_last_lr()) < 1e-5 * max(peaks)
