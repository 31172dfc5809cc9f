"""Fixtures that most tests of training use."""

from pathlib import Path

import pytest
from support.short_training import paths_in, run_with, train_quietly, write_processed

from rsis.train.run import TrainPaths


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data set of random images."""
    return write_processed(tmp_path_factory.mktemp("processed"))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, processed: Path) -> TrainPaths:
    """A finished training of `run_with()`."""
    paths = paths_in(tmp_path_factory.mktemp("whole"), processed)
    train_quietly(run_with(), paths)
    return paths
