"""Tests of the manifest: the files it records and the changes it detects."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rsis.errors import UserError
from rsis.files.manifest import FileRecord, read_manifest, verify, write_manifest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "leaves"
    (root / "b").mkdir(parents=True)
    (root / "a.csv").write_bytes(b"one\n")
    (root / "b" / "c.png").write_bytes(b"two")
    (root / ".hidden").write_bytes(b"x")
    (root / ".cache").mkdir()
    (root / ".cache" / "y").write_bytes(b"y")
    return root


def test_records_every_visible_file(data: Path) -> None:
    manifest = write_manifest(data, "leaves", data, {"kind": "folder"})
    assert dict(manifest.files) == {
        "a.csv": FileRecord(4, hashlib.sha256(b"one\n").hexdigest()),
        "b/c.png": FileRecord(3, hashlib.sha256(b"two").hexdigest()),
    }
    assert json.loads((data / "MANIFEST.json").read_text())["root"] == "."
    assert read_manifest(data) == manifest
    verify(manifest)


def test_data_elsewhere_is_recorded_by_its_absolute_path(data: Path, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "raw" / "leaves", "leaves", data)
    assert json.loads((tmp_path / "raw" / "leaves" / "MANIFEST.json").read_text())["root"] == str(data)
    assert read_manifest(tmp_path / "raw" / "leaves") == manifest
    assert not (data / "MANIFEST.json").exists()


def test_manifest_may_be_moved_with_its_data(data: Path) -> None:
    digest = write_manifest(data, "leaves", data).digest
    moved = read_manifest(data.rename(data.with_name("moved")))
    verify(moved)
    assert moved.digest == digest
    assert moved.root.name == "moved"


def test_linked_folders_are_followed_once(data: Path, tmp_path: Path) -> None:
    root = tmp_path / "links"
    root.mkdir()
    (root / "train").symlink_to(data / "b")
    (root / "train2").symlink_to(root)
    assert list(write_manifest(root, "links", root).files) == ["train/c.png"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda root: (root / "a.csv").unlink(), "a.csv: missing"),
        (lambda root: (root / "a.csv").write_bytes(b"longer\n"), "a.csv: 7 bytes, recorded as 4"),
        (lambda root: (root / "b" / "c.png").write_bytes(b"TWO"), "c.png: its bytes differ"),
        (lambda root: (root / "b" / "d.png").write_bytes(b"new"), "d.png: not recorded"),
    ],
)
def test_verify_names_the_changed_file(data: Path, change: Callable[[Path], object], found: str) -> None:
    manifest = write_manifest(data, "leaves", data)
    change(data)
    with pytest.raises(UserError, match=found) as caught:
        verify(manifest)
    assert "run `rsis download leaves` again to accept it" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_digest_depends_on_names_and_bytes_only(data: Path, tmp_path: Path) -> None:
    first = write_manifest(tmp_path / "one", "leaves", data)
    assert write_manifest(tmp_path / "two", "other", data, {"kind": "folder"}).digest == first.digest
    (data / "a.csv").rename(data / "A.csv")
    assert write_manifest(tmp_path / "one", "leaves", data).digest != first.digest


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "MANIFEST.json: cannot read"),
        ("{", "not valid JSON"),
        ("{}", "schema_version is missing|dataset is missing"),
        ('{"schema_version": 2, "dataset": "d", "root": ".", "source": {}, "files": {}}', "schema_version is 2"),
        ('{"schema_version": 1, "dataset": "d", "root": ".", "source": {}, "files": {"a": 3}}', "files.a is 3"),
    ],
)
def test_unusable_manifest_is_one_line(tmp_path: Path, content: str | None, found: str) -> None:
    if content is not None:
        (tmp_path / "MANIFEST.json").write_text(content)
    with pytest.raises(UserError, match=found) as caught:
        read_manifest(tmp_path)
    assert f"run `rsis download {tmp_path.name}`" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_manifest_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        write_manifest(tmp_path, "leaves", tmp_path / "nowhere")
    with pytest.raises(UserError, match="empty"):
        write_manifest(tmp_path, "leaves", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_readmes_and_what_file_managers_leave_are_no_data(tmp_path: Path) -> None:
    for name in ("README", "README.md", "sub/Readme.txt", "sub/Thumbs.db", "a.png", "README.png", "readme_label.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(name)
    manifest = write_manifest(tmp_path / "raw", "mine", tmp_path / "data")
    assert set(manifest.files) == {"a.png", "README.png", "readme_label.png"}  # images, in spite of their names
    (tmp_path / "data" / "README.md").write_text("corrected")
    verify(manifest)


def test_a_folder_of_the_project_may_move_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    (project / "mine").mkdir(parents=True)
    (project / "mine" / "a.png").write_text("a")
    monkeypatch.chdir(project)
    write_manifest(Path("data/raw/mine"), "mine", Path("mine"))
    monkeypatch.chdir(tmp_path)
    project.rename(tmp_path / "moved")
    manifest = read_manifest(tmp_path / "moved/data/raw/mine")
    assert manifest.root == tmp_path / "moved/mine"
    verify(manifest)
