"""A data set without a split val is trained on without validation."""

import logging
import shutil
from pathlib import Path

import pytest
from support.short_training import paths_in, run_with, train_quietly
from support.trained_files import curves

from rsis.checkpoint.info import read_info
from rsis.errors import UserError


@pytest.fixture
def without(processed: Path, tmp_path: Path) -> Path:
    """The prepared data set without its split val."""
    folder = Path(shutil.copytree(processed, tmp_path / "processed"))
    (folder / "val.h5").unlink()
    return folder


def test_it_trains_and_has_no_figures_of_a_validation(
    without: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = paths_in(tmp_path, without)
    with caplog.at_level(logging.INFO):
        train_quietly(run_with(epochs=2, keep="last", patience=3), paths)
    said = "\n".join(caplog.messages)
    assert "demo: its data set plants has no split val: it is trained without validation" in said
    assert "train.patience, train.objective.class_patience will have no effect" in said
    assert "never trains the classes" in said
    metrics = read_info(paths.model).metrics
    assert "train/total" in metrics
    assert not [name for name in metrics if name.startswith("val/")]
    assert {len(curve) for curve in curves(tmp_path, "demo").values()} == {2}


def test_the_best_weights_are_refused_before_the_training(without: Path, tmp_path: Path) -> None:
    paths = paths_in(tmp_path, without)
    with pytest.raises(UserError, match=r"has no split val, so no weights are known to be the best; set train.keep"):
        train_quietly(run_with(epochs=1, keep="best"), paths)
    assert not paths.model.exists()
    train_quietly(run_with(epochs=1, keep="last"), paths)  # as the message says
    assert paths.model.exists()
