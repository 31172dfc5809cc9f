"""Snakemake's graph: equal to DVC's, built by Snakemake, and results exchanged between the two engines."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML
from support.command_line import TINY
from support.project import Project, project_in
from support.reference_data import REPOSITORY

REPORT = "reports/demo.html"


def attempt(project: Project, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail."""
    return subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True, check=False
    )


def expanded(folder: Path, paths: list[str]) -> set[str]:
    """Replace folders of the package by their Python files; leave other paths as they are."""
    found: set[str] = set()
    for path in paths:
        whole = folder / path
        files = sorted(whole.rglob("*.py")) if path.startswith("rsis/") and whole.is_dir() else [whole]
        found |= {file.relative_to(folder).as_posix() for file in files}
    return found


def stages_of_dvc(folder: Path) -> dict[str, dict[str, Any]]:
    """Inputs, outputs and parameters of every stage that produces results, by its command."""
    found = {}
    with Repo(str(folder)) as repo:
        for stage in repo.index.stages:
            if stage.name == "sources":  # Snakemake prints the status of the data when it starts, without a job
                continue
            params = [name for dep in stage.deps if hasattr(dep, "params") for name in dep.params]
            inputs = [dep.def_path for dep in stage.deps if not hasattr(dep, "params")]
            found[stage.cmd] = {
                "inputs": expanded(folder, inputs),
                "outputs": {out.def_path for out in stage.outs},
                "params": set(params),
            }
    return found


def jobs_of_snakemake(project: Project) -> dict[str, dict[str, Any]]:
    """The same for every job, by its command without Snakemake's additions."""
    printed = project.run(sys.executable, str(REPOSITORY / "tests/support/snakemake_graph.py"), str(project.folder))
    found = {}
    for job in json.loads(printed):
        command = re.fullmatch(r"\s*(?:\$\{SLURM_JOB_ID:\+srun [^}]*\} )?(rsis .*) > (\S+) 2>&1", job["command"])
        assert command is not None, job["command"]
        assert job["log"] == [command[2]]
        found[command[1]] = {key: set(job[key]) for key in ("inputs", "outputs", "params")}
    return found


@pytest.mark.slow
def test_both_engines_have_one_graph(tmp_path: Path) -> None:
    """With the repository's own parameters and one run on two machines: all stages are equal in all properties."""
    params = (REPOSITORY / "params.yaml").read_text().replace("batch_size: 28 ", "nodes: 2\n      batch_size: 28 ")
    project = project_in(tmp_path / "project", params)
    project.run("dvc", "init", "-q", "--no-scm")
    theirs, ours = stages_of_dvc(project.folder), jobs_of_snakemake(project)
    assert set(ours) == set(theirs)
    assert len(ours) > 50
    for command, stage in theirs.items():
        assert ours[command] == stage, command


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose demo was built by Snakemake and recorded in DVC."""
    project = project_in(tmp_path_factory.mktemp("snakemake") / "project", TINY)
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    project.commit("Begin")
    refused = attempt(project, "rsis", "commit")
    assert refused.returncode == 2
    assert "run snakemake first" in refused.stderr
    first = attempt(project, "snakemake", "--cores", "1")
    assert first.returncode == 0, first.stderr
    assert re.search(r"data set +state\nplants +generated  8 pictures of 48 x 48 pixels\n", first.stderr)
    assert first.stderr.index("data set ") < first.stderr.index("rule generate:")
    again = attempt(project, "snakemake", "--cores", "1")
    assert "data set " not in again.stderr + attempt(project, "snakemake", "-n").stderr
    assert "7 stages recorded" in project.run("rsis", "commit")
    project.commit("Built by Snakemake")
    return project


def is_clean(project: Project) -> bool:
    """Whether neither engine has anything to do."""
    ours = "Nothing to be done" in project.run("snakemake", "-n")
    return ours and "Data and pipelines are up to date" in project.run("dvc", "status")


def results(project: Project) -> dict[str, str]:
    """DVC's digests of the outputs that must not depend on the engine or the time."""
    lock = YAML(typ="safe").load(project.folder / "dvc.lock")["stages"]
    digests = {out["path"]: out["md5"] for stage in lock.values() for out in stage["outs"]}
    return {path: md5 for path, md5 in digests.items() if not path.startswith("reports") and "run.json" not in path}


@pytest.mark.pipeline
def test_what_snakemake_built_is_clean_for_both(built: Project) -> None:
    assert is_clean(built)
    assert json.loads((built.folder / "metrics/demo.json").read_text())
    for stage, name in (("prepare", "plants"), ("train", "demo"), ("score", "demo")):
        assert (built.folder / f"logs/{stage}/{name}.tsv").read_text().startswith("s\t")


@pytest.mark.pipeline
def test_dvc_makes_the_same_bytes(built: Project, tmp_path: Path) -> None:
    """DVC runs every stage again in a copy without state; data, model, predictions and scores are equal to the bit."""
    copy = Project(tmp_path / "copy")
    shutil.copytree(built.folder, copy.folder, symlinks=True)
    shutil.rmtree(copy.folder / "state")
    before = results(copy)
    assert {"data/processed/plants", "models/demo.safetensors", "metrics/demo.json", "scores/demo"} <= set(before)
    copy.run("dvc", "repro", "--force")
    assert results(copy) == before


@pytest.mark.pipeline
def test_nothing_out_of_date_is_recorded_and_the_way_back_works(built: Project, tmp_path: Path) -> None:
    copy = Project(tmp_path / "copy")
    shutil.copytree(built.folder, copy.folder, symlinks=True)
    params = copy.folder / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("scorers: [cvppp, coco]", "scorers: [cvppp]"))
    lock = (copy.folder / "dvc.lock").read_bytes()
    refused = attempt(copy, "rsis", "commit", "demo")
    assert refused.returncode == 2
    assert "nothing recorded: Snakemake has still to run score demo, report demo" in refused.stderr
    assert (copy.folder / "dvc.lock").read_bytes() == lock

    copy.run("dvc", "repro")
    assert "metrics/demo.json" in copy.run("dvc", "metrics", "diff")
    changed = params.read_text()
    params.write_text(before)  # Snakemake has a record of these parameters, but the scores are of other ones
    lock = (copy.folder / "dvc.lock").read_bytes()
    refused = attempt(copy, "rsis", "commit", "demo")
    assert refused.returncode == 2
    assert "nothing recorded" in refused.stderr
    assert (copy.folder / "dvc.lock").read_bytes() == lock
    params.write_text(changed)
    copy.run("snakemake", "--touch", "--cores", "1")
    assert is_clean(copy)

    params.write_text(before)
    copy.run("snakemake", "--cores", "1")
    copy.run("rsis", "commit")
    assert is_clean(copy)
    assert copy.run("dvc", "metrics", "diff").strip() == ""


@pytest.mark.pipeline
def test_snakemakes_own_report_shows_scores_and_pages(built: Project) -> None:
    built.run("snakemake", "--report", "overview.html")
    page = (built.folder / "overview.html").read_text()
    (built.folder / "overview.html").unlink()
    for expected in ("metrics/demo.json", "reports/demo.html", "Scores", "fractions from 0 to 1"):
        assert expected in page


@pytest.mark.pipeline
def test_another_executor_runs_the_same_snakefile(tmp_path: Path) -> None:
    """The profile `generic`, with bash as the submit command."""
    project = project_in(tmp_path / "project", TINY)
    profile = project.folder / "workflow/profiles/generic/config.yaml"
    text = re.sub(r"cluster-generic-submit-cmd: >-\n.*\n", "cluster-generic-submit-cmd: bash\n", profile.read_text())
    profile.write_text(text.replace("latency-wait: 60", "latency-wait: 5\nseconds-between-status-checks: 1"))
    project.run("snakemake", "--profile", "workflow/profiles/generic", "data/processed/plants")
    assert (project.folder / "data/processed/plants/train.h5").is_file()
    assert "Nothing to be done" in project.run("snakemake", "-n", "data/processed/plants")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "options", "message"),
    [
        (TINY.replace("epochs: 2", "epochs: two"), (), "runs.demo.train.epochs: found 'two'"),
        (TINY, ("--config", "runs={'demo': 3}"), "--config runs: the stages read params.yaml"),
        (TINY.replace("  runs: {demo: plants}", "  runs: {demo: plants}\ncomparisons: {x: [y]}"), (), "no run 'y'"),
    ],
)
def test_a_wrong_configuration_is_one_clear_error(
    tmp_path: Path, params: str, options: tuple[str, ...], message: str
) -> None:
    project = project_in(tmp_path / "project", params)
    result = attempt(project, "snakemake", "-n", *options)
    assert result.returncode != 0
    assert message in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_seeds_and_comparisons_are_targets(tmp_path: Path) -> None:
    """A run with seeds has one training for each seed; a report on it needs all of them."""
    params = TINY.replace("    dataset: plants\n", "    dataset: plants\n    seeds: [0, 1, 2]\n")
    params = params.replace("runs: {demo: plants}", "runs: {}") + "comparisons: {ablation: [demo]}\n"
    project = project_in(tmp_path / "project", params)
    for target in (REPORT, "ablation"):
        jobs = project.run("snakemake", "-n", target)
        for seed in (0, 1, 2):
            assert f"wildcards: run=demo-seed{seed}\n" in jobs
        assert len(re.findall(r"^rule train:", jobs, re.MULTILINE)) == 3
        assert len(re.findall(r"^rule comparison:", jobs, re.MULTILINE)) == 1


@pytest.mark.slow
def test_the_rules_are_formatted_and_lint_finds_only_what_is_meant() -> None:
    """Lint reports only that rules name no container or conda environment: the environment is requirements.lock."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    lint = subprocess.run(
        ["snakemake", "--lint"], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    titles = set(re.findall(r"^    \* (.*):$", lint.stdout + lint.stderr, re.MULTILINE))
    assert titles == {"Specify a conda environment or container for each rule."}
    subprocess.run(["snakefmt", "--check", "."], cwd=REPOSITORY, env=environment, capture_output=True, check=True)
