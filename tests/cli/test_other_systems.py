"""Help, prediction and training also work without the features that only POSIX systems have, as on Windows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import TINY
from support.small_model import write_small_model

# removes what Python lacks on Windows, before any module of the program is imported
WINDOWS = """
import ctypes, os, signal, sys

class CDLL(ctypes.CDLL):
    def __init__(self, name, *arguments, **options):
        if name is None:
            raise TypeError("argument of type 'NoneType' is not iterable")
        super().__init__(name, *arguments, **options)

ctypes.CDLL = CDLL
del signal.SIGUSR1, os.sched_getaffinity
sys.argv = ["rsis", *sys.argv[1:]]
from rsis.cli.main import main
main()
"""


# on Windows, Lightning does not use the signal, and asks for the list of valid signals
LIGHTNING = """
import signal
signal.valid_signals = lambda: {signal.SIGINT, signal.SIGTERM, signal.SIGABRT}
from lightning.pytorch.trainer.connectors import signal_connector
signal_connector._IS_WINDOWS = True
"""


def rsis(folder: Path, *arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", before + WINDOWS, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_help(tmp_path: Path) -> None:
    result = rsis(tmp_path, "--help")
    assert result.returncode == 0, result.stderr
    assert "predict-images" in result.stdout


def test_prediction(tmp_path: Path) -> None:
    model = write_small_model(tmp_path / "small.safetensors")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)).save(tmp_path / "one.png")
    result = rsis(tmp_path, "predict-images", "one.png", "--checkpoint", model, "--out", "found")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "found/coco.json").is_file()


@pytest.mark.pipeline
def test_training_with_a_loading_process(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(TINY.replace("workers: 0", "workers: 1"))
    for stage, name in (("download", "plants"), ("prepare", "plants"), ("train", "demo")):
        result = rsis(tmp_path, stage, name, before=LIGHTNING if stage == "train" else "")
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "models/demo.safetensors").is_file()
