"""Checkpoints: round trip and refusals."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from support.small_model import CONVLSTM, POINTER, write_small_model

from rsis.checkpoint.file import load_checkpoint, save_checkpoint
from rsis.checkpoint.info import PREPROCESSING_OF, CheckpointInfo, read_info
from rsis.config.runs import ModelSection
from rsis.errors import UserError
from rsis.model.network import RSISNetwork

SECTION = ModelSection(backbone="resnet18", stride=8, hidden_widths=(8, 4))


def write(path: Path) -> RSISNetwork:
    torch.manual_seed(0)
    network = RSISNetwork(SECTION, 2).to(memory_format=torch.channels_last)
    info = CheckpointInfo(
        run="demo",
        dataset="plants",
        class_names=("leaf",),
        size=(96, 96),
        model=SECTION.model_dump(mode="json"),
        train={"epochs": 2},
        predict={"num_steps": 3},
        metrics={"val/total": 0.5},
        key="abc",
    )
    save_checkpoint(path, network, info)
    return network


# the keys of `model` that version 0.1.0 wrote
KEYS_OF_0_1_0 = (
    "backbone", "weights", "hidden_widths", "skip_mode", "kernel_size", "mask_kernel_size", "mask_gain", "mask_bias",
    "box_head", "coordinates", "stride", "dropout", "dropout_class", "dropout_stop",
)  # fmt: skip


def test_a_checkpoint_of_version_0_1_0_is_read(tmp_path: Path) -> None:
    """It has none of the keys that came later, and is of the paper's decoder."""
    path = tmp_path / "demo.safetensors"
    network = write(path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["rsis"])
    header["model"] = {key: header["model"][key] for key in KEYS_OF_0_1_0}
    weights = {key: value.contiguous() for key, value in network.state_dict().items()}
    save_file(weights, path, metadata={"rsis": json.dumps({**header, "version": "0.1.0"})})
    loaded, info = load_checkpoint(path, expected=SECTION)
    assert isinstance(loaded, RSISNetwork)
    assert info.version == "0.1.0"
    assert torch.equal(
        loaded.state_dict()["decoder.mask_head.weight"], network.state_dict()["decoder.mask_head.weight"]
    )


def test_round_trip_gives_identical_outputs(tmp_path: Path) -> None:
    network = write(tmp_path / "demo.safetensors").eval()
    loaded, info = load_checkpoint(tmp_path / "demo.safetensors", expected=SECTION)
    assert info.class_names == ("leaf",)
    assert info.size == (96, 96)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images, 2).mask_logits, network(images, 2).mask_logits)
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_equal_networks_give_equal_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.safetensors")
    write(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_another_architecture_is_named(tmp_path: Path) -> None:
    write(tmp_path / "demo.safetensors")
    other = SECTION.model_copy(update={"skip_mode": "sum"})
    with pytest.raises(UserError, match=r"another architecture \(model\.skip_mode is concat, params\.yaml says sum\)"):
        load_checkpoint(tmp_path / "demo.safetensors", expected=other)


def test_weights_a_training_started_from_are_not_architecture(tmp_path: Path) -> None:
    write(tmp_path / "demo.safetensors")
    load_checkpoint(tmp_path / "demo.safetensors", expected=SECTION.model_copy(update={"weights": "IMAGENET1K_V1"}))


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "demo.safetensors"
    with pytest.raises(UserError, match=r"no such checkpoint; run `rsis train demo` first"):
        read_info(path)
    write(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"not a checkpoint of this program, or truncated"):
        load_checkpoint(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"not a checkpoint of this program"):
        read_info(path)
    save_file({"x": torch.zeros(1)}, path, metadata={"rsis": "[]"})
    with pytest.raises(UserError, match=r"schema version None, this program reads 2"):
        read_info(path)
    save_file({"x": torch.zeros(1)}, path, metadata={"rsis": json.dumps({"schema_version": 99})})
    with pytest.raises(UserError, match=r"schema version 99, this program reads 2"):
        read_info(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": [96]}, r"its description is wrong at size"),
        ({"surprise": 1}, r"its description is wrong at surprise"),
        ({"preprocessing": {"channels": "BGR"}}, r"preprocessed as \{'channels': 'BGR'\}"),
    ],
)
def test_a_description_that_is_not_ours_is_refused(tmp_path: Path, changes: dict, message: str) -> None:
    path = tmp_path / "demo.safetensors"
    write(path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["rsis"])
    save_file({"x": torch.zeros(1)}, path, metadata={"rsis": json.dumps(header | changes)})
    with pytest.raises(UserError, match=message):
        read_info(path)


@pytest.mark.parametrize("section", [CONVLSTM, POINTER], ids=["imagenet", "image"])
def test_the_file_says_how_its_network_normalises(tmp_path: Path, section: ModelSection) -> None:
    path = write_small_model(tmp_path / "small.safetensors", section=section)
    preprocessing = read_info(path).preprocessing
    network, _ = load_checkpoint(path)
    images = torch.randint(0, 256, (2, 3, 32, 48), dtype=torch.uint8)
    if section.normalization == "imagenet":
        assert preprocessing["mean"] == pytest.approx([0.485, 0.456, 0.406])
    else:
        assert (preprocessing["mean"], preprocessing["std"]) == ("of the image", "of the image")
    normal = network.normalize(images).mean(dim=(1, 2, 3))
    assert torch.allclose(normal, torch.zeros(2), atol=1e-4) == (section.normalization == "image")


@pytest.mark.parametrize("section", [CONVLSTM, POINTER], ids=["imagenet", "image"])
def test_a_preprocessing_that_is_not_that_of_the_model_is_refused(tmp_path: Path, section: ModelSection) -> None:
    path = write_small_model(tmp_path / "small.safetensors", section=section)
    other = PREPROCESSING_OF["image" if section.normalization == "imagenet" else "imagenet"]
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["rsis"])
    save_file({"x": torch.zeros(1)}, path, metadata={"rsis": json.dumps(header | {"preprocessing": other})})
    with pytest.raises(UserError, match=r"made for images preprocessed as .*, this program does"):
        read_info(path)
