"""No command deletes or overwrites what it did not make: all commands, all options that name an output."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import pytest
from support.command_line import TINY
from support.in_process import rsis
from support.own_folders import write_maps

from rsis.cli.main import app

# options and arguments that name a path which is only read; every other one must be walked below
READ = {
    "analyze params", "check params", "commit params", "demo-app examples", "download params", "export checkpoint",
    "import-original folder", "info checkpoint", "init folder", "predict params", "predict-images images",
    "prepare params", "report params", "run params", "score params", "score predictions", "status params",
    "submit params", "submit predictions", "train params",
}  # fmt: skip
# a command that succeeds when the output is a new path, and that path
WALKED = {
    "analyze out": ("analyze demo --out", "new/analysis"),
    "check note": ("check --all --note", "new/note.txt"),
    "export out": ("export models/demo.safetensors --format torchscript --steps 1 --out", "new/demo.pt"),
    "import-original out": ("import-original released --out", ""),  # the authors' files are not at hand
    "init params": ("init leaves --params", "new.yaml"),
    "predict out": ("predict demo --out", "new/predictions.json"),
    "predict-images out": ("predict-images leaves/images/cell1.png --checkpoint models/demo.safetensors --out", "new"),
    "score details": ("score demo --details", "new/details"),
    "score metrics": ("score demo --metrics", "new/metrics.json"),
    "submit out": ("submit demo --out", "new/submission"),
}
TARGETS = (
    "notes", ".", "..", "link", "link/notes", "one", "one/plan.txt", "notes/thesis.txt", "thesis-link", "../beside",
    "../project/notes", "params.yaml", "leaves", "leaves/images", "data", "data/raw/plants",
)  # fmt: skip
# what the stages write without being asked where; a user's file that stands there already
DEFAULTS = {
    "predict demo": "predictions/demo.json",
    "score demo": "metrics/demo.json",
    "train demo": "models/demo.safetensors",
    "analyze demo": "analysis/demo/thesis.txt",
    "submit demo": "submissions/demo/thesis.txt",
    "report demo": "reports/demo.md",
    "prepare plants": "data/processed/plants/thesis.txt",
    "download plants": "data/raw/plants/thesis.txt",
}


def paths_of_commands() -> Iterator[str]:
    """Yield "COMMAND PARAMETER" of each argument and option whose type is a path."""
    for part in (app, *(group.typer_instance for group in app.registered_groups)):
        assert part is not None
        for command in part.registered_commands:
            assert command.callback is not None
            name = command.name or command.callback.__name__
            hints = get_type_hints(command.callback)
            yield from (f"{name} {parameter}" for parameter, hint in hints.items() if "Path" in str(hint))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run has gone through all stages, with a user's files in it and beside it."""
    folder = tmp_path_factory.mktemp("outputs") / "project"
    folder.mkdir()
    (folder / "params.yaml").write_text(TINY.replace("epochs: 2", "epochs: 1"))
    for command in ("download plants", "prepare plants", "train demo --quiet", "predict demo", "score demo"):
        assert rsis(folder, *command.split()).returncode == 0
    write_maps(folder / "leaves", [f"cell{number}" for number in range(6)])
    (folder / "link").symlink_to(".")
    (folder / "thesis-link").symlink_to("notes/thesis.txt")
    for name in ("notes/thesis.txt", "notes/deep/er.txt", "one/plan.txt", "../beside/thesis.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("years of work")
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(finished.parent, tmp_path / "all", symlinks=True, ignore=shutil.ignore_patterns("state"))
    return tmp_path / "all" / "project"


def kept(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of the last change of all files beside and in the project, without locks and logs."""
    files = (path for path in folder.parent.rglob("*") if path.is_file() and path.suffix not in (".lock", ".log"))
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def test_every_path_of_every_command_is_known() -> None:
    assert set(paths_of_commands()) == READ | WALKED.keys()


@pytest.mark.parametrize("output", [name for name, (_, new) in WALKED.items() if new])
def test_an_output_that_is_new_is_written(project: Path, output: str) -> None:
    """Otherwise the refusals below could have another cause."""
    command, new = WALKED[output]
    before = kept(project)
    done = rsis(project, *command.split(), new)
    assert done.returncode == 0, done.stderr
    assert (project / new).exists()
    changed = {name for name, state in kept(project).items() if before.get(name, state) != state}
    assert not [name for name in changed if "/metrics/" not in name and "/scores/" not in name]


@pytest.mark.parametrize("output", WALKED)
def test_files_of_the_user_are_unharmed(project: Path, output: str) -> None:
    command, _ = WALKED[output]
    for target in TARGETS:
        if (output, target) == ("init params", "params.yaml"):
            continue  # this file it extends
        before = kept(project)
        done = rsis(project, *command.split(), target)
        after = kept(project)
        assert {name: after.get(name) for name in before} == before, (target, done.stderr)
        assert (project / "link").is_symlink()
        assert (project / "thesis-link").is_symlink()
        if output == "predict-images out" and done.returncode == 0:
            continue  # adds files to a folder, and changes no other
        assert done.returncode == 2, target
        assert after.keys() == before.keys(), target
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("rsis: "), done.stderr


@pytest.mark.parametrize("command", DEFAULTS)
def test_files_where_the_stages_write_by_themselves_are_unharmed(project: Path, command: str) -> None:
    path = project / DEFAULTS[command]
    if path.suffix == ".txt" and path.parent.exists():
        shutil.rmtree(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("years of work")
    before = kept(project)
    done = rsis(project, *command.split())
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert kept(project) == before
