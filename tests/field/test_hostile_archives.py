"""Archives with headers that crash the library, or that fill the disk, are refused in one line."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from rsis.data.download import unpack as module
from rsis.data.download.unpack import unpack
from rsis.errors import UserError


def tar(path: Path, headers: dict[str, str], content: bytes = b"x") -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as file:
        member = tarfile.TarInfo("a.txt")
        member.size = len(content)
        member.pax_headers = headers
        file.addfile(member, io.BytesIO(content))
    return path


def raw_header(name: str, size: int) -> bytes:
    """Return the header of a member whose size is written in base 256, which may be negative."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (size & (2**96 - 1)).to_bytes(12, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize(
    "headers",
    [
        *({"mtime": value} for value in ("inf", "1e300", str(2**70), "9" * 5000, "-1e300")),
        {"GNU.sparse.map": "x,1"},
        {"GNU.sparse.map": "1"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"},
        {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "x"},
        {"GNU.sparse.size": "x"},
        {"size": "x"},
        {"uid": "9" * 5000},
    ],
    ids=str,
)
def test_headers_that_crash_the_library(tmp_path: Path, headers: dict[str, str]) -> None:
    path, target = tar(tmp_path / "x.tar", headers, b"no sparse map\n"), tmp_path / "out"
    target.mkdir()
    message = ""
    try:
        unpack(path, target)
    except UserError as error:
        message = str(error)
    assert "\n" not in message
    # else the library ignores the header
    assert message.startswith(f"{path}: ") or (target / "a.txt").is_file()


@pytest.mark.parametrize("size", [-512, -1024, -(2**80)])
def test_sizes_below_0_end(tmp_path: Path, size: int) -> None:
    path, target = tmp_path / "x.tar", tmp_path / "out"
    path.write_bytes(raw_header("a", 0) + raw_header("b", size) + bytes(1024))
    target.mkdir()
    with pytest.raises(UserError, match=r"x\.tar: "):
        unpack(path, target)


def bomb(path: Path, size: int) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("a", bytes(size))
    else:
        with tarfile.open(path, "w:gz") as file:
            member = tarfile.TarInfo("a")
            member.size = size
            file.addfile(member, io.BytesIO(bytes(size)))
    return path


@pytest.mark.parametrize("name", ["x.zip", "x.tgz"])
def test_what_would_fill_the_disk_is_refused_before_it_is_written(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SMALL", 1_000_000)
    path, target = bomb(tmp_path / name, 5_000_000), tmp_path / "out"
    target.mkdir()
    with pytest.raises(
        UserError, match=r"unpacks to more than \d+ bytes, from \d+; if that is right, set max_unpacked"
    ):
        unpack(path, target)
    assert list(target.iterdir()) == []
    unpack(path, target, 5_000_000)  # as the message says
    assert (target / "a").stat().st_size == 5_000_000


def test_endless_empty_members_are_counted(tmp_path: Path) -> None:
    path, target = tmp_path / "x.zip", tmp_path / "out"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(100):
            file.writestr(str(number), b"")
    target.mkdir()
    with pytest.raises(UserError, match="more than 40960 bytes"):
        unpack(path, target, 40_960)
    assert len(list(target.iterdir())) == 10


def test_a_zip_that_lies_about_its_size(tmp_path: Path) -> None:
    path, target = bomb(tmp_path / "x.zip", 100_000), tmp_path / "out"
    content = path.read_bytes()
    path.write_bytes(content.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    target.mkdir()
    with pytest.raises(UserError, match=r"x\.zip: damaged"):
        unpack(path, target)
