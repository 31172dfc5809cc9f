"""Fixtures that most tests of training use."""

from pathlib import Path

import pytest
from support.short_training import write_processed


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data set of random images."""
    return write_processed(tmp_path_factory.mktemp("processed"))
