"""How long a training takes, by a few of its steps: what is timed, what follows from it, and what stays behind."""

import re
from pathlib import Path

import pytest
from support.command_line import TINY
from support.in_process import rsis
from support.short_training import run_with, write_processed

from rsis.data.prepared.file import PreparedSplit
from rsis.train.estimate import Pace, estimate, estimate_without_data


def test_the_whole_follows_from_a_step() -> None:
    pace = Pace(step=1.5, steps=2, epochs=160, minutes=None, timed=20)
    assert (pace.epoch, pace.total) == (3.0, 480.0)
    assert pace.rows() == {
        "a step": "1.50 s, mean of 20",
        "an epoch": "3 s, 2 steps",
        "the training": "8 min, 160 epochs",
    }
    of_minutes = Pace(step=1.5, steps=1, epochs=None, minutes=2.5, timed=1)
    assert of_minutes.total == 150
    assert of_minutes.rows()["an epoch"] == "2 s, 1 step"
    assert of_minutes.rows()["the training"] == "2 min, train.minutes"


def test_validation_and_memory_are_part_of_the_whole() -> None:
    pace = Pace(step=3.0, steps=10, epochs=20, minutes=None, timed=2, validation=60.0, validate_every=5, memory=1536.0)
    assert (pace.epoch, pace.total) == (3.0 * 10 + 60 / 5, 20 * 42.0)
    assert pace.rows() == {
        "a step": "3.00 s, mean of 2",
        "an epoch": "42 s, 10 steps and 60 s of validation every 5 epochs",
        "the training": "14 min, 20 epochs",
        "peak memory": "1.5 GiB",
    }


def test_steps_on_prepared_pictures_are_timed_after_the_first(tmp_path: Path) -> None:
    split = PreparedSplit(write_processed(tmp_path) / "train.h5")  # of six images
    before = sorted(tmp_path.rglob("*"))
    pace = estimate(run_with(epochs=7, batch_size=4), split, steps=2, validated=8)
    assert (pace.timed, pace.steps, pace.epochs, pace.minutes) == (2, 1, 7, None)
    assert pace.validation == pytest.approx(pace.step * 8 / 4 / 3)
    assert 0 < pace.step < 60
    shared = estimate(run_with(batch_size=4, devices=2), split, steps=1)  # in one process, of half a batch
    assert (shared.timed, shared.steps) == (1, 1)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("seconds", "timed"), [(100.0, 2), (0.0, 1)])
def test_steps_on_random_pictures_end_in_time(seconds: float, timed: int) -> None:
    pace = estimate_without_data(run_with(), (32, 48), 3, 9, 50, steps=3, seconds=seconds)
    assert (pace.timed, pace.steps, pace.epochs) == (timed, 4, 4)
    assert 0 < pace.step < 60


def test_the_command_prints_the_pace_and_does_not_train(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(TINY)
    for command in (("download", "plants"), ("prepare", "plants", "--workers", "1")):
        assert rsis(tmp_path, *command).returncode == 0
    done = rsis(tmp_path, "train", "demo", "--estimate")
    assert done.returncode == 0, done.stderr
    assert re.search(r"a step +\d+\.\d\d s, mean of 20\n", done.stdout)
    assert re.search(r"an epoch +\d+ s, 2 steps and \d+ s of validation\n", done.stdout)
    assert 0.1 < float(re.search(r"peak memory +(\d+\.\d) GiB\n", done.stdout)[1]) < 100  # type: ignore[index]
    assert not (tmp_path / "models").exists()
    assert not (tmp_path / "state/demo").exists()
