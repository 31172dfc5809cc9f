"""System requirements of some tests, which not every machine meets.

A test names a requirement with `@pytest.mark.needs("ssh")`; the markers `browser` and `slurm` are requirements too. If
a requirement is missing, its tests are deselected. A line at the end of the output then gives the number of these
tests, the requirement and the way to get it. With RSIS_REQUIRE_ALL=1 a missing requirement is an error instead.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from support.browser import find_browser
from support.reference_data import voc_sample
from support.slurm_cluster import SYSTEM_PATH
from support.slurm_cluster import is_available as has_slurm


@dataclass(frozen=True)
class Need:
    """A requirement: its name for messages, a check that this machine meets it, and the way to get it."""

    what: str
    is_here: Callable[[], bool]
    obtain: str


def _has_ssh() -> bool:
    return os.geteuid() == 0 and shutil.which("sshd", path=SYSTEM_PATH) is not None


NEEDS = {
    "browser": Need("Chromium", lambda: find_browser() is not None, "Debian: apt install chromium"),
    "slurm": Need("root and SLURM", has_slurm, "Debian: apt install slurmctld slurmd slurm-client munge"),
    "ssh": Need("root and an SSH server", _has_ssh, "Debian: apt install openssh-server"),
    "voc_sample": Need(
        "the sample of Pascal VOC 2007",
        lambda: voc_sample() is not None,
        "RSIS_SHARED names the folder that holds data/voc2007_sample",
    ),
    "linux": Need("Linux", lambda: sys.platform == "linux", "run them on another machine"),
}


def needs_of(item: pytest.Item) -> set[str]:
    """Return the names of a test's requirements."""
    named = {name for mark in item.iter_markers("needs") for name in mark.args}
    unknown = named - NEEDS.keys()
    if unknown:
        raise pytest.UsageError(f"{item.nodeid}: needs {sorted(unknown)}; known are {', '.join(NEEDS)}")
    return named | {mark.name for mark in item.iter_markers() if mark.name in ("browser", "slurm")}


def missing_for(items: Iterable[pytest.Item]) -> dict[str, list[pytest.Item]]:
    """Return the tests by missing requirement; a test that lacks two requirements is in both lists."""
    found: dict[str, list[pytest.Item]] = {}
    for item in items:
        for name in needs_of(item):
            found.setdefault(name, []).append(item)
    return {name: found[name] for name in NEEDS if name in found and not NEEDS[name].is_here()}


def line_of(name: str, count: int) -> str:
    """Return the output line about a missing requirement."""
    need = NEEDS[name]
    return f"{count} {'test needs' if count == 1 else 'tests need'} {need.what}, which is not here ({need.obtain})"
