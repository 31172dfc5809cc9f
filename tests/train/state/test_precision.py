"""`train.precision: auto` is settled at the first start, and kept to afterwards."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.short_training import paths_in, run_with, train_quietly, train_until, write_processed

from rsis.checkpoint.info import read_info
from rsis.train.state import record


def settled_as(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "settle", lambda wanted, device: name)


def test_a_training_that_goes_on_elsewhere_keeps_its_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processed = write_processed(tmp_path / "processed")
    auto, plain = paths_in(tmp_path / "auto", processed), paths_in(tmp_path / "plain", processed)
    settled_as("bf16", monkeypatch)
    train_until(1, run_with(epochs=2, precision="auto"), auto, monkeypatch)
    settled_as("fp32", monkeypatch)  # another machine
    train_quietly(run_with(epochs=2, precision="auto"), auto)
    assert json.loads((auto.history / "run.json").read_text())["precision"] == "bf16-mixed"
    assert read_info(auto.model).train["precision"] == "bf16"
    train_quietly(run_with(epochs=2, precision="bf16"), plain)
    ours, expected = load_file(auto.model), load_file(plain.model)
    assert all(torch.equal(ours[name], weights) for name, weights in expected.items())


def test_each_training_settles_it_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processed = write_processed(tmp_path / "processed")
    for name, expected in (("bf16", "bf16-mixed"), ("fp32", "32-true")):
        paths = paths_in(tmp_path / name, processed)
        settled_as(name, monkeypatch)
        train_quietly(run_with(epochs=1, precision="auto"), paths)
        assert json.loads((paths.history / "run.json").read_text())["precision"] == expected
        assert [path.read_text() for path in paths.state.rglob("precision.txt")] == [f"{name}\n"]
