"""Tests of sources of kind `archives`: fetching, unpacking, checksums and the manifest."""

import hashlib
import io
import json
import logging
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from support.folder_contents import contents
from support.local_server import Page, Site
from support.plant_folder import plant_section, snapshot

from rsis.data.download.run import download
from rsis.errors import UserError
from rsis.files.manifest import read_manifest, verify


def _pack(folder: Path, *, skip: tuple[str, ...] = ()) -> bytes:
    """Return a .tgz of a folder's content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in skip):
            file.add(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def _archives(site: Site, **contents: bytes) -> dict[str, Any]:
    """Put files on the site; return a source for them, in which a missing address precedes each working one."""
    files = {}
    for name, content in contents.items():
        site.pages[f"/{name}"] = Page(content)
        files[name] = {
            "urls": (f"{site.url}/gone/{name}", f"{site.url}/{name}"),
            "size": len(content),
            "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
            "unpack": name != "notes",
        }
    return {"kind": "archives", "files": files}


def test_archives_are_fetched_unpacked_and_left_alone(own: Path, site: Site, tmp_path: Path) -> None:
    source = _archives(site, plants=_pack(own), notes=b"read me")
    folder = tmp_path / "raw" / "leaves"
    manifest = download("leaves", plant_section(source), folder)
    assert manifest == read_manifest(folder)
    assert manifest.root == folder
    assert (folder / "notes").read_bytes() == b"read me"
    plants = {name: path for name, path in contents(own).items() if name != "MANIFEST.json"}
    assert {name: contents(folder)[name] for name in plants} == plants
    assert set(manifest.files) == {*plants, "notes"}
    asked, before = list(site.requests), snapshot(folder)
    source["files"]["notes"]["urls"] = (f"{site.url}/another/mirror",)  # another address of the same bytes
    assert download("leaves", plant_section(source), folder) == manifest
    assert site.requests == asked
    assert snapshot(folder) == before
    shutil.rmtree(folder)  # as DVC does before it runs a stage again
    assert download("leaves", plant_section(source), folder) == manifest
    assert site.requests == asked
    shutil.rmtree(tmp_path / "raw" / ".archives")  # to save space
    assert download("leaves", plant_section(source), folder) == manifest
    assert site.requests == asked


def test_new_archives_replace_the_old_ones(own: Path, site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "leaves"
    first = download("leaves", plant_section(_archives(site, plants=_pack(own))), folder)
    (own / "training" / "A1" / "notes.txt").write_text("more")
    second = download("leaves", plant_section(_archives(site, plants=_pack(own))), folder)
    assert set(second.files) - set(first.files) == {"training/A1/notes.txt"}


def test_interrupted_archives_go_on_and_leave_no_half_tree(own: Path, site: Site, tmp_path: Path) -> None:
    packed = _pack(own)
    source = _archives(site, notes=b"read me", plants=packed)
    folder = tmp_path / "raw" / "leaves"
    site.pages["/plants"].drops = [1000, *[0] * 50]
    with pytest.raises(UserError, match=r"plants: cannot be fetched from .*gone/plants \(HTTP 404\)") as caught:
        download("leaves", plant_section(source), folder)
    kept = tmp_path / "raw" / ".archives" / "leaves"
    assert f"put it at {kept / 'plants'}" in str(caught.value)
    assert [path.name for path in (tmp_path / "raw").iterdir()] == [".archives"]
    assert sorted(path.name for path in kept.iterdir()) == ["notes", "plants.part"]
    site.pages["/plants"].drops.clear()
    site.requests.clear()
    verify(download("leaves", plant_section(source), folder))
    assert site.requests == ["GET /gone/plants bytes=1000-", "GET /plants bytes=1000-"]


def test_file_put_there_by_hand_is_taken(own: Path, site: Site, tmp_path: Path) -> None:
    packed = _pack(own)
    source = _archives(site, plants=packed)
    site.pages.clear()
    kept = tmp_path / "raw" / ".archives" / "leaves"
    kept.mkdir(parents=True)
    (kept / "plants").write_bytes(packed)
    verify(download("leaves", plant_section(source), tmp_path / "raw" / "leaves"))
    assert site.requests == []


@pytest.mark.parametrize("fault", ["member", "split"])
def test_bad_archive_leaves_the_old_data(own: Path, site: Site, tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "raw" / "leaves"
    manifest = download("leaves", plant_section(_archives(site, plants=_pack(own))), folder)
    before = snapshot(folder)
    if fault == "member":
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as file:
            file.addfile(tarfile.TarInfo("../../escaped"))
        packed, found = buffer.getvalue(), r"plants: member '\.\./\.\./escaped' has a name that leaves"
    else:
        packed, found = _pack(own, skip=("plant002_label.png",)), r"plant002_label\.png is missing"
    with pytest.raises(UserError, match=found):
        download("leaves", plant_section(_archives(site, plants=packed)), folder)
    assert snapshot(folder) == before
    verify(manifest)
    assert sorted(path.name for path in folder.parent.iterdir()) == [".archives", "leaves"]
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("name", ["../plants", "a/b", ".hidden", ""])
def test_archive_names_are_plain_file_names(site: Site, name: str) -> None:
    with pytest.raises(ValueError, match="String should match pattern"):
        plant_section(_archives(site, **{name: b"x"}))


def _without_checksum(site: Site, packed: bytes) -> dict[str, Any]:
    source = _archives(site, plants=packed)
    del source["files"]["plants"]["checksum"], source["files"]["plants"]["size"]
    return source


def test_first_download_is_recorded_and_shown(
    own: Path, site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    packed = _pack(own)
    source, folder = _without_checksum(site, packed), tmp_path / "raw" / "leaves"
    record = tmp_path / "raw" / ".checksums" / "leaves.json"
    checksum = f"sha256:{hashlib.sha256(packed).hexdigest()}"
    with caplog.at_level(logging.INFO):
        manifest = download("leaves", plant_section(source), folder)
    assert json.loads(record.read_text()) == {"plants": checksum}
    (line,) = (message for message in caplog.messages if "recorded sha256" in message)
    assert line.startswith(f"plants: recorded {checksum}; put it into params.yaml as checksum to ")
    caplog.clear()
    shutil.rmtree(folder)
    shutil.rmtree(tmp_path / "raw" / ".archives")
    with caplog.at_level(logging.INFO):
        assert download("leaves", plant_section(source), folder) == manifest
    assert site.requests.count("GET /plants") == 2
    assert not [message for message in caplog.messages if "recorded sha256" in message]
    source["files"]["plants"]["checksum"] = checksum  # as the log line advises
    assert download("leaves", plant_section(source), folder).files == manifest.files
    assert site.requests.count("GET /plants") == 2


def test_a_later_download_that_differs_from_the_first_is_refused(own: Path, site: Site, tmp_path: Path) -> None:
    source, folder = _without_checksum(site, _pack(own)), tmp_path / "raw" / "leaves"
    record = tmp_path / "raw" / ".checksums" / "leaves.json"
    first = download("leaves", plant_section(source), folder)
    shutil.rmtree(folder)
    shutil.rmtree(tmp_path / "raw" / ".archives")
    (own / "training" / "A1" / "notes.txt").write_text("renewed")
    site.pages["/plants"] = Page(_pack(own))
    with pytest.raises(UserError, match=r"plants: corrupt as fetched .*; if its makers have renewed it, ") as caught:
        download("leaves", plant_section(source), folder)
    assert f"remove {record}, where the first download is recorded" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert not folder.exists()
    record.unlink()
    renewed = download("leaves", plant_section(source), folder)
    assert set(renewed.files) - set(first.files) == {"training/A1/notes.txt"}


def test_a_download_that_cannot_be_unpacked_is_not_the_first(own: Path, site: Site, tmp_path: Path) -> None:
    """A truncated body of unknown length looks complete until it is unpacked."""
    packed = _pack(own)
    source, folder = _without_checksum(site, packed), tmp_path / "raw" / "leaves"
    site.pages["/plants"] = Page(packed[: len(packed) // 2], announce=False)
    with pytest.raises(UserError, match="remove it and fetch it again"):
        download("leaves", plant_section(source), folder)
    assert not (tmp_path / "raw" / ".checksums").exists()
    (tmp_path / "raw" / ".archives" / "leaves" / "plants").unlink()
    site.pages["/plants"] = Page(packed)
    verify(download("leaves", plant_section(source), folder))


def test_a_broken_record_of_first_downloads_is_one_line(own: Path, site: Site, tmp_path: Path) -> None:
    record = tmp_path / "raw" / ".checksums" / "leaves.json"
    record.parent.mkdir(parents=True)
    record.write_text("[]")
    with pytest.raises(UserError, match=r"leaves\.json: .*; remove it, and the next download counts as the first"):
        download("leaves", plant_section(_without_checksum(site, _pack(own))), tmp_path / "raw" / "leaves")
