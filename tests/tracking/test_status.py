"""The status of runs: from waiting to done, and stale after changes."""

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from support.command_line import TINY
from support.in_process import rsis

from rsis.config.params import load_params
from rsis.files.manifest import read_manifest, write_manifest
from rsis.machine.lock import locked
from rsis.tracking.status import RunStatus, status_of, table_of

STAGES = ("train", "predict", "score", "report")


def status_in(folder: Path) -> RunStatus:
    with contextlib.chdir(folder):
        (status,) = status_of(load_params(), ["demo"])
    return status


def states(folder: Path) -> tuple[str, ...]:
    status = status_in(folder)
    return tuple(getattr(status, stage) for stage in STAGES)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with all stages done; the status is checked after some of the stages."""
    folder = tmp_path_factory.mktemp("status")
    (folder / "params.yaml").write_text(TINY)
    change(folder, "objectness_threshold: 0.0", "objectness_threshold: 0.0, precision: auto")  # as most runs have it
    assert states(folder) == ("waiting",) * 4
    for stage, name in (("download", "plants"), ("prepare", "plants"), ("train", "demo")):
        assert rsis(folder, stage, name).returncode == 0
    assert states(folder) == ("done", "waiting", "waiting", "waiting")
    for stage in ("predict", "score", "report"):
        assert rsis(folder, stage, "demo").returncode == 0
    return folder


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "copy"))


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "params.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.pipeline
def test_all_done(built: Path) -> None:
    result = rsis(built, "status", "--json")
    assert result.returncode == 0, result.stderr
    (status,) = json.loads(result.stdout)
    assert tuple(status[stage] for stage in STAGES) == ("done",) * 4
    assert (status["epoch"], status["epochs"], status["best_epoch"] in (0, 1)) == (2, 2, True)
    assert 0 < status["best"] < 10
    assert 0 <= status["age"] < 600


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lr: 1e-3", "lr: 2e-3", ("stale", "stale", "stale", "stale")),
        ("objectness_threshold: 0.0", "objectness_threshold: 0.5", ("done", "stale", "stale", "stale")),
        ("scorers: [cvppp, coco]", "scorers: [coco]", ("done", "done", "stale", "stale")),
        ("scorers: [cvppp, coco]", "scorers: [cvppp, coco], classes: best", ("done", "done", "stale", "stale")),
    ],
)
def test_a_changed_parameter_makes_stale_what_depends_on_it(
    copy: Path, old: str, new: str, expected: tuple[str, ...]
) -> None:
    change(copy, old, new)
    assert states(copy) == expected


@pytest.mark.pipeline
def test_annotations_recorded_anew_make_everything_stale(copy: Path) -> None:
    raw = copy / "data/raw/plants"
    label = next((raw / "testing/A1").glob("*_label.png"))
    Image.open(label).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(label)
    write_manifest(raw, "plants", raw, read_manifest(raw).source)
    assert states(copy) == ("stale", "stale", "stale", "stale")
    shutil.rmtree(raw)  # users may delete it to save space: the prepared data is enough
    assert states(copy) == ("done", "done", "done", "done")


@pytest.mark.pipeline
def test_a_running_stage_and_who_runs_it(copy: Path) -> None:
    with locked(copy / "state/locks/train-demo.lock", "the test"):
        status = status_in(copy)
    assert status.train == "running"
    assert f"process {os.getpid()}" in status.holder
    assert status_in(copy).train == "done"


@pytest.mark.pipeline
def test_an_interrupted_training_and_damaged_files(copy: Path) -> None:
    (state,) = (path for path in (copy / "state/demo").iterdir() if path.is_dir())
    (state / "alive.json").write_text("{")
    (copy / "predictions/demo.json").write_text("{")
    assert states(copy) == ("done", "stale", "stale", "stale")
    (copy / "models/demo.safetensors").unlink()
    assert states(copy)[0] == "stopped"
    shutil.rmtree(state)
    assert states(copy)[0] == "waiting"


@pytest.mark.pipeline
def test_a_job_that_slurm_has_not_begun_is_queued(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake `squeue` with the output for a job of Snakemake's plugin; test_slurm.py uses a real one."""
    programs = copy / "bin"
    programs.mkdir()
    (programs / "squeue").write_text(f"#!/bin/sh\necho '7|{copy}|rule_train_distributed_wildcards_demo'\n")
    (programs / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    change(copy, "lr: 1e-3", "lr: 2e-3")
    status = status_in(copy)
    assert (status.train, status.holder) == ("queued", "SLURM job 7")


def test_an_unknown_run_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(TINY)
    result = rsis(tmp_path, "status", "nosuch")
    assert result.returncode == 2
    assert "no run 'nosuch'; it has demo" in result.stderr


def test_the_table_has_a_row_for_each_run() -> None:
    done = RunStatus("a", "done", "done", "stale", "waiting", 3, 4, None, 0.25, 2, 7260.0, "")
    fresh = RunStatus(
        "long_name", "queued", "waiting", "waiting", "waiting", None, 4, None, None, None, None, "SLURM job 7"
    )
    timed = RunStatus("b", "running", "waiting", "waiting", "waiting", 3, None, 16.0, None, None, 5.0, "")
    heading, rows = table_of([done, fresh, timed])
    assert heading == ["run", *STAGES, "epoch", "best validation loss", "heartbeat", ""]
    assert rows == [
        ["a", "done", "done", "stale", "waiting", "3 of 4", "0.2500 in epoch 2", "2 h ago", ""],
        ["long_name", "queued", "waiting", "waiting", "waiting", "-", "-", "-", "SLURM job 7"],
        ["b", "running", "waiting", "waiting", "waiting", "3, 16 minutes in all", "-", "5 s ago", ""],
    ]
