"""A picture inside a JSON file reads like the same picture in a file of its own, in training and in scoring."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.pictures import read_picture
from rsis.errors import UserError
from rsis.eval.truths.images import frame_of

_PIXELS = np.random.default_rng(4).integers(0, 256, (5, 7, 3), np.uint8)


def _png(folder: Path) -> Path:
    Image.fromarray(_PIXELS).save(folder / "a.png")
    return folder / "a.png"


def _turned_jpeg(folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(_PIXELS).save(folder / "a.jpg", exif=exif)
    return folder / "a.jpg"


def _deep_tiff(folder: Path) -> Path:
    tifffile.imwrite(folder / "a.tif", _PIXELS[..., 0].astype(np.uint16) * 257)
    return folder / "a.tif"


def _deep_png(folder: Path) -> Path:
    Image.fromarray(_PIXELS[..., 0].astype(np.uint16) * 257).save(folder / "a.png")
    return folder / "a.png"


def _embed(path: Path, content: Any, head: str = "") -> Path:
    data = head + base64.b64encode(content).decode() if isinstance(content, bytes) else content
    path.write_text(json.dumps({"shapes": [], "imageData": data}))
    return path


@pytest.mark.parametrize("write", [_png, _turned_jpeg, _deep_tiff, _deep_png])
def test_reads_as_from_its_own_file(tmp_path: Path, write: Any) -> None:
    alone = write(tmp_path)
    inside = _embed(tmp_path / "b.json", alone.read_bytes())
    picture, expected = read_picture(inside), read_picture(alone)
    assert (picture.image == expected.image).all()
    assert (picture.orientation, picture.stored_size) == (expected.orientation, expected.stored_size)
    assert frame_of(inside, "restore it") == frame_of(alone, "restore it")


def test_address_of_a_web_page_is_read(tmp_path: Path) -> None:
    inside = _embed(tmp_path / "b.json", _png(tmp_path).read_bytes(), "data:image/png;base64,")
    assert (read_picture(inside).image == _PIXELS).all()


@pytest.mark.parametrize("content", [None, "", 5, "%%%", "AAAA", b"no picture", "x" * 5])
def test_what_is_no_picture_is_one_line(tmp_path: Path, content: Any) -> None:
    inside = _embed(tmp_path / "b.json", content)
    with pytest.raises(BadSampleError, match=r"^[^\n]*b.json: [^\n]+$"):
        read_picture(inside)
    with pytest.raises(UserError, match=r"^[^\n]*b.json: [^\n]+; restore it$"):
        frame_of(inside, "restore it")


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"[1]"])
def test_what_is_no_json_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.json").write_bytes(content)
    with pytest.raises(BadSampleError, match=r"^[^\n]*b.json: [^\n]+$"):
        read_picture(tmp_path / "b.json")
    with pytest.raises(UserError, match=r"^[^\n]*b.json: [^\n]+; restore it$"):
        frame_of(tmp_path / "b.json", "restore it")
