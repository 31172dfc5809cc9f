"""`rsis run`: all stages of a run by one command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import in_process
from support.command_line import TINY, refused
from support.command_line import rsis as command

from rsis.cli.main import main

STAGES = ["download plants", "prepare plants", "train demo", "predict demo", "score demo", "report demo"]


def announced(output: str) -> list[str]:
    return [line.split(": ")[0] for line in output.splitlines() if line[1:3] == "/6"]


def run_here(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["rsis", "run", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.pipeline
def test_from_nothing_to_the_report_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(TINY)
    with monkeypatch.context() as lacking:
        lacking.setitem(sys.modules, "matplotlib", None)
        assert run_here(monkeypatch, "demo") == 0
    output = capsys.readouterr().out
    expected = [f"{number}/6 {stage}" for number, stage in enumerate(STAGES, 1)]
    assert announced(output) == expected[:-1]
    assert "demo cvppp/sbd 0." in output
    assert output.endswith('report demo: left out, matplotlib is missing; pip install "rsis[report]"\n')
    assert not (tmp_path / "reports").exists()

    made = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "locks" not in path.parts}
    kept = [tmp_path / "models/demo.safetensors", *(tmp_path / "data/raw").rglob("*.png")]
    times = [path.stat().st_mtime_ns for path in kept]
    assert run_here(monkeypatch, "demo") == 0
    assert announced(capsys.readouterr().out) == expected
    assert (tmp_path / "reports/demo.html").is_file()
    assert [path.stat().st_mtime_ns for path in kept] == times  # neither drawn nor trained again
    assert {path: path.read_bytes() for path in made} == made


@pytest.mark.pipeline
def test_interrupted_and_started_again_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(TINY.replace("epochs: 2", "epochs: 8"))
    arguments = [str(Path(sys.executable).with_name("rsis")), "run", "demo"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def listen() -> None:
        # a shell's background job ignores SIGINT, and so would this test if it runs in one
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with subprocess.Popen(
        arguments, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, preexec_fn=listen
    ) as process:
        while not list((tmp_path / "state").rglob("last.ckpt")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert not (tmp_path / "models/demo.safetensors").exists()
    result = in_process.rsis(tmp_path, "run", "demo")
    assert result.returncode == 0, result.stderr
    assert "demo: going on from" in " ".join(result.stderr.split())
    assert (tmp_path / "reports/demo.html").is_file()


@pytest.mark.pipeline
def test_of_several_processes_the_first_one_does_the_other_stages(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(TINY.replace("workers: 0", "workers: 0\n      devices: 2"))
    result = command(tmp_path, "run", "demo")
    assert result.returncode == 0, result.stderr
    assert announced(result.stdout) == [f"{number}/6 {stage}" for number, stage in enumerate(STAGES, 1)]


def test_a_name_that_is_no_run_ends_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        TINY.replace("    dataset: plants\n", "    dataset: plants\n    seeds: [0, 1]\n").replace(
            "{demo: plants}", "{}"
        )
    )
    refused(
        in_process.rsis(tmp_path, "run", "plants"), "params.yaml has no run 'plants'; it has demo-seed0, demo-seed1"
    )
    refused(in_process.rsis(tmp_path, "run", "demo"), "run demo has several seeds; name one of demo-seed0, demo-seed1")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
