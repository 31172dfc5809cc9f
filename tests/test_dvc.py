"""The DVC graph: what runs, what does not run again, and what a DVC user expects to work."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from test_cli import TINY

REPOSITORY = Path(__file__).parents[1]
STAGES = ("download@plants", "prepare@plants", "train@demo", "predict@demo", "score@demo", "report@demo")


class Project:
    """A git and DVC repository with our graph and a data set that takes seconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "DVC_NO_ANALYTICS": "1",
            "HOME": str(folder.parent),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def run(self, *command: str) -> str:
        result = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", message)

    def ran(self, output: str) -> set[str]:
        return {stage for stage in STAGES if f"Running stage '{stage}'" in output}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("dvc") / "project"
    folder.mkdir()
    project = Project(folder)
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(REPOSITORY / name, folder)
    # the stages depend on the code; what runs is the installed package, the same files
    shutil.copytree(REPOSITORY / "rsis", folder / "rsis", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "params.yaml").write_text(TINY)
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    project.commit("Begin")
    assert project.ran(project.run("dvc", "repro")) == set(STAGES)
    project.commit("Run the demo")
    return project


@pytest.mark.pipeline
def test_a_second_repro_does_nothing(project: Project) -> None:
    output = project.run("dvc", "repro")
    assert project.ran(output) == set()
    assert "Data and pipelines are up to date" in output
    assert "Data and pipelines are up to date" in project.run("dvc", "status")


@pytest.mark.pipeline
def test_metrics_and_plots_show(project: Project) -> None:
    shown = json.loads(project.run("dvc", "metrics", "show", "--json"))
    values = shown[""]["data"]["metrics/demo.json"]["data"]
    assert values == json.loads((project.folder / "metrics/demo.json").read_text())
    page = project.run("dvc", "plots", "show", "--out", "plots").strip().removeprefix("file://")
    html = Path(page).read_text()
    assert "Total loss of the demo" in html
    assert "plots/metrics/train/mask.tsv" in html
    shutil.rmtree(project.folder / "plots")


@pytest.mark.pipeline
def test_an_experiment_changes_one_parameter_and_runs_what_depends_on_it(project: Project) -> None:
    output = project.run("dvc", "exp", "run", "-n", "leaves", "-S", "runs.demo.score.scorers=[cvppp]")
    assert project.ran(output) == {"score@demo", "report@demo"}
    params = project.folder / "params.yaml"
    assert YAML().load(params)["runs"]["demo"]["score"]["scorers"] == ["cvppp"]
    assert "metrics/demo.json" in project.run("dvc", "metrics", "diff")
    assert "leaves" in project.run("dvc", "exp", "show", "--csv")
    params.write_text(TINY.replace("lr: 1e-3", "lr: 5e-3"))
    stale = set(json.loads(project.run("dvc", "status", "--json")))
    assert "train@demo" in stale
    assert stale & {"download@plants", "prepare@plants"} == set()
    project.run("git", "checkout", "-q", ".")
    project.run("dvc", "checkout", "-q")
    assert "Data and pipelines are up to date" in project.run("dvc", "status")


@pytest.mark.pipeline
def test_a_threshold_does_not_train_again(project: Project) -> None:
    params = project.folder / "params.yaml"
    params.write_text(TINY.replace("objectness_threshold: 0.0", "objectness_threshold: 0.1"))
    ran = project.ran(project.run("dvc", "repro"))
    assert "predict@demo" in ran
    assert ran & {"download@plants", "prepare@plants", "train@demo"} == set()


def test_the_graph_has_every_stage_of_the_command_line() -> None:
    stages = YAML().load(REPOSITORY / "dvc.yaml")["stages"]
    assert {stage.split("@")[0] for stage in STAGES} == set(stages)
    for name, stage in stages.items():
        variable = "${item}" if name in ("download", "prepare") else "${key}"
        assert stage["do"]["cmd"] == f"rsis {name} {variable}"
