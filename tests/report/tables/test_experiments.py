"""DVC experiments: read from a real repository and compared in a report; errors name unknown ones."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from rsis.errors import UserError
from rsis.report.tables.dvc_revisions import load_experiments
from rsis.report.tables.experiments import Experiment, tabulate

STAGE = """
import json
from pathlib import Path
from ruamel.yaml import YAML
lr = YAML().load(Path("params.yaml"))["runs"]["demo"]["lr"]
Path("metrics").mkdir(exist_ok=True)
Path("metrics/demo.json").write_text(json.dumps({"cvppp/sbd": lr, "cvppp/sbd_std": 0.1, "cvppp/abs_dic": 2}))
"""
GRAPH = """
stages:
  score:
    cmd: python stage.py
    deps: [stage.py]
    params: [runs.demo]
    metrics:
      - metrics/demo.json: {cache: false}
  later:
    cmd: python later.py
    metrics:
      - metrics/later.json: {cache: false}
"""
PARAMS = "runs:\n  demo: {lr: 0.5, widths: [64, 32]}\n"


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "HOME": str(folder.parent),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a stage that has run at HEAD, one that never has, and two experiments."""
    folder = tmp_path_factory.mktemp("dvc") / "project"
    folder.mkdir()
    for name, text in (("stage.py", STAGE), ("dvc.yaml", GRAPH), ("params.yaml", PARAMS)):
        (folder / name).write_text(text)
    for command in (
        ("git", "init", "-q"),
        ("dvc", "init", "-q"),
        ("dvc", "repro", "-q", "score"),
        ("git", "add", "-A"),
        ("git", "commit", "-qm", "Begin"),
        ("dvc", "exp", "run", "-q", "-n", "faster", "-S", "runs.demo.lr=0.75", "score"),
        ("dvc", "exp", "run", "-q", "-n", "wider", "-S", "runs.demo.lr=0.5", "-S", "runs.demo.widths=[96]", "score"),
    ):
        done = run(folder, *command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return folder


@pytest.mark.slow
def test_experiments_have_their_own_figures_and_parameters(project: Path) -> None:
    head, faster, wider = load_experiments(["faster", "wider", "faster"], project)
    assert (head.name, faster.name, wider.name) == ("HEAD", "faster", "wider")
    assert [e.metrics["metrics/demo.json:cvppp/sbd"] for e in (head, faster, wider)] == [0.5, 0.75, 0.5]
    assert [e.parameters["runs.demo.lr"] for e in (head, faster, wider)] == [0.5, 0.75, 0.5]
    assert [e.parameters["runs.demo.widths"] for e in (head, faster, wider)] == ["[64, 32]", "[64, 32]", "[96]"]
    assert not any("later" in key for key in head.metrics)  # a stage that never ran is not an error


@pytest.mark.slow
def test_an_unknown_name_is_one_line(project: Path) -> None:
    with pytest.raises(UserError, match=r"no DVC experiment is called 'nonesuch'; `dvc exp list`") as caught:
        load_experiments(["faster", "nonesuch"], project)
    assert "\n" not in str(caught.value)


def test_outside_of_a_repository(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="in no DVC repository"):
        load_experiments(["faster"], tmp_path)


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    for command in (("git", "init", "-q"), ("dvc", "init", "-q")):
        assert run(tmp_path, *command).returncode == 0
    with pytest.raises(UserError, match="has no git commit"):
        load_experiments(["faster"], tmp_path)


@pytest.mark.pipeline
def test_the_command_line_compares_experiments(project: Path, tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"  # a valid one for this package, unlike the one in the DVC project
    params.write_text("datasets: {}\nruns: {}\ndefault: {datasets: [], runs: {}}\n")
    rsis = str(Path(sys.executable).with_name("rsis"))
    done = run(project, rsis, "report", "--params", str(params), "--experiments", "faster", "wider")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(project / "reports" / "experiments.csv")
    sbd = table[table["metric"] == "metrics/demo.json:cvppp/sbd"].set_index("method")
    assert sbd["value"].to_dict() == {"HEAD": 50, "faster": 75, "wider": 50}
    assert sbd["difference"].to_dict()["faster"] == 25
    text = (project / "reports" / "experiments.md").read_text()
    assert "| SBD, % | 50.0 | 75.0 (+25.0) | 50.0 (0.0) |" in text
    assert "| runs.demo.lr | 0.5 | 0.75 | 0.5 |" in text
    refused = run(project, rsis, "report", "--params", str(params), "--experiments", "nonesuch")
    assert refused.returncode == 2
    assert "no DVC experiment is called 'nonesuch'" in refused.stderr
    assert "Traceback" not in refused.stderr
    none = run(project, rsis, "report", "--params", str(params))
    assert none.returncode == 2
    assert "no run to report" in none.stderr


def test_lines_are_what_some_have_and_what_differs() -> None:
    table = tabulate(
        [
            Experiment("HEAD", {"a.json:cvppp/sbd": 0.5, "a.json:cvppp/sbd_std": 0.1}, {"x": True, "y": 1, "z": None}),
            Experiment("b", {"a.json:cvppp/sbd": 0.4, "metrics/c.json:loss": 0.125}, {"x": False, "y": 1, "w": 1.0}),
        ]
    )
    assert table is not None
    assert dict(table.metrics) == {"a: SBD, %": ("50.0", "40.0 (\u221210.0)"), "c: loss": ("-", "0.125")}
    assert dict(table.parameters) == {"w": ("-", "1.0"), "x": ("true", "false"), "z": ("null", "-")}
    assert tabulate([]) is None
