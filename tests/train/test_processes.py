"""The processes of a training connect to each other in a SLURM step; the errors when they cannot."""

import os
import socket

import pytest

from rsis.config.runs import TrainSection
from rsis.errors import StoppedError, UserError
from rsis.train.processes import LeaderDecision, rank

TWO = TrainSection(epochs=1, batch_size=2, num_steps=1, lr=1e-3, lr_encoder=1e-3, devices=2)
STEP = {
    "SLURM_JOB_ID": "12",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_NUM_NODES": "1",
    "SLURM_STEP_TASKS_PER_NODE": "2",
    "SLURM_STEP_NODELIST": "127.0.0.1",
    "SLURM_PROCID": "0",
}


def in_step(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Give this process the environment variables of a task in a SLURM step."""
    monkeypatch.setattr(os, "environ", {**os.environ, **STEP, **changes})


def test_a_batch_script_alone_is_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    in_step(monkeypatch, SLURM_PROCID="1", SLURM_STEP_NUM_TASKS="1")
    assert rank(TWO) == 0
    in_step(monkeypatch, SLURM_PROCID="1")
    assert rank(TWO) == 1


@pytest.mark.parametrize("tasks", ["1(x2)", "4", "1,1"])
def test_other_tasks_than_asked_for_name_the_command(monkeypatch: pytest.MonkeyPatch, tasks: str) -> None:
    in_step(monkeypatch, SLURM_STEP_TASKS_PER_NODE=tasks)
    with pytest.raises(UserError, match=r"SLURM's step has .* start it by `srun --nodes=1 --ntasks-per-node=2"):
        LeaderDecision(TWO)


def test_a_port_that_is_taken_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    in_step(monkeypatch)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("0.0.0.0", 20240))
        other.listen()
        with pytest.raises(StoppedError, match=r"127\.0\.0\.1, port 20240: .* run the same command again"):
            LeaderDecision(TWO)
