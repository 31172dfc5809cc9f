"""Atomic writing: the old file or the new one."""

import os
from pathlib import Path

import pytest

from rsis.errors import UserError
from rsis.files import atomic_folder, atomic_path, sha256_of, write_json


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
    assert [path.name for path in target.iterdir()] == ["b"]
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as temporary:
        (temporary / "c").write_text("c")
        raise ZeroDivisionError
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


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
