"""The order of the tests."""

from collections import defaultdict
from pathlib import Path

import pytest

SLOW = {"learning": 1, "pipeline": 2, "slurm": 3}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files of fast tests first; spread over processes, that first which waits for a cluster: others fill the time."""
    slowest: dict[Path, int] = defaultdict(int)
    for item in items:
        slowest[item.path] = max(slowest[item.path], *(SLOW.get(mark.name, 0) for mark in item.iter_markers()), 0)
    spread = hasattr(config, "workerinput")
    items.sort(key=lambda item: -(slowest[item.path] == SLOW["slurm"]) if spread else slowest[item.path])
