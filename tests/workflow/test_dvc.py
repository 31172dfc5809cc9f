"""The DVC graph: the stages that run, those that do not run again, and DVC's own commands."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.command_line import TINY
from support.project import STAGES, Project, begin
from support.reference_data import REPOSITORY

SIDE_BY_SIDE = REPOSITORY / "workflow/side_by_side.py"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = begin(tmp_path_factory.mktemp("dvc") / "project", TINY)
    output = project.run("dvc", "repro")
    assert project.ran(output) == set(STAGES)
    assert output.startswith("Running stage 'sources':\n")
    project.commit("Run the demo")
    return project


def with_another_run(params: str) -> str:
    """The configuration with a second run, `late`, that differs from `demo` in its seed."""
    content = YAML(typ="safe").load(params)
    content["runs"]["late"] = content["runs"]["demo"] | {"train": content["runs"]["demo"]["train"] | {"seed": 1}}
    content["default"]["runs"]["late"] = content["runs"]["late"]["dataset"]
    buffer = io.StringIO()
    YAML().dump(content, buffer)
    return buffer.getvalue()


@pytest.mark.pipeline
def test_scores_of_a_clone_stand_beside_those_that_were_committed(project: Project, tmp_path: Path) -> None:
    """This works without warnings, even if some runs of `default` have no results yet."""
    tracked = project.run("git", "ls-files", "metrics", "dvc.lock").split()
    assert tracked == ["dvc.lock", "metrics/demo.json"]
    copy = Project(tmp_path / "copy")
    project.run("git", "clone", "-q", str(project.folder), str(copy.folder))
    (copy.folder / "params.yaml").write_text(with_another_run(TINY))
    assert json.loads(copy.run_without_warning("dvc", "metrics", "diff", "--json")) == {}
    assert "metrics/demo.json" in copy.run_without_warning("dvc", "metrics", "show")

    copy.run("dvc", "config", "--local", "cache.dir", str(project.folder / ".dvc/cache"))
    lines = copy.run(sys.executable, str(SIDE_BY_SIDE), "late", "demo").splitlines()
    assert "late | Running stage 'train@late':" in lines
    assert {line.split(" | ")[0] for line in lines} == {"data", "late", "demo"}
    diff = json.loads(copy.run_without_warning("dvc", "metrics", "diff", "--json"))
    assert set(diff) == {"metrics/late.json"}
    assert diff["metrics/late.json"]["cvppp/sbd"]["old"] is None
    shown = json.loads(copy.run_without_warning("dvc", "metrics", "show", "--json"))[""]["data"]
    assert set(shown) == {"metrics/demo.json", "metrics/late.json"}
    copy.commit("Run another")

    params = copy.folder / "params.yaml"
    params.write_text(params.read_text().replace("objectness_threshold: 0.0", "objectness_threshold: 1.0"))
    copy.run("dvc", "repro", "score@demo")
    diff = json.loads(copy.run_without_warning("dvc", "metrics", "diff", "--json"))
    assert set(diff) == {"metrics/demo.json"}  # the metrics of the other run are unchanged
    assert diff["metrics/demo.json"]["cvppp/dic"].keys() >= {"old", "new", "diff"}
    assert "metrics/late.json:cvppp/sbd" in copy.run_without_warning("dvc", "exp", "show", "--csv")


@pytest.mark.pipeline
def test_a_bare_repro_begins_with_what_is_missing_and_goes_on_with_the_rest(tmp_path: Path) -> None:
    """Without CVPPP's data and a Cityscapes account, all else is built, and the error at the end names the two."""
    content = YAML(typ="safe").load(TINY)
    real = YAML(typ="safe").load(REPOSITORY / "params.yaml")["datasets"]
    content["datasets"] = {"cvppp": real["cvppp"], "cityscapes": real["cityscapes"], **content["datasets"]}
    demo = content["runs"]["demo"]
    content["runs"] |= {name: demo | {"dataset": name} for name in ("cvppp", "cityscapes")}
    content["default"] = {
        "datasets": ["cvppp", "cityscapes", "plants"],
        "runs": {"cvppp": "cvppp", "cityscapes": "cityscapes", "demo": "plants"},
    }
    buffer = io.StringIO()
    YAML().dump(content, buffer)
    project = begin(tmp_path / "project", buffer.getvalue())
    for name in ("CVPPP_DIR", "CITYSCAPES_DIR", "CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD"):
        project.environment.pop(name, None)
    project.environment["XDG_DATA_HOME"] = str(tmp_path / "share")

    done = project.attempt("dvc", "repro", "--keep-going")
    assert done.returncode != 0
    head, rest = done.stdout.split("\n\n", 1)
    table = head.splitlines()
    assert table[0] == "Running stage 'sources':"
    assert table[3].startswith(
        "cvppp       missing    data/cvppp: no such folder; fill in and sign the form at https://"
    )
    assert table[4].startswith("cityscapes  missing    needs an account: register at https://")
    assert table[5] == "plants      generated  8 pictures of 48 x 48 pixels"
    assert project.ran(rest) == set(STAGES)
    (end,) = (line for line in done.stderr.splitlines() if line.startswith("ERROR: "))
    assert "'download@cvppp'" in end
    assert "'download@cityscapes'" in end
    for line in ("data/cvppp: no such folder; fill in and sign", "Cityscapes: no credentials; register at https://"):
        assert len([text for text in done.stderr.splitlines() if line in text]) == 1
    assert (project.folder / "metrics/demo.json").is_file()

    again = project.attempt("dvc", "repro", "--keep-going")
    assert again.returncode != 0
    assert again.stdout.startswith("Running stage 'sources':")
    assert project.ran(again.stdout) == set()
    one = project.run("dvc", "repro", "score@demo")
    assert "sources" not in one
    assert "Data and pipelines are up to date" in one


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
    assert "demo: total loss" in html
    assert "plots/metrics/train/mask.tsv" in html
    for target in (("demo:",), ("history/demo/plots", "-x", "step")):  # and no message about plots of other runs
        project.run_without_warning("dvc", "plots", "show", "--out", "plots", *target)
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
def test_an_experiment_of_fewer_epochs_needs_no_other_change(project: Project) -> None:
    """Its last epoch is validated even if `validate_every` is larger than the number of epochs."""
    changes = ("-S", "runs.demo.train.epochs=1", "-S", "+runs.demo.train.validate_every=13")
    assert "train@demo" in project.ran(project.run("dvc", "exp", "run", "-n", "short", *changes))
    rows = (project.folder / "history/demo/plots/metrics/val/total.tsv").read_text().splitlines()
    assert [row.split()[0] for row in rows] == ["step", "0"]
    project.run("git", "checkout", "-q", ".")
    project.run("dvc", "checkout", "-q")


@pytest.mark.pipeline
def test_a_threshold_does_not_train_again(project: Project) -> None:
    params = project.folder / "params.yaml"
    params.write_text(TINY.replace("objectness_threshold: 0.0", "objectness_threshold: 0.1"))
    ran = project.ran(project.run("dvc", "repro"))
    assert "predict@demo" in ran
    assert ran & {"download@plants", "prepare@plants", "train@demo"} == set()


def test_the_graph_has_every_stage_of_the_command_line() -> None:
    stages = YAML().load(REPOSITORY / "dvc.yaml")["stages"]
    assert {stage.split("@")[0] for stage in STAGES} | {"sources"} == set(stages)
    assert stages.pop("sources")["cmd"].startswith("rsis check --all ")
    for name, stage in stages.items():
        variable = "${item}" if name in ("download", "prepare") else "${key}"
        assert stage["do"]["cmd"] == f"rsis {name} {variable}"
