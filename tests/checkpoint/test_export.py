"""Exported networks give the network's outputs for any batch and image size, and carry their description."""

import json
import logging
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from support.small_model import CLASSES, CONVLSTM, POINTER, SIZE, write_small_model

from rsis.checkpoint.export import Exportable, Format, export
from rsis.checkpoint.file import load_checkpoint
from rsis.cli.main import main
from rsis.config.runs import ModelSection
from rsis.errors import UserError
from rsis.files.ownership import check_file
from rsis.model.network import RSISNetwork
from rsis.model.pointer.network import PointerNetwork


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors")


@pytest.fixture(scope="module")
def pointing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "pointing.safetensors", section=POINTER)


def outputs(path: Path, images: torch.Tensor) -> list[np.ndarray]:
    if path.suffix == ".onnx":
        found: list[np.ndarray] = onnxruntime.InferenceSession(str(path)).run(None, {"images": images.numpy()})
        return found
    return [output.numpy() for output in torch.jit.load(str(path))(images)]


def metadata(path: Path) -> dict[str, str]:
    if path.suffix == ".onnx":
        return dict(onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map)
    found = {"rsis.class_names": "", "rsis.num_steps": ""}
    torch.jit.load(str(path), _extra_files=found)
    return {key: value.decode() if isinstance(value, bytes) else value for key, value in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_outputs_are_the_networks_for_any_batch_and_size(checkpoint: Path, tmp_path: Path, kind: Format) -> None:
    path = tmp_path / f"small.{'onnx' if kind == 'onnx' else 'pt'}"
    written = export(checkpoint, path, kind, steps=4)
    assert (written.path, written.steps) == (path, 4)
    assert written.difference <= 1e-4
    check_file(path, "export")  # the command may replace a file that it wrote itself
    network, _ = load_checkpoint(checkpoint)
    assert isinstance(network, RSISNetwork)
    generator = torch.Generator().manual_seed(3)
    for batch, height, width in ((1, 48, 64), (2, 128, 40), (5, 64, 64)):
        images = torch.randint(0, 256, (batch, 3, height, width), generator=generator, dtype=torch.uint8)
        with torch.no_grad():
            expected = [output.numpy() for output in Exportable(network, 4)(images)]
        found = outputs(path, images)
        assert [array.shape for array in found] == [(batch, 4, height, width), (batch, 4, 2), (batch, 4)]
        for ours, theirs in zip(expected, found, strict=True):
            assert np.abs(ours - theirs).max() < 1e-4
    description = metadata(path)
    assert json.loads(description["rsis.class_names"]) == list(CLASSES)
    assert description["rsis.num_steps"] == "4"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_the_pointer_decoder_for_any_batch_at_one_size(pointing: Path, tmp_path: Path, kind: Format) -> None:
    path = tmp_path / f"pointing.{'onnx' if kind == 'onnx' else 'pt'}"
    written = export(pointing, path, kind, steps=5)
    assert written.difference <= 1e-4
    network, _ = load_checkpoint(pointing)
    assert isinstance(network, PointerNetwork)
    generator = torch.Generator().manual_seed(3)
    for batch in (1, 2, 5):
        images = torch.randint(0, 256, (batch, 3, *SIZE), generator=generator, dtype=torch.uint8)
        with torch.no_grad():
            expected = [output.numpy() for output in Exportable(network, 5)(images)]
        found = outputs(path, images)
        assert [array.shape for array in found] == [(batch, 5, *SIZE), (batch, 5, 2), (batch, 5)]
        for ours, theirs in zip(expected, found, strict=True):
            assert np.abs(ours - theirs).max() < 1e-4
        assert np.abs(expected[0][:, 0] - expected[0][:, 4]).max() > 1e-3  # steps differ
    assert json.loads(metadata(path)["rsis.class_names"]) == list(CLASSES)


@pytest.mark.parametrize("section", [CONVLSTM, POINTER], ids=["convlstm", "pointer"])
def test_outputs_that_are_no_numbers_are_refused(
    tmp_path: Path, section: ModelSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_small_model(tmp_path / "broken.safetensors", section=section)
    network, info = load_checkpoint(path)
    assert isinstance(network, RSISNetwork | PointerNetwork)
    network.decoder.objectness_head.bias.data.fill_(torch.nan)
    monkeypatch.setattr("rsis.checkpoint.export.load_checkpoint", lambda _: (network, info))
    with pytest.raises(UserError, match=r"not written: its outputs differ from the network's by nan"):
        export(path, tmp_path / "broken.pt", "torchscript", steps=2)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_what_the_exporters_say_of_themselves_is_not_shown(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: Format
) -> None:
    caplog.set_level(logging.INFO)
    levels = {name: logging.getLogger(name).level for name in ("torch.onnx", "onnxscript", "onnx_ir")}
    export(checkpoint, tmp_path / "small.file", kind, steps=2)
    assert [record.getMessage() for record in caplog.records] == []
    assert {name: logging.getLogger(name).level for name in levels} == levels


def test_a_file_that_differs_is_not_left(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not written: its outputs differ from the network's by .* use the other"):
        export(checkpoint, tmp_path / "small.pt", "torchscript", tolerance=-1.0)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_how_well_they_agree(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "small.pt"
    command = ["rsis", "export", str(checkpoint), "--format", "torchscript", "--out", str(target)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    output = capfd.readouterr()
    assert output.err == ""
    assert "3 steps, outputs agree to " in output.out
    assert target.is_file()
