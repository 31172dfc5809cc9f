"""No command deletes a folder that it did not write."""

import sys
from pathlib import Path

import pytest
from own_folders import write_maps
from test_cli import TINY

from rsis.cli import main


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
    """A project with raw data, a folder of notes in it and one beside it, and a link to itself."""
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
    # the remedy helps
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
    # killed when the old folder had been put aside and the new one was not there yet
    (raw / "plants").rename(raw / ".plants.rsis-ab12cd_x.old")
    assert not run("rsis download plants", monkeypatch)
    assert sorted(path.name for path in raw.iterdir()) == [".other.rsis-ab12cd_x", ".plants.notes", "plants"]
    assert everything_in(raw / "plants") == before
