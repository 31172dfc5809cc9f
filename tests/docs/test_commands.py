"""Every command and every line of Python in the documentation: run as written, or on a list that says why not.

Blocks marked `sh` and `python` count, and blocks without a mark whose lines begin with a program; of a line, what
stands behind two spaces is its explanation. Commands run in their order, in one project of small data.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
import yaml
from PIL import Image
from support.command_line import TINY
from support.own_folders import write_masks
from support.reference_data import REPOSITORY
from support.released_checkpoint import ARGS, save_as_torch_1, write_original

from rsis.checkpoint.original import original_architecture
from rsis.cli.main import app, main
from rsis.config.params import load_params
from rsis.model.network import RSISNetwork

PAGES = [
    *(REPOSITORY / name for name in ("README.md", "workflow/README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
PROGRAMS = ("rsis", "make", "dvc", "snakemake", "pip", "pytest", "python", "cat", "ls")
FOLLOWED = {"extend.md"}  # whose Python is parts of the package: test_extend.py puts them there
# not run here, by how they begin: what runs them, or what they need
ELSEWHERE = {
    "make": "targets are checked below; continuous integration runs lint, docs and test",
    "dvc": "stages and keys are checked below; tests/workflow/test_dvc.py runs the graph",
    "snakemake": "targets are checked below; tests/workflow/test_snakemake.py and test_slurm.py run them",
    "pip install": "the network",
    "python -m benchmarks": "tests/benchmarks runs it",
    "python docs/images/make.py": "half an hour of training before it; the pictures are in the repository",
    "cat": "of a job on a cluster",
    "ls": "of a job on a cluster",
    "rsis demo-app": "tests/tool/app/test_page.py runs it in a browser",
    "rsis report demo --experiments": "tests/report/tables/test_experiments.py, with experiments of DVC",
    "rsis predict cvppp": "data behind a form; tests/cli/test_submit.py runs the same on a twin",
    "rsis submit cvppp": "the same",
    "rsis predict cityscapes": "data behind an account; the same",
    "rsis submit cityscapes": "the same",
    "rsis report pascal cvppp": "weeks of training; tests/report writes reports of several runs",
    "rsis report order": "an hour of training; the same",
    "rsis run nuclei": "sixteen minutes of training; tests/cli/test_run.py runs another",
    "rsis run nuclei_convlstm": "the same",
    "rsis run nuclei_maskrcnn": "the same",
    "rsis report networks": "the same; tests/report writes reports of several runs",
}


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of each fenced or indented block."""
    text = page.read_text()
    for found in re.finditer(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield found[1], found[2]
    fenced = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for found in re.finditer(r"(?:^    \S.*\n)+", fenced, re.MULTILINE):
        yield "", re.sub(r"^    ", "", found[0], flags=re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    """Page and text of every command, in order, each once."""
    found: dict[str, str] = {}
    for page in PAGES:
        for language, text in blocks(page):
            lines = [re.split(r"\s{2,}|\s+#", line.strip())[0] for line in text.splitlines() if line.strip()]
            if language == "sh" or (language == "" and all(line.split()[0] in PROGRAMS for line in lines)):
                for line in lines:
                    found.setdefault(line, page.name)
    return [(page, line) for line, page in found.items()]


def is_elsewhere(command: str) -> bool:
    return any(f"{command} ".startswith(f"{start} ") for start in ELSEWHERE)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the documentation takes for given: small data, pictures, somebody's own, a released model."""
    folder = tmp_path_factory.mktemp("documented")
    (folder / "params.yaml").write_text(TINY)
    (folder / "pictures").mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(picture).save(folder / "pictures/plant.png")
    write_masks(folder / "my-data", [f"image{number:02d}" for number in range(20)])
    (folder / "new-pictures").symlink_to("pictures")
    network = RSISNetwork(original_architecture("resnet34", 16, 3, "concat"), 2)
    args = ARGS | {"hidden_size": 16, "num_classes": 2, "dataset": "leaves"}
    write_original(folder / "released", network, args, save_as_torch_1)
    return folder


def shrink(path: Path) -> None:
    """Make the run that `rsis init` has written one of seconds."""
    text = path.read_text()
    own = text.index("  my_data:\n    dataset: my_data")
    short = re.sub(r"(epochs|validate_every): \d+", r"\1: 1", text[own:])
    short = short.replace("[64, 32, 8, 4]", "[8, 4]").replace("threshold: 0.4", "threshold: 0.0")
    path.write_text(text[:own] + short)


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code, command


@pytest.mark.pipeline
def test_commands_run_as_they_are_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    for stage in ("download plants", "prepare plants", "train demo"):  # what most pages take for given
        run(f"rsis {stage}", monkeypatch)
    ran = []
    for page, command in commands():
        if is_elsewhere(command):
            continue
        assert command.startswith(("rsis ", "pytest")), f"{page}: {command!r} neither runs here nor is it on the list"
        if command.startswith("pytest"):
            continue
        run(command + (" --force" if " predict-images " in command else ""), monkeypatch)
        if command.startswith("rsis init"):
            shrink(project / "params.yaml")
        ran.append(command)
    assert len(ran) > 20
    for made in ("found/overlays/plant.png", "reports/my_data.html", "analysis/demo/index.html", "demo.onnx"):
        assert (project / made).is_file()
    assert json.loads((project / "found/coco.json").read_text())["images"]


@pytest.mark.pipeline
def test_python_runs_as_it_is_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    if not Path("models/demo.safetensors").exists():
        for stage in ("download plants", "prepare plants", "train demo"):
            run(f"rsis {stage}", monkeypatch)
    ran = 0
    for page in PAGES:
        names: dict[str, Any] = {}
        for language, text in blocks(page) if page.name not in FOLLOWED else ():
            if language == "python":
                exec(compile(text, page.name, "exec"), names)
                ran += 1
    assert ran > 4


@pytest.mark.parametrize("command", [line for _, line in commands() if line.startswith("rsis ")])
def test_options_exist(command: str) -> None:
    """Of every command, also of those that run elsewhere."""
    group = typer.main.get_command(app)
    _, name, *arguments = shlex.split(command)
    context = group.make_context("rsis", ["info", "x"])
    subcommand = group.get_command(context, name)  # type: ignore[attr-defined]
    assert subcommand is not None, f"there is no rsis {name}"
    subcommand.make_context(name, list(arguments), parent=context)  # it takes the list apart
    params = load_params(REPOSITORY / "params.yaml")
    words = {word for word in arguments if not word.startswith("-")}
    if name in ("train", "predict", "score", "submit", "analyze") and "my_data" not in words:
        assert arguments[0] in params.runs
    if name in ("download", "check", "prepare") and "my_data" not in words:
        assert arguments == ["--all"] or arguments[0] in params.datasets


def test_targets_of_the_engines_exist() -> None:
    params = load_params(REPOSITORY / "params.yaml")
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    makefile = (REPOSITORY / "Makefile").read_text()
    known = {*params.runs, *params.datasets, *params.comparisons}
    for page, command in commands():
        program, *words = shlex.split(command)
        if program == "make":
            for word in (word for word in words if "=" not in word):
                assert re.search(rf"^{word}:", makefile, re.MULTILINE), f"{page}: make {word}"
        if program == "dvc" and words[0] == "repro":
            for stage, _, item in (word.partition("@") for word in words[1:] if word != "--keep-going"):
                assert stage in stages
                assert item in {*params.default.runs, *params.default.datasets}, f"{page}: {command}"
        if words[:3] == ["exp", "run", "-S"]:
            node: Any = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
            for key in words[3].partition("=")[0].split("."):
                node = node[key]
        if program == "snakemake":
            targets = [word for word in words if not word.startswith("-") and "/profiles/" not in word]
            for target in targets:
                name = Path(target).stem
                assert name in known or target in ("all", "1", "cards=1", "overview.html"), f"{page}: {command}"


def test_make_lists_its_targets() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = re.findall(r"^(\w+):(?!=)", makefile, re.MULTILINE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = subprocess.run(["make"], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    listed = made.stdout  # `make test` starts this; without its variables the inner one names no folders
    assert [line.split()[1] for line in listed.splitlines()] == targets


def test_pages_link_to_files_that_are_there() -> None:
    """The build checks docs/; these are read where they are."""
    for page in PAGES:
        if page.parent.name == "docs":
            continue
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
