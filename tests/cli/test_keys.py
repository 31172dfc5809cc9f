"""`rsis keys`: what a user reads of the configuration."""

import json
from pathlib import Path

import pytest
from support import in_process
from support.command_line import refused
from support.reference_data import REPOSITORY


def test_all_keys_without_a_project(tmp_path: Path) -> None:
    result = in_process.rsis(tmp_path, "keys")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert len(lines) % 2 == 0  # in a pipe each key has two lines
    assert "runs.RUN.train.lr: number > 0, <= 1000, must be given" in lines
    assert "    Learning rate of decoder and skip connections. Paper, section 4.1: 1e-3." in lines
    assert "datasets.DATASET.class_name (format maps, masks): text, default object" in lines


@pytest.mark.parametrize("name", ["lr", "train.lr", "runs.demo.train.lr"])
def test_one_key(tmp_path: Path, name: str) -> None:
    result = in_process.rsis(tmp_path, "keys", name)
    assert result.returncode == 0
    assert result.stdout.splitlines()[0].startswith("runs.RUN.train.lr: ")
    assert len(result.stdout.splitlines()) == 2


def test_an_unknown_key(tmp_path: Path) -> None:
    refused(in_process.rsis(tmp_path, "keys", "trian.lr"), "params.yaml has no key 'trian.lr'; near it: train.lr")


def test_the_schema(tmp_path: Path) -> None:
    result = in_process.rsis(tmp_path, "keys", "--schema")
    assert json.loads(result.stdout) == json.loads((REPOSITORY / "params.schema.json").read_text())
    refused(in_process.rsis(tmp_path, "keys", "lr", "--schema"), "give one of the two")
