"""Distributed training gives the results of a single process."""

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.command_line import TINY
from support.command_line import rsis as start
from support.in_process import rsis
from support.trained_files import curves

# These settings keep the effect of rounding small. One batch of all four images in an epoch: the loss of an epoch is
# the loss of a step. SGD: Adam divides gradients that should be zero by their own size, so any change of rounding, also
# by another number of threads, becomes 1e-4.
STEPS = TINY.replace("epochs: 2", "epochs: 8").replace("batch_size: 2", "batch_size: 4").replace("adamw", "sgd")
# 64 x 64: at 32 x 32 the deepest level has one value for each image, and normalising so few values amplifies rounding.
# A low learning rate: rounding enters through the gradients, and normalisation over few values makes it 1e-3.
STEPS = STEPS.replace("size: [32, 32]", "size: [64, 64]").replace("1e-3", "5e-5")
STEPS = STEPS.replace("training: 6", "training: 7").replace("take: [4, 6]", "take: [4, 7]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distributed")
    (folder / "params.yaml").write_text(STEPS)
    for stage in ("download", "prepare"):
        assert rsis(folder, stage, "plants").returncode == 0
    return folder


def trained(folder: Path, name: str, **changes: Any) -> tuple[dict[str, list[float]], dict[str, torch.Tensor]]:
    """Train with some lines of the configuration changed; return all loss curves and the weights."""
    text = STEPS.replace("\n  demo:\n", f"\n  {name}:\n").replace("{demo:", f"{{{name}:")
    for key, value in changes.items():
        text = re.sub(rf"      {key}: .*\n", "", text)
        text = text.replace("      workers: 0\n", f"      workers: 0\n      {key}: {value}\n")
    (folder / "params.yaml").write_text(text)
    run = start if "devices" in changes else rsis  # a training that starts processes must run in a new process
    result = run(folder, "train", name)
    assert result.returncode == 0, result.stderr
    epochs = list(map(int, re.findall(rf"{name}: epoch (\d+) of 8, ", result.stderr)))
    assert epochs == list(range(1, len(epochs) + 1))  # only rank 0 logs the lines
    assert epochs
    return curves(folder, name), load_file(folder / f"models/{name}.safetensors")


@pytest.fixture(scope="module")
def alone(folder: Path) -> tuple[dict[str, list[float]], dict[str, torch.Tensor]]:
    return trained(folder, "alone")


@pytest.mark.pipeline
def test_two_processes_have_the_losses_of_one(folder: Path, alone: Any) -> None:
    found, weights = trained(folder, "two", devices=2)
    assert set(found) == set(alone[0])
    assert len(found["train/total"]) == 8
    losses = alone[0]["train/total"]
    assert abs(losses[-1] - losses[0]) > 1e-4 * losses[0]  # ten times the tolerance between one and two processes
    for name, values in alone[0].items():  # the class term is off: its head is not trained
        assert found[name] == pytest.approx(values, rel=1e-3 if name.endswith("class") else 1e-5), name
    assert set(weights) == set(alone[1])
    facts = json.loads((folder / "history/two/run.json").read_text())
    assert (facts["devices"], facts["nodes"], facts["batch_size"]) == (2, 1, 4)


@pytest.mark.pipeline
def test_an_uneven_last_validation_batch_counts_by_its_images(folder: Path) -> None:
    """Three validation images in batches of two: one process gets two images, the other gets one, and both finish."""
    changes = {"batch_size": 2, "patience": 3, "min_delta": 0.5}
    one, _ = trained(folder, "even", **changes)
    two, _ = trained(folder, "uneven", devices=2, **changes)
    assert len(one["val/total"]) == 4
    assert two["val/total"] == pytest.approx(one["val/total"], rel=1e-3)


@pytest.mark.pipeline
def test_two_processes_train_the_pointer_decoder_as_one_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With true masks on the canvas and all masks in the loss, since random draws differ between processes."""
    pointer = STEPS.replace("stride: 8, hidden_widths: [8, 4]", "decoder: pointer, stride: 16").replace(
        "objective: {stop_from_epoch: 0}", "order: free\n      objective: {stop_from_epoch: 0, own_canvas: 0.0}"
    )
    assert pointer.count("pointer") == pointer.count("order: free") == 1
    monkeypatch.setattr(sys.modules[__name__], "STEPS", pointer)
    one, _ = trained(folder, "pointer_one")
    two, _ = trained(folder, "pointer_two", devices=2)
    assert abs(one["train/total"][-1] - one["train/total"][0]) > 1e-2 * one["train/total"][0]
    for name in ("train/total", "train/pointing", "train/mask", "train/stop", "train/geometry"):
        assert two[name] == pytest.approx(one[name], rel=1e-3), name


@pytest.mark.pipeline
def test_two_processes_train_mask_rcnn(folder: Path) -> None:
    text = STEPS.replace(
        "{backbone: resnet18, stride: 8, hidden_widths: [8, 4]}", "{backbone: resnet18, peer: mask_rcnn}"
    )
    text = text.replace("epochs: 8", "epochs: 1").replace("      workers: 0\n", "      workers: 0\n      devices: 2\n")
    text = text.replace("\n  demo:\n", "\n  peer:\n").replace("{demo:", "{peer:")
    (folder / "params.yaml").write_text(text)
    result = start(folder, "train", "peer")
    assert result.returncode == 0, result.stderr
    found = curves(folder, "peer")
    assert {"train/box", "val/mask"} <= set(found)
    assert all(len(values) == 1 and all(map(math.isfinite, values)) for values in found.values())


def test_more_machines_than_tasks_names_the_way(folder: Path) -> None:
    text = STEPS.replace("      workers: 0\n", "      workers: 0\n      nodes: 2\n")
    (folder / "params.yaml").write_text(text)
    result = rsis(folder, "train", "demo")
    assert result.returncode == 2
    assert "srun --nodes=2 --ntasks-per-node=1" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_batch_that_cannot_be_shared_is_refused(folder: Path) -> None:
    (folder / "params.yaml").write_text(STEPS.replace("      workers: 0\n", "      workers: 0\n      devices: 3\n"))
    result = rsis(folder, "train", "demo")
    assert result.returncode == 2
    assert "batch_size 4 cannot be shared evenly by 3 devices on 1 nodes" in result.stderr
