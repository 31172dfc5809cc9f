"""Tests of the download of Cityscapes: from a user's folder and from the official packages."""

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.local_server import Page, Site

from rsis.config.datasets import CityscapesDataset
from rsis.data.download.run import download
from rsis.data.readers.open import open_split
from rsis.errors import UserError

CITY = "aachen_000000_000019"


def _cityscapes(source: dict[str, Any]) -> CityscapesDataset:
    section = {
        "format": "cityscapes",
        "source": {"kind": "cityscapes", "packages": ("gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip")}
        | source,
        "size": (4, 8),
        "splits": {"train": {"folder": "train"}},
    }
    return CityscapesDataset.model_validate(section)


def _packages() -> dict[str, bytes]:
    """Return the bytes of the two packages, with one image."""
    picture, numbers = (io.BytesIO(), io.BytesIO())
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(picture, "PNG")
    Image.fromarray(np.full((4, 8), 26001, np.uint16)).save(numbers, "PNG")
    found = {}
    for package, suffix, body in (("gtFine", "gtFine_instanceIds", numbers), ("leftImg8bit", "leftImg8bit", picture)):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("license.txt", "research only")
            file.writestr(f"{package}/train/aachen/{CITY}_{suffix}.png", body.getvalue())
        found[f"{package}_trainvaltest.zip"] = packed.getvalue()
    return found


@pytest.fixture
def server(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with both packages, only for members; the environment has a member's credentials."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("CITYSCAPES_USERNAME", "member")
    monkeypatch.setenv("CITYSCAPES_PASSWORD", "s3cret")
    site.logins["member"] = "s3cret"
    site.pages["/login"] = Page(b"form", kind="text/html")
    listing = []
    for number, (name, body) in enumerate(_packages().items()):
        listing.append({"name": name, "packageID": str(number)})
        site.pages[f"/file-handling/?packageID={number}"] = Page(body, cookie="member=yes")
        digest = f"{hashlib.md5(body).hexdigest()}  {name}"
        site.pages[f"/md5-sum/?packageID={number}"] = Page(digest.encode(), cookie="member=yes")
    site.pages["/downloads/?list"] = Page(json.dumps(listing).encode(), cookie="member=yes")
    return site


def test_cityscapes_packages_are_fetched_once(server: Site, tmp_path: Path) -> None:
    dataset = _cityscapes({"server": server.url})
    folder = tmp_path / "raw" / "cityscapes"
    server.pages["/file-handling/?packageID=1"].drops = [100]
    server.pages["/file-handling/?packageID=0"].corrupt = 1
    manifest = download("cityscapes", dataset, folder)
    assert set(manifest.files) == {
        "license.txt",
        f"gtFine/train/aachen/{CITY}_gtFine_instanceIds.png",
        f"leftImg8bit/train/aachen/{CITY}_leftImg8bit.png",
    }
    assert open_split(dataset, folder, "train").read(CITY).class_ids.tolist() == [3]
    assert server.requests[-3:] == [
        "GET /file-handling/?packageID=0",
        "GET /file-handling/?packageID=1",
        "GET /file-handling/?packageID=1 bytes=100-",
    ]
    asked = list(server.requests)
    assert download("cityscapes", dataset, folder) == manifest
    shutil.rmtree(folder)
    assert download("cityscapes", dataset, folder) == manifest  # unpacked from the kept packages
    assert server.requests == asked
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if b"s3cret" in path.read_bytes()]


def test_cityscapes_without_credentials(
    server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = _cityscapes({"server": server.url})
    monkeypatch.setenv("CITYSCAPES_PASSWORD", "wr0ng")
    with pytest.raises(UserError, match="does not accept the user name and password") as caught:
        download("cityscapes", dataset, tmp_path / "raw" / "cityscapes")
    assert "wr0ng" not in str(caught.value) + caplog.text
    assert list((tmp_path / "raw").iterdir()) == []
    monkeypatch.delenv("CITYSCAPES_PASSWORD")
    monkeypatch.delenv("CITYSCAPES_USERNAME")
    with pytest.raises(UserError, match="no credentials; register at"):
        download("cityscapes", dataset, tmp_path / "raw" / "cityscapes")
    kept = tmp_path / "raw" / ".archives" / "cityscapes"
    kept.mkdir(parents=True)
    for name, body in _packages().items():  # as if fetched with a browser
        (kept / name).write_bytes(body)
    server.requests.clear()
    assert len(download("cityscapes", dataset, tmp_path / "raw" / "cityscapes").files) == 3
    assert server.requests == []


def test_cityscapes_folder_is_used_where_it_stands(
    server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for body in _packages().values():
        with zipfile.ZipFile(io.BytesIO(body)) as file:
            file.extractall(tmp_path / "own")
    monkeypatch.setenv("CITYSCAPES_DIR", str(tmp_path / "own"))
    dataset = _cityscapes({"server": server.url, "env": "CITYSCAPES_DIR"})
    manifest = download("cityscapes", dataset, tmp_path / "raw" / "cityscapes")
    assert manifest.root == tmp_path / "own"
    assert server.requests == []
    next((tmp_path / "own" / "gtFine").rglob("*.png")).unlink()
    with pytest.raises(UserError, match=f"{CITY}_gtFine_instanceIds.png|gtFine"):
        download("cityscapes", dataset, tmp_path / "raw" / "cityscapes")
    own = dataset.model_copy(update={"source": dataset.source.model_copy(update={"env": None})})
    with pytest.raises(UserError, match=r"holds mine\.txt, which rsis did not write there"):
        (tmp_path / "raw" / "cityscapes" / "mine.txt").write_text("notes")
        download("cityscapes", own, tmp_path / "raw" / "cityscapes")


def test_a_folder_that_is_named_and_not_there_is_no_reason_to_fetch(
    server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYSCAPES_DIR", str(tmp_path / "typo"))
    with pytest.raises(UserError, match=r"typo: no such folder; correct .*CITYSCAPES_DIR"):
        download("cityscapes", _cityscapes({"server": server.url, "env": "CITYSCAPES_DIR"}), tmp_path / "raw")
    assert server.requests == []
