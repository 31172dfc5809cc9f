"""The line that a training logs for each epoch if its output is not a terminal."""

import io
import logging
import re
import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from support.fake_reader import FakeReader
from support.short_training import paths_in
from support.trained_files import curves, outputs

from rsis.config.runs import RunSection
from rsis.data.prepared.writer import SplitOrigin, write_split
from rsis.train.run import train

RUN: dict[str, Any] = {
    "dataset": "plants",
    "model": {"backbone": "resnet18", "stride": 8, "hidden_widths": (8, 4)},
    "train": {
        "epochs": 3,
        "batch_size": 2,
        "num_steps": 4,
        "workers": 0,
        "lr": 1e-3,
        "lr_encoder": 1e-4,
        "validate_every": 2,
        "curriculum": {"start": 1, "every": 1, "stop_after": 0},
    },
    "predict": {"num_steps": 4},
    "score": {"scorers": ("cvppp",)},
}
SECTION = RunSection.model_validate(RUN)
LINE = re.compile(
    r"demo: epoch (\d+) of (\d+), (\d+) steps?, training loss (\d+\.\d{4})"
    r"(?:, validation loss (\d+\.\d{4}))?, \d+\.\d s"
)


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processed")
    for split, count in (("train", 4), ("val", 2)):
        write_split(FakeReader(count, objects=4), folder / f"{split}.h5", (32, 32), SplitOrigin("plants", split, "0"))
    return folder


def logged_lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str | None, ...]]:
    """Return epoch, epochs, steps and the two losses of each logged line, and clear the log."""
    lines = [record.getMessage() for record in caplog.records if ": epoch " in record.getMessage()]
    caplog.clear()
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    return [match.groups() for match in found if match]


def test_a_line_for_each_epoch_and_the_same_result(
    tmp_path: Path, processed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    train("demo", SECTION, paths_in(tmp_path / "silent", processed), progress=False)
    assert logged_lines(caplog) == []
    train("demo", SECTION, paths_in(tmp_path / "talking", processed))
    lines = logged_lines(caplog)
    assert [line[:3] for line in lines] == [("1", "3", "1"), ("2", "3", "2"), ("3", "3", "3")]
    figures = curves(tmp_path / "talking", "demo")
    assert [line[3] for line in lines] == [f"{loss:.4f}" for loss in figures["train/total"]]
    assert [line[4] for line in lines] == [None, *(f"{loss:.4f}" for loss in figures["val/total"])]
    assert outputs(tmp_path / "talking") == outputs(tmp_path / "silent")


class Killed(BaseException):
    """Simulates SIGKILL: no code catches it."""


class KillInThirdEpoch(pl.Callback):
    """Raises `Killed` after the first batch of the third epoch."""

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.current_epoch == 2:
            raise Killed


def test_a_resumed_training_counts_on(
    tmp_path: Path, processed: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    build, paths = pl.Trainer.__init__, paths_in(tmp_path, processed)

    def with_killer(self: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **{**kwargs, "callbacks": [*kwargs["callbacks"], KillInThirdEpoch()]})

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(pl.Trainer, "__init__", with_killer)
        train("demo", SECTION, paths)
    assert [line[:2] for line in logged_lines(caplog)] == [("1", "3"), ("2", "3")]
    train("demo", SECTION, paths)
    assert [line[:2] for line in logged_lines(caplog)] == [("3", "3")]


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_has_a_bar_instead(
    tmp_path: Path, processed: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    drawn = Terminal()
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", drawn)
    train("demo", SECTION, paths_in(tmp_path, processed))
    assert logged_lines(caplog) == []
    assert "Epoch" in drawn.getvalue()
