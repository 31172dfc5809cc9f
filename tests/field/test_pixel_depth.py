"""Pictures of 12 and 16 bits and of floats: scaled alike in training and prediction."""

import csv
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image
from support.agreement import maps, read_both
from support.in_process import exit_code as rsis
from support.own_folders import discs
from support.predictions import predict_one
from support.small_model import write_small_model

from rsis import RSIS
from rsis.checkpoint.file import load_checkpoint, save_checkpoint
from rsis.checkpoint.info import read_info
from rsis.data.prepared.file import PreparedSplit
from rsis.data.readers.measure import measure_intensity
from rsis.data.readers.pictures import PictureRules, read_picture

NAMES = [f"p{number}" for number in range(6)]


def write(folder: Path, to_file: Callable[[np.ndarray], np.ndarray], suffix: str = ".tif") -> None:
    """Write pictures, grey of 8 bits changed by `to_file`, and their maps."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for number, name in enumerate(NAMES):
        image, labels = discs(number)
        pixels = to_file(image[..., 0])
        if suffix == ".tif":
            tifffile.imwrite(folder / f"images/{name}.tif", pixels)
        else:
            Image.fromarray(pixels).save(folder / f"images/{name}{suffix}")
        Image.fromarray(labels.astype(np.uint8)).save(folder / f"labels/{name}.png")


def twelve_bits(grey: np.ndarray) -> np.ndarray:
    return grey.astype(np.uint16) * 16


def hot(grey: np.ndarray) -> np.ndarray:
    pixels = twelve_bits(grey)
    pixels[0, 0] = 65535
    return pixels


KINDS = {
    "12 bits": twelve_bits,
    "12 bits and a hot pixel": hot,
    "16 bits": lambda grey: grey.astype(np.uint16) * 257,
    "signed": lambda grey: grey.astype(np.int16) * 8 - 1000,
    "32 bits": lambda grey: grey.astype(np.uint32) * 10_000_000,
    "float": lambda grey: (grey / 255).astype(np.float32),
    "float64": lambda grey: grey / 1e-9,
}


@pytest.mark.parametrize("kind", KINDS)
def test_objects_are_seen_at_every_depth(tmp_path: Path, kind: str) -> None:
    write(tmp_path, KINDS[kind])
    intensity = measure_intensity(maps(), tmp_path)
    assert intensity is not None
    for number, (name, sample) in enumerate(read_both(maps(intensity=intensity), tmp_path).items()):
        expected = discs(number)[0][..., 0].astype(float)
        assert name == NAMES[number]
        grey = sample.image[..., 0].astype(float)
        assert np.ptp(grey) > 200
        assert np.corrcoef(grey[1:].ravel(), expected[1:].ravel())[0, 1] > 0.99


def test_eight_bits_stay_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, lambda grey: grey, ".png")
    assert measure_intensity(maps(), tmp_path) is None
    sample = read_both(maps(intensity=(10.0, 20.0)), tmp_path)["p0"]
    assert np.array_equal(sample.image[..., 0], discs(0)[0][..., 0])


def png_of_16_bits(path: Path, pixels: np.ndarray) -> None:
    """Write uint16 [H, W, 3] as PNG, which Pillow cannot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_of_16_bits_keep_all_of_them(tmp_path: Path, suffix: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (8, 9, 3)).astype(np.uint16)
    path = tmp_path / f"a{suffix}"
    if suffix == ".png":
        png_of_16_bits(path, pixels)
    else:
        tifffile.imwrite(path, pixels, photometric="rgb")
    found = read_picture(path, PictureRules(intensity=(0.0, 4095.0))).image
    assert np.abs(found - pixels / 4095 * 255).max() <= 0.5


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", None])
def test_compressed_files_are_read(tmp_path: Path, compression: str | None) -> None:
    grey = np.random.default_rng(0).integers(0, 4096, (8, 9)).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.tif", compression=compression)
    found = read_picture(tmp_path / "a.tif", PictureRules(intensity=(0.0, 4095.0))).image[..., 0]
    assert np.abs(found - grey / 4095 * 255).max() <= 0.5


def shrink(path: Path) -> None:
    """Make the run that `rsis init` wrote tiny."""
    params = yaml.safe_load(path.read_text())
    run = params["runs"]["cells"]
    params["datasets"]["cells"]["size"] = [32, 32]
    run["train"] |= {
        "epochs": 1,
        "batch_size": 2,
        "num_steps": 5,
        "max_instances": 5,
        "workers": 0,
        "validate_every": 1,
    }
    path.write_text(yaml.safe_dump(params))


@pytest.mark.slow
def test_prepared_file_checkpoint_and_prediction_scale_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "cells", hot)
    assert rsis(monkeypatch, "init", "cells") == 0
    printed = " ".join(capsys.readouterr().err.split())
    low, high = yaml.safe_load(Path("params.yaml").read_text())["datasets"]["cells"]["intensity"]
    assert f"their values {low:g} to {high:g} become 0 to 255" in printed
    assert 0 <= low < 1000
    assert 2500 < high < 4100
    shrink(Path("params.yaml"))
    for command in ("download", "prepare"):
        assert rsis(monkeypatch, command, "cells") == 0
    assert rsis(monkeypatch, "train", "cells", "--quiet") == 0
    info = read_info(Path("models/cells.safetensors"))
    assert info.pictures.intensity == (low, high)
    model = RSIS.from_checkpoint("models/cells.safetensors")
    name = PreparedSplit(Path("data/processed/cells/train.h5")).image_ids[0]
    sample = read_both(maps(intensity=(low, high)), tmp_path / "cells")[name]
    for form in (f"cells/images/{name}.tif", tifffile.imread(f"cells/images/{name}.tif")):
        assert np.array_equal(predict_one(model, form).image, sample.image)


def test_prepare_measures_and_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "cells", twelve_bits)
    assert rsis(monkeypatch, "init", "cells") == 0
    written = Path("params.yaml").read_text()
    found = {}
    for value in ("null", "[0.0, 4095.0]", "[0.0, 8190.0]"):
        lines = [f"    intensity: {value}" if "intensity:" in line else line for line in written.splitlines()]
        Path("params.yaml").write_text("\n".join(lines) + "\n")
        for command in ("download", "prepare"):
            assert rsis(monkeypatch, command, "cells") == 0
        split = PreparedSplit(Path("data/processed/cells/train.h5"))
        found[split.digest] = (split.reading["intensity"], int(split.read(0).image.max()))
    assert len(found) == 3  # another intensity is another input
    (measured, brightest), (_, whole), (_, half) = found.values()
    assert measured[1] < 4095
    assert brightest > 250
    assert half == pytest.approx(whole / 2, abs=1)


def test_a_checkpoint_without_intensity_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, twelve_bits)
    model = RSIS.from_checkpoint(write_small_model(tmp_path / "small.safetensors"))
    results = model.predict(tmp_path / "images")
    assert isinstance(results, list)
    assert [record.message.count("has more than 8 bits") for record in caplog.records] == [1]
    assert all(np.ptp(result.image) > 200 for result in results)


def test_old_checkpoints_have_no_rules_and_new_ones_keep_them(tmp_path: Path) -> None:
    path = write_small_model(tmp_path / "small.safetensors")
    network, info = load_checkpoint(path)
    assert info.pictures == PictureRules()
    content = path.read_bytes()
    at = content.index(b'\\"pictures\\": {')
    end = content.index(b"}, ", at) + 3
    size = int.from_bytes(content[:8], "little") - (end - at)
    path.write_bytes(size.to_bytes(8, "little") + content[8:at] + content[end:])
    assert read_info(path) == info
    rules = PictureRules((5.0, 4000.5), (2, 1), 3)
    save_checkpoint(path, network, type(info)(**{**vars(info), "pictures": rules}))
    assert read_info(path).pictures == rules


def test_pictures_in_which_nothing_can_be_seen_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_small_model(tmp_path / "small.safetensors")
    write(tmp_path, lambda grey: grey // 16, ".png")
    out = tmp_path / "found"
    assert rsis(monkeypatch, "predict-images", tmp_path / "images", "--checkpoint", checkpoint, "--out", out) == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert "note: 6 pictures are almost black (the first:" in printed
    assert "no pixel above 13 of 255); scale their values" in printed
    with (out / "images.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 6
