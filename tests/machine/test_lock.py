"""Tests of the file locks: one holder at a time, freed however the holder ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rsis.errors import UserError
from rsis.machine.lock import holder_of, locked

HOLD = """
import sys, time
from pathlib import Path
from rsis.machine.lock import locked
with locked(Path(sys.argv[1]), "the child"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    """A second process, which holds the lock."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "a.lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_free_lock_has_no_holder(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    assert holder_of(path) is None
    with locked(path, "work"):
        holder = holder_of(path)
        assert holder is not None
        assert holder.pid == os.getpid()
    assert holder_of(path) is None


def test_a_killed_holder_frees_it_and_the_next_one_says_so(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    path = tmp_path / "a.lock"
    holder = holder_of(path)
    assert holder is not None
    assert str(holder).startswith(f"process {other.pid} on ")
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert holder_of(path) is None
    with locked(path, "work"):
        assert json.loads(path.with_suffix(".json").read_text())["pid"] == os.getpid()


def test_the_job_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    with locked(tmp_path / "a.lock", "work"):
        assert ", SLURM job 12, since " in str(holder_of(tmp_path / "a.lock"))


def test_an_error_in_the_block_frees_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), locked(tmp_path / "a.lock", "work"):
        raise ValueError("inside")
    assert holder_of(tmp_path / "a.lock") is None


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot lock"), locked(tmp_path / "file/a.lock", "work"):
        pass


def test_a_file_system_without_locks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(UserError, match="cannot lock files; put the"), locked(tmp_path / "a.lock", "work"):
        pass
