"""Fixtures that most tests of downloads use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.local_server import Site, serve
from support.plant_folder import write_plant_folder


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server on this machine; requests to it are retried without a pause."""
    monkeypatch.setattr("rsis.data.download.fetch.BACKOFF", 0.0)
    with serve() as running:
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's folder in the CVPPP layout."""
    return write_plant_folder(tmp_path / "own")
