"""Runs side by side: what is started, in which order, and after a failure; with DVC itself in test_dvc.py."""

import os
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from support.reference_data import REPOSITORY

# writes when it starts and when it ends; a run whose name begins with "bad" fails at once
DVC = """#!/bin/sh
shift 3
echo "start $* $OMP_NUM_THREADS" >> log
case "$*" in train@bad*) echo "it failed"; exit 3;; train@killed*) kill -9 $$;; esac
sleep 0.2
echo "Running stage '$*':"
echo "end $*" >> log
"""
PARAMS = "default: {runs: {one: plants, two: plants, three: scenes, bad: streets, killed: streets}}"
Reproduce = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration and a program named dvc."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "dvc").write_text(DVC)
    (tmp_path / "dvc").chmod(0o755)
    return tmp_path


@pytest.fixture
def reproduce(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Reproduce:
    """A function that reproduces runs on so many cores; it returns the exit code, and what the program wrote down."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.syspath_prepend(REPOSITORY / "workflow")
    main = runpy.run_path(str(REPOSITORY / "workflow/side_by_side.py"))["main"]

    def call(*runs: str, cores: int = 1) -> tuple[int, list[str]]:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
        log = folder / "log"
        return main(runs), log.read_text().splitlines() if log.exists() else []

    return call


def test_data_come_first_then_each_run_on_one_core(reproduce: Reproduce, capsys: pytest.CaptureFixture[str]) -> None:
    code, log = reproduce("two", "one", "three")
    assert code == 0
    data = "download@plants prepare@plants download@scenes prepare@scenes"
    jobs = [data, *(f"train@{run} predict@{run} score@{run}" for run in ("two", "one", "three"))]
    assert log == [line for job in jobs for line in (f"start {job} 1", f"end {job}")]
    assert capsys.readouterr().out.splitlines()[1] == "two | Running stage 'train@two predict@two score@two':"


def test_two_cores_have_two_runs_at_a_time(reproduce: Reproduce) -> None:
    code, log = reproduce("two", "one", cores=2)
    assert code == 0
    assert log[0] == "start download@plants prepare@plants 2"
    assert {line.split()[0] for line in log[2:4]} == {"start"}
    assert all(line.endswith(" 1") for line in log[2:4])
    _, log = reproduce("three", cores=2)
    assert log[-2] == "start train@three predict@three score@three 2"  # a run alone has both


def test_after_a_failure_no_further_run_is_started(reproduce: Reproduce, capsys: pytest.CaptureFixture[str]) -> None:
    code, log = reproduce("one", "bad", "two")
    assert code == 3
    assert "bad | it failed" in capsys.readouterr().out.splitlines()
    assert log[-1] == "start train@bad predict@bad score@bad 1"
    assert "end train@one predict@one score@one" in log


def test_what_a_signal_ends_has_failed(reproduce: Reproduce) -> None:
    code, log = reproduce("one", "killed", "two")
    assert code == -9
    assert log[-1] == "start train@killed predict@killed score@killed 1"


def test_an_unknown_run_is_named_before_anything_starts(
    reproduce: Reproduce, capsys: pytest.CaptureFixture[str]
) -> None:
    code, log = reproduce("one", "four")
    assert code == 2
    assert capsys.readouterr().out.startswith("four: not among default.runs in params.yaml")
    assert log == []
