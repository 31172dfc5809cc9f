"""The plan that `make demo` prints before it starts, and that it agrees with the configuration."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.reference_data import REPOSITORY

from rsis.config.params import load_params

DEMO_RUNS = re.search(r"^DEMO_RUNS = (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)


def plan(root: Path, *runs: str) -> list[str]:
    """Return the lines of the plan; it runs without any package, as before the installation."""
    command = [sys.executable, "-I", "-S", str(root / "workflow/plan.py"), *runs]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    ("runs", "cores", "expected"), [(4, 1, (1, 1)), (4, 2, (2, 1)), (1, 2, (1, 2)), (4, 16, (4, 4))]
)
def test_runs_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, runs: int, cores: int, expected: tuple[int, int]
) -> None:
    found = runpy.run_path(str(REPOSITORY / "workflow/plan.py"))
    monkeypatch.setitem(found["at_a_time"].__globals__, "_memory", lambda: 2**40)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    assert found["at_a_time"](runs) == expected
    monkeypatch.setitem(found["at_a_time"].__globals__, "_memory", lambda: 2**32)  # enough for one
    assert found["at_a_time"](runs) == (1, cores)


def test_runs_are_spread_over_the_cores_as_these_become_free() -> None:
    duration = runpy.run_path(str(REPOSITORY / "workflow/plan.py"))["duration"]
    assert duration([240, 240, 300, 300], 1) == 1080
    assert duration([240, 240, 300, 300], 2) == 540
    assert duration([100, 300, 100, 100], 2) == 300
    assert duration([], 2) == 0


def copy_of_plan(folder: Path, seconds: dict[str, float]) -> Path:
    """A project with the script and with reference results that have these training times."""
    (folder / "workflow").mkdir()
    shutil.copy(REPOSITORY / "workflow/plan.py", folder / "workflow")
    runs = {
        run: [{"seconds": number, "dataset": f"data of {run}", "machine": "M", "threads": 2}]
        for run, number in seconds.items()
    }
    (folder / "reports/reference").mkdir(parents=True)
    (folder / "reports/reference/results.json").write_text(json.dumps({"runs": runs, "schema_version": 1}))
    return folder


def test_it_says_what_runs_for_how_long_and_how_to_go_on(tmp_path: Path) -> None:
    lines = plan(copy_of_plan(tmp_path, {"one": 215, "two": 95}), "one", "two", "three")
    assert lines[0].startswith("This trains, predicts and scores, ")
    assert lines[1].split() == ["one", "on", "data", "of", "one,", "about", "4", "min"]
    assert lines[2].split() == ["two", "on", "data", "of", "two,", "about", "2", "min"]
    assert lines[3].split()[:3] == ["three", "(no", "reference:"]
    found = runpy.run_path(str(REPOSITORY / "workflow/plan.py"))
    together = found["duration"]([215 + 50, 95 + 50], found["at_a_time"](3)[0]) / 60
    assert f"together about {together:.0f} min" in lines[4]
    assert "M, 2 threads" in lines[5]
    assert "goes on" in lines[6]


def test_it_speaks_without_reference_results(tmp_path: Path) -> None:
    copy_of_plan(tmp_path, {})
    shutil.rmtree(tmp_path / "reports")
    assert any("no reference" in line for line in plan(tmp_path, "one"))


def test_the_demo_is_what_the_comparison_and_dvc_know() -> None:
    assert DEMO_RUNS is not None
    runs = tuple(DEMO_RUNS[1].split())
    params = load_params(REPOSITORY / "params.yaml")
    assert params.comparisons["demos"] == runs  # `make demo` writes this report at the end
    assert set(runs) <= set(params.default.runs)
