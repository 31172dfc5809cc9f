"""Tests of atomic writing: a file or folder is the old one or the new one, never a part."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rsis.errors import UserError
from rsis.files.atomic import MARK, atomic_folder, atomic_path, check_replaceable, write_json
from rsis.files.digests import sha256_of
from rsis.files.durable import sweep


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("first")
        assert not target.exists()
        assert temporary.suffix == ".txt"
    assert target.read_text() == "first"
    assert target.stat().st_mode & 0o777 == 0o666 & ~current_umask()
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "first"
    assert os.listdir(target.parent) == ["file.txt"]  # noqa: PTH208


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    for name in ("a", "b"):
        with atomic_folder(target) as temporary:
            (temporary / name).write_text(name)
    assert {path.name for path in target.iterdir()} == {"b", MARK}
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as temporary:
        (temporary / "c").write_text("c")
        raise ZeroDivisionError
    assert {path.name for path in target.iterdir()} == {"b", MARK}
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def everything_in(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def make(folder: Path) -> None:
    with atomic_folder(folder) as temporary:
        (temporary / "sub").mkdir()
        (temporary / "sub" / "table.csv").write_text("1")
        (temporary / "nothing").mkdir()


@pytest.mark.parametrize("foreign", ["thesis.txt", "sub/thesis.txt", "notes/", ".git/config", "sub/link", "README"])
def test_a_folder_with_anything_foreign_is_refused(tmp_path: Path, foreign: str) -> None:
    target = tmp_path / "folder"
    make(target)
    make(target)
    path = target / foreign
    path.parent.mkdir(parents=True, exist_ok=True)
    if foreign.endswith("/"):
        path.mkdir()
    elif foreign.endswith("link"):
        path.symlink_to(tmp_path)
    else:
        path.write_text("mine")
    before = everything_in(tmp_path)
    with pytest.raises(UserError, match=rf"folder: holds {foreign.rstrip('/')}, which rsis did not write there; name"):
        make(target)
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("mark", [None, "", "[]", "{}", '{"made_by": "rsis"}', '{"made_by": "me", "files": ["a.txt"]}'])
def test_a_folder_without_a_mark_of_ours_is_refused(tmp_path: Path, mark: str | None) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "a.txt").write_text("mine")
    if mark is not None:
        (target / MARK).write_text(mark)
    before = everything_in(tmp_path)
    with pytest.raises(UserError, match="which rsis did not write there"):
        make(target)
    assert everything_in(tmp_path) == before


def test_what_comes_in_while_the_new_folder_is_made_stays(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    make(target)
    with pytest.raises(UserError, match=r"holds thesis\.txt"), atomic_folder(target) as temporary:
        (temporary / "table.csv").write_text("2")
        (target / "thesis.txt").write_text("mine")
    assert (target / "thesis.txt").read_text() == "mine"
    assert (target / "sub" / "table.csv").is_file()


def test_what_looking_at_a_folder_leaves_in_it_does_not_count(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    make(target)
    (target / ".DS_Store").touch()
    (target / "sub" / "Thumbs.db").touch()
    make(target)
    assert not (target / ".DS_Store").exists()


def test_neither_the_working_folder_nor_one_above_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    (tmp_path / "link").symlink_to("a")
    for name in (".", "..", "../link", str(tmp_path)):
        with pytest.raises(UserError, match="the folder you are in is part of it"):
            make(Path(name))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "link"]


def test_of_a_link_the_folder_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    make(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "sub" / "table.csv").is_file()
    (tmp_path / "disk" / "mine").touch()
    with pytest.raises(UserError, match="holds mine"):
        make(tmp_path / "link")


def test_a_copied_folder_is_still_ours_and_equal_content_gives_an_equal_mark(tmp_path: Path) -> None:
    make(tmp_path / "folder")
    shutil.copytree(tmp_path / "folder", tmp_path / "copy")
    make(tmp_path / "copy")
    assert everything_in(tmp_path / "folder") == everything_in(tmp_path / "copy")
    assert json.loads((tmp_path / "copy" / MARK).read_text())["files"] == ["nothing", "sub/table.csv"]
    check_replaceable(tmp_path / "copy")


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file/below: cannot write"), atomic_path(tmp_path / "file/below"):
        pytest.fail("no temporary file can be there")
    with pytest.raises(UserError, match=r"No space left"), atomic_path(tmp_path / "full") as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        temporary.write_text("x")
    assert not (tmp_path / "full").exists()


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "ü"})
    write_json(tmp_path / "b.json", {"a": "ü", "b": 1})
    assert sha256_of(tmp_path / "a.json") == sha256_of(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_text() == '{\n  "a": "ü",\n  "b": 1\n}\n'


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def leave(path: Path, end: str = "") -> Path:
    """Return the path of the leftover of a killed process beside the output `path`."""
    return path.with_name(f".{path.stem}.rsis-ab12_xyz{path.suffix}{end}")


def test_leftovers_of_killed_processes_are_swept_and_nothing_else(tmp_path: Path) -> None:
    file, folder = tmp_path / "demo.json", tmp_path / "v1.2"
    write_json(file, 1)
    make(folder)
    leave(file).write_text("half")
    (tmp_path / ".v1.2.rsis-ab12_xyz/sub").mkdir(parents=True)
    (tmp_path / ".v1.2.rsis-ab12_xyz.old").mkdir()
    (tmp_path / ".v1.2.rsis-00000000.gone/half").mkdir(parents=True)
    foreign = [
        ".demo.json",
        ".demo.rsis-.json",
        ".demo.rsis-notes.json",
        ".demo.abcdefgh.json",
        ".other.rsis-ab12_xyz.json",
    ]
    for name in foreign:
        (tmp_path / name).write_text("mine")
    before = everything_in(folder)
    sweep(file, folder, tmp_path / "absent" / "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*foreign, "demo.json", "v1.2"])
    assert everything_in(folder) == before


def test_a_kill_between_the_two_renames_of_a_folder_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "folder"
    make(target)
    before = everything_in(target)
    script = (
        "import os, sys; from pathlib import Path; import rsis.files.atomic as files\n"
        "rename = files.replace_on_disk\n"
        "files.replace_on_disk = lambda old, new: os._exit(9) if new.name == 'folder' else rename(old, new)\n"
        "with files.atomic_folder(Path(sys.argv[1])) as temporary: (temporary / 'new').touch()\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(target)]).returncode == 9
    assert not target.exists()
    sweep(target)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert everything_in(target) == before
    check_replaceable(target)


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, str]] = []
    sync, replace = os.fsync, Path.replace

    def note_sync(handle: int) -> None:
        events.append(("sync", Path(f"/proc/self/fd/{handle}").readlink().name))
        sync(handle)

    def note_rename(source: Path, target: Path) -> Path:
        events.append(("rename", target.name))
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_rename)
    write_json(tmp_path / "a.json", 1)
    assert [event for event, _ in events] == ["sync", "rename", "sync"]
    assert events[1:] == [("rename", "a.json"), ("sync", tmp_path.name)]
    events.clear()
    make(tmp_path / "folder")
    end = events.index(("rename", "folder"))
    assert {"table.csv", "sub", "nothing", MARK} <= {name for event, name in events[:end] if event == "sync"}
    assert events[end + 1] == ("sync", tmp_path.name)
