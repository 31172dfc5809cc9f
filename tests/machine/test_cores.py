"""Test of the number of cores that a process may use."""

import os

import pytest

from rsis.machine.cores import available_cores


def test_the_cores_of_this_process_and_where_there_is_no_affinity_those_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert available_cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert available_cores() == os.cpu_count()
