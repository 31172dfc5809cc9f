"""Runs side by side: what is started, in which order, and after a failure; with DVC itself in test_dvc.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.reference_data import REPOSITORY

# writes when it starts and when it ends; a run whose name begins with "bad" fails at once
DVC = """#!/bin/sh
shift 3
echo "start $* $OMP_NUM_THREADS" >> log
case "$*" in train@bad*) echo "it failed"; exit 3;; esac
sleep 0.2
echo "Running stage '$*':"
echo "end $*" >> log
"""
PARAMS = "default: {runs: {one: plants, two: plants, three: scenes, bad: streets}}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration and a program named dvc."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "dvc").write_text(DVC)
    (tmp_path / "dvc").chmod(0o755)
    return tmp_path


def reproduce(folder: Path, *runs: str, cores: int = 1) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the script on so many cores; return its result, and what the program wrote down."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < cores:
        pytest.skip(f"needs {cores} cores")
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    environment.pop("OMP_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "workflow/side_by_side.py"), *runs],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed[:cores]),
    )
    log = folder / "log"
    return done, log.read_text().splitlines() if log.exists() else []


def test_data_come_first_then_each_run_on_one_core(folder: Path) -> None:
    done, log = reproduce(folder, "two", "one", "three")
    assert done.returncode == 0
    data = "download@plants prepare@plants download@scenes prepare@scenes"
    jobs = [data, *(f"train@{run} predict@{run} score@{run}" for run in ("two", "one", "three"))]
    assert log == [line for job in jobs for line in (f"start {job} 1", f"end {job}")]
    assert done.stdout.splitlines()[1] == "two | Running stage 'train@two predict@two score@two':"


def test_two_cores_have_two_runs_at_a_time(folder: Path) -> None:
    done, log = reproduce(folder, "two", "one", cores=2)
    assert done.returncode == 0
    assert log[0] == "start download@plants prepare@plants 2"
    assert {line.split()[0] for line in log[2:4]} == {"start"}
    assert all(line.endswith(" 1") for line in log[2:4])
    _, log = reproduce(folder, "three", cores=2)
    assert log[-2] == "start train@three predict@three score@three 2"  # a run alone has both


def test_after_a_failure_no_further_run_is_started(folder: Path) -> None:
    done, log = reproduce(folder, "one", "bad", "two")
    assert done.returncode == 3
    assert "bad | it failed" in done.stdout.splitlines()
    assert log[-1] == "start train@bad predict@bad score@bad 1"
    assert "end train@one predict@one score@one" in log


def test_an_unknown_run_is_named_before_anything_starts(folder: Path) -> None:
    done, log = reproduce(folder, "one", "four")
    assert done.returncode == 2
    assert done.stdout.startswith("four: not among default.runs in params.yaml")
    assert log == []
