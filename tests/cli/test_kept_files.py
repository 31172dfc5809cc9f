"""No command deletes a folder that it did not write."""

import os
import sys
from pathlib import Path

import pytest
from support.command_line import TINY
from support.own_folders import write_maps
from support.small_model import write_small_model

from rsis.cli.main import main
from rsis.errors import UserError
from rsis.files.atomic import write_json
from rsis.files.ownership import Kind, check_file
from rsis.prediction_file import PredictionFile, write_predictions


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run a command; return its exit code."""
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def everything_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path): path.read_bytes() for path in files}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with raw data, folders of notes inside and beside it, and a link to the project."""
    folder = tmp_path / "project"
    (folder / "notes").mkdir(parents=True)
    (folder / "params.yaml").write_text(TINY)
    (folder / "notes" / "thesis.txt").write_text("years of work")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "thesis.txt").write_text("years of work")
    (folder / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    assert not run("rsis download plants", monkeypatch)
    return tmp_path


@pytest.mark.parametrize("folder", ["notes", ".", "..", "link", "../beside", "../project/notes", "params.yaml"])
@pytest.mark.parametrize("command", ["score demo --details", "analyze demo --out", "submit demo --out"])
def test_output_folders_are_not_taken_from_the_user(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, folder: str
) -> None:
    before = everything_in(project)
    assert run(f"rsis {command} {folder}", monkeypatch) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert any(part in lines[0] for part in ("rsis did not write there", "the folder you are in", "is a file"))
    assert everything_in(project) == before


@pytest.mark.parametrize("name", ["../beside", "notes/../../beside", "..", "README"])
def test_reports_stay_in_their_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    before = everything_in(project)
    assert run(f"rsis report demo --name {name}", monkeypatch) == 2
    assert capsys.readouterr().err.startswith("rsis: report --name: ")
    assert everything_in(project) == before


@pytest.mark.parametrize(
    "folder", ["data/processed/leaves", "data/raw/leaves", "data", "models", "reports/x/y", "scores"]
)
def test_pictures_where_the_stages_write_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    write_maps(tmp_path / folder, [f"cell{number}" for number in range(12)])
    monkeypatch.chdir(tmp_path)
    before = everything_in(tmp_path)
    assert run(f"rsis init {folder}", monkeypatch) == 2
    message = capsys.readouterr().err
    assert "and replaces what stands there; move your pictures to a folder of another place or name" in message
    assert everything_in(tmp_path) == before
    # following the advice in the message helps
    (tmp_path / folder).rename(tmp_path / "leaves-pictures")
    for command in ("init leaves-pictures", "download leaves_pictures", "prepare leaves_pictures"):
        assert not run(f"rsis {command}", monkeypatch)
    pictures = everything_in(tmp_path / "leaves-pictures")
    assert sorted(pictures.values()) == sorted(before.values())


def test_what_a_killed_stage_left_is_swept_at_its_next_start(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = project / "project" / "data" / "raw"
    (raw / ".plants.rsis-ab12cd_x" / "training").mkdir(parents=True)
    (raw / ".plants.rsis-ab12cd_x.gone" / "training").mkdir(parents=True)
    (raw / ".other.rsis-ab12cd_x").mkdir()
    (raw / ".plants.notes").mkdir()
    before = everything_in(raw / "plants")
    assert not run("rsis download plants", monkeypatch)
    assert sorted(path.name for path in raw.iterdir()) == [".other.rsis-ab12cd_x", ".plants.notes", "plants"]
    assert everything_in(raw / "plants") == before
    # killed after the old folder was moved aside, before the new one was in its place
    (raw / "plants").rename(raw / ".plants.rsis-ab12cd_x.old")
    assert not run("rsis download plants", monkeypatch)
    assert sorted(path.name for path in raw.iterdir()) == [".other.rsis-ab12cd_x", ".plants.notes", "plants"]
    assert everything_in(raw / "plants") == before


@pytest.mark.parametrize(
    "command",
    [
        "predict demo --out",
        "score demo --metrics",
        "import-original released --out",
        "export demo.safetensors --format torchscript --out",
        "check --all --note",
    ],
)
def test_files_that_an_option_names_are_not_taken_from_the_user(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    os.mkfifo(project / "project" / "queue")
    (project / "project" / "notes" / "link.json").symlink_to("thesis.txt")
    before = everything_in(project)
    for name in ("params.yaml", "notes/thesis.txt", "notes", "queue", "notes/link.json"):
        assert run(f"rsis {command} {name}", monkeypatch) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(f"rsis: {name}: ")
        assert any(part in lines[0] for part in ("that rsis wrote", "is a folder", "is no plain file"))
    assert everything_in(project) == before
    assert (project / "project" / "notes" / "link.json").is_symlink()


FOREIGN = [
    "",
    "{}",
    "[]",
    "[" * 100_000,
    '{"a": 1}',
    '{"cvppp/sbd": "mine"}',
    '{"cvppp/sbd": NaN}',
    "\x08 notes",
    "PK\3\4",
]


def write_ours(folder: Path) -> dict[Kind, Path]:
    found: dict[Kind, Path] = {kind: folder / f"{kind}.json" for kind in ("predictions", "metrics")}
    write_predictions(
        found["predictions"], PredictionFile("plants", "demo", "test", "9f86", ("leaf",), {"num_steps": 3}, ())
    )
    write_json(found["metrics"], {"cvppp/sbd": 0.5, "coco/AP": 0})
    found["checkpoint"] = write_small_model(folder / "small.safetensors")
    return found


def test_files_of_ours_are_known_by_their_content(tmp_path: Path) -> None:
    found = write_ours(tmp_path)
    for kind in ("predictions", "metrics", "checkpoint", "export"):
        for other, path in found.items():
            check_file(path, kind, force=True)
            if kind == other:
                check_file(path, kind)
                continue
            with pytest.raises(UserError, match=r"is there already and is not .* that rsis wrote; .* --force"):
                check_file(path, kind)
        for number, content in enumerate(FOREIGN):
            path = tmp_path / f"mine{number}"
            path.write_text(content)
            if not content:
                check_file(path, kind)
                continue
            with pytest.raises(UserError, match="that rsis wrote"):
                check_file(path, kind)
        check_file(tmp_path / "absent" / "file", kind)
        with pytest.raises(UserError, match="is a folder"):
            check_file(tmp_path, kind, force=True)


def test_a_former_versions_prediction_file_is_ours(tmp_path: Path) -> None:
    path = write_ours(tmp_path)["predictions"]
    path.write_text(path.read_text().replace('"schema_version": 3', '"schema_version": 2'))
    check_file(path, "predictions")
