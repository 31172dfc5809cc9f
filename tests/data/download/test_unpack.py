"""Tests of unpacking: all members are written into the target folder, and nothing outside of it."""

import contextlib
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.folder_contents import contents

from rsis.data.download.unpack import unpack
from rsis.errors import UserError

FILES = {"data/a.txt": b"a" * 3000, "data/deep/b.bin": bytes(range(256)), "c": b""}
Member = tuple[str, bytes, str]  # name, type, link target


def _tar(path: Path, members: list[Member], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, target, 0o644
            body = b"evil" if kind == tarfile.REGTYPE else b""
            info.size = len(body)
            file.addfile(info, io.BytesIO(body))
    return path


def _zip(path: Path, name: str, mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        file.writestr(info, b"evil")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty folder two levels down, so that the tests see files written outside of it."""
    folder = tmp_path / "outside" / "target"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_of_any_compression(tmp_path: Path, target: Path, mode: str) -> None:
    with tarfile.open(tmp_path / "a", mode) as file:  # type: ignore[call-overload]
        for name, body in FILES.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(body), 0
            file.addfile(info, io.BytesIO(body))
    unpack(tmp_path / "a", target)
    assert contents(target) == FILES
    assert (target / "c").stat().st_mode & stat.S_IRUSR


def test_tar_on_a_python_without_the_librarys_filter(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    with tarfile.open(tmp_path / "a", "w") as file:
        for name, body in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            file.addfile(info, io.BytesIO(body))
    unpack(tmp_path / "a", target)
    assert contents(target) == FILES


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_zip(tmp_path: Path, target: Path, compression: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", compression) as file:
        for name, body in FILES.items():
            file.writestr(name, body)
    unpack(tmp_path / "a.zip", target)
    assert contents(target) == FILES


def test_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path, target: Path) -> None:
    inner = _zip(tmp_path / "inner.zip", "x").read_bytes()
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        info = tarfile.TarInfo("inner.zip")
        info.size = len(inner)
        file.addfile(info, io.BytesIO(inner))
    unpack(tmp_path / "a.tar", target)
    assert contents(target) == {"inner.zip": inner}


def test_links_that_stay_inside_are_kept(tmp_path: Path, target: Path) -> None:
    members = [
        ("data/real/file", tarfile.REGTYPE, ""),
        ("data/soft", tarfile.SYMTYPE, "real/file"),
        ("data/real/up", tarfile.SYMTYPE, "../soft"),
        ("hard", tarfile.LNKTYPE, "data/real/file"),
    ]
    unpack(_tar(tmp_path / "a.tar", members), target)
    assert set(contents(target).values()) == {b"evil"}
    assert (target / "data" / "real" / "up").resolve() == target / "data" / "real" / "file"


MALICIOUS: list[tuple[str, list[Member], str]] = [
    ("parent", [("../escaped", tarfile.REGTYPE, "")], "leaves its folder"),
    ("parent inside", [("a/../../escaped", tarfile.REGTYPE, "")], "leaves its folder"),
    ("absolute", [("/{root}/escaped", tarfile.REGTYPE, "")], "has an absolute name"),
    ("link up", [("l", tarfile.SYMTYPE, "../.."), ("l/escaped", tarfile.REGTYPE, "")], "is a link out of its folder"),
    ("absolute link", [("l", tarfile.SYMTYPE, "/{root}")], "is a link out of its folder"),
    ("sly link", [("a/b/l", tarfile.SYMTYPE, "../x/../../..")], "is a link out of its folder"),
    (
        "chain",  # each link alone seems harmless, but the last one has a ".." that is not at the start
        [("a/b/c/l", tarfile.SYMTYPE, "../../../t"), ("a/b/c/m", tarfile.SYMTYPE, "l/../../x")],
        "is a link out of its folder",
    ),
    (
        "through a link",
        [("d/x", tarfile.REGTYPE, ""), ("l", tarfile.SYMTYPE, "d"), ("l/new", tarfile.REGTYPE, "")],
        "lies behind a link",
    ),
    ("onto a link", [("l", tarfile.SYMTYPE, "t"), ("l", tarfile.REGTYPE, "")], "lies behind a link"),
    ("hard link up", [("h", tarfile.LNKTYPE, "../secret")], "which is no file before it"),
    ("hard link", [("h", tarfile.LNKTYPE, "/{root}/outside/secret")], "which is no file before it"),
    (
        "hard link to a link",
        [("l", tarfile.SYMTYPE, "t"), ("t", tarfile.REGTYPE, ""), ("h", tarfile.LNKTYPE, "l")],
        "which is no file before it",
    ),
    ("zero byte", [("a\0" + 120 * "b", tarfile.REGTYPE, "")], "zero byte"),
    ("pipe", [("p", tarfile.FIFOTYPE, "")], "is a device"),
    ("device", [("dev", tarfile.CHRTYPE, "")], "is a device"),
    ("disk", [("dev", tarfile.BLKTYPE, "")], "is a device"),
]


@pytest.mark.parametrize(("members", "fault"), [case[1:] for case in MALICIOUS], ids=[case[0] for case in MALICIOUS])
def test_malicious_tar_is_refused(tmp_path: Path, target: Path, members: list[Member], fault: str) -> None:
    (target.parent / "secret").write_text("keep")
    root = str(tmp_path).strip("/")
    members = [(name.format(root=root), kind, link.format(root=root)) for name, kind, link in members]
    archive = _tar(tmp_path / "a.tar", members)
    with pytest.raises(UserError) as caught:
        unpack(archive, target)
    message = str(caught.value)
    assert message.startswith(f"{archive}: member ")
    assert fault in message
    assert "\n" not in message
    assert not list(tmp_path.rglob("escaped"))
    assert not (target.parent / "x").exists()
    assert (target.parent / "secret").read_text() == "keep"
    assert {path.name for path in target.parent.iterdir()} == {"target", "secret"}


@pytest.mark.parametrize(
    ("name", "mode", "fault"),
    [
        ("../escaped", 0, "leaves its folder"),
        ("a/../../escaped", 0, "leaves its folder"),
        ("/escaped", 0, "has an absolute name"),
        ("l", stat.S_IFLNK | 0o777, "is a link or a special file"),
        ("p", stat.S_IFIFO | 0o644, "is a link or a special file"),
    ],
)
def test_malicious_zip_is_refused(tmp_path: Path, target: Path, name: str, mode: int, fault: str) -> None:
    archive = _zip(tmp_path / "a.zip", name, mode)
    with pytest.raises(UserError, match=fault) as caught:
        unpack(archive, target)
    assert str(caught.value).startswith(f"{archive}: member {name!r}")
    assert list(target.parent.iterdir()) == [target]
    assert list(target.iterdir()) == []


def test_link_of_a_former_archive_is_not_followed(tmp_path: Path, target: Path) -> None:
    unpack(_tar(tmp_path / "a.tar", [("d/x", tarfile.REGTYPE, ""), ("l", tarfile.SYMTYPE, "d")]), target)
    with pytest.raises(UserError, match=r"member 'l/x' lies behind a link"):
        unpack(_zip(tmp_path / "b.zip", "l/x"), target)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    members=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "a/b", "b/a", "a/b/a", "../a", "a/../../b", "/a"]),
            st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]),
            st.sampled_from(["a", "b", "..", "../a", "../../b", "a/..", "b/../..", ".", "../target/a", "/"]),
        ),
        max_size=5,
    )
)
def test_nothing_ever_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, members: list[Member]) -> None:
    root = tmp_path_factory.mktemp("any")
    target = root / "outside" / "target"
    target.mkdir(parents=True)
    archive = _tar(root / "a.tar", members)
    try:
        unpack(archive, target)
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
    assert {path.name for path in root.iterdir()} == {"a.tar", "outside"}
    assert list((root / "outside").iterdir()) == [target]
    for path in target.rglob("*"):
        if path.is_symlink():
            with contextlib.suppress(OSError, RuntimeError):  # circular links cannot be resolved
                assert path.resolve().is_relative_to(target)


@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.txz", "a.zip"])
def test_damaged_archive_is_named(tmp_path: Path, target: Path, name: str) -> None:
    path = tmp_path / name
    body = bytes(range(256)) * 400
    if name == "a.zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("x", body)
        raw = path.read_bytes()
        path.write_bytes(raw[:5000] + bytes([raw[5000] ^ 1]) + raw[5001:])
    else:
        with tarfile.open(path, {"a.tar": "w", "a.tgz": "w:gz", "a.txz": "w:xz"}[name]) as file:  # type: ignore[call-overload]
            info = tarfile.TarInfo("x")
            info.size = len(body)
            file.addfile(info, io.BytesIO(body))
        raw = path.read_bytes()
        path.write_bytes(raw[: 3 * len(raw) // 4])
    with pytest.raises(UserError, match=r"fetch it again") as caught:
        unpack(path, target)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_is_no_archive_is_refused(tmp_path: Path, target: Path) -> None:
    (tmp_path / "page").write_text("<html>")
    with pytest.raises(UserError, match="neither a tar nor a zip archive"):
        unpack(tmp_path / "page", target)
    with pytest.raises(UserError, match="No such file"):
        unpack(tmp_path / "none", target)
