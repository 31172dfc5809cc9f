"""Signals and damage as on a cluster cost a training no more than its current epoch."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.command_line import TINY
from support.in_process import rsis
from support.trained_files import outputs

from rsis.machine.lock import locked

LONG = TINY.replace("epochs: 2", "epochs: 6")
DISTRIBUTED = LONG.replace("workers: 0", "workers: 0\n      devices: 2")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signals")
    (folder / "params.yaml").write_text(LONG)
    for stage in ("download", "prepare"):
        assert rsis(folder, stage, "plants").returncode == 0
    return folder


@pytest.fixture(scope="module")
def whole(prepared: Path) -> dict[str, bytes]:
    """The output files of an uninterrupted training."""
    folder = copy_of(prepared, prepared.parent / "whole")
    assert rsis(folder, "train", "demo").returncode == 0
    return outputs(folder)


def copy_of(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def start(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    command = [str(Path(sys.executable).with_name("rsis")), "train", "demo"]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.01)


def has_passed(folder: Path, epoch: int) -> bool:
    """Whether a training has finished an epoch, counted from 0, and written its checkpoint."""
    found = list(folder.glob("state/demo/*/alive.json"))
    return bool(list(folder.glob("state/demo/*/last.ckpt"))) and json.loads(found[0].read_text())["epoch"] > epoch


@pytest.mark.pipeline
def test_a_signal_ends_the_run_with_75_and_it_goes_on(tmp_path: Path, prepared: Path, whole: dict[str, bytes]) -> None:
    folder = copy_of(prepared, tmp_path / "run")
    for number, epoch in ((signal.SIGUSR1, 0), (signal.SIGTERM, 2)):
        process = start(folder)
        wait_for(partial(has_passed, folder, epoch), process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 75, errors
        assert f"rsis: demo: stopped by {number.name}, " in errors.splitlines()[-1]
        assert "Traceback" not in errors
        assert not (folder / "models").exists()
    assert rsis(folder, "train", "demo").returncode == 0
    assert outputs(folder) == whole


@pytest.mark.pipeline
def test_a_signal_to_one_process_ends_all_of_them(tmp_path: Path, prepared: Path) -> None:
    folder = copy_of(prepared, tmp_path / "run")
    (folder / "params.yaml").write_text(DISTRIBUTED)
    process = start(folder)
    wait_for(lambda: has_passed(folder, 0), process)
    process.send_signal(signal.SIGUSR1)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    assert "stopped by SIGUSR1" in errors
    assert "Traceback" not in errors


@pytest.mark.pipeline
def test_a_second_instance_waits_for_the_first(tmp_path: Path, prepared: Path, whole: dict[str, bytes]) -> None:
    folder = copy_of(prepared, tmp_path / "run")
    with locked(folder / "state/locks/train-demo.lock", "the test"):
        second = start(folder)
        assert second.stderr is not None
        line = second.stderr.readline()
        assert f"training of demo: another process is at it (process {os.getpid()} on" in line
        assert not (folder / "state/demo").exists()
    assert second.wait(timeout=60) == 0
    assert outputs(folder) == whole


@pytest.mark.pipeline
def test_a_damaged_checkpoint_is_named_and_the_training_goes_on(
    tmp_path: Path, prepared: Path, whole: dict[str, bytes]
) -> None:
    folder = copy_of(prepared, tmp_path / "run")
    process = start(folder)
    wait_for(lambda: has_passed(folder, 0), process)
    process.kill()
    process.communicate()
    (checkpoint,) = folder.glob("state/demo/*/last.ckpt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    result = rsis(folder, "train", "demo")
    assert result.returncode == 0, result.stderr
    assert "last.ckpt: does not have the bytes that were written; it counts as not there" in result.stderr
    assert "Traceback" not in result.stderr
    assert outputs(folder) == whole


@pytest.mark.pipeline
def test_the_heartbeat_has_the_progress_of_a_training(prepared: Path, whole: dict[str, bytes]) -> None:
    (path,) = (prepared.parent / "whole").glob("state/demo/*/alive.json")
    progress = json.loads(path.read_text())
    assert (progress["epoch"], progress["epochs"], progress["batch"], progress["batches"]) == (6, 6, 0, 2)
    assert 0 < progress["best_loss"] < 10
    assert whole
