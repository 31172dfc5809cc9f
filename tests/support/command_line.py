"""The installed `rsis` command, a configuration that runs in seconds, and a check of error messages."""

import os
import subprocess
import sys
from pathlib import Path

TINY = """
datasets:
  plants:
    format: cvppp
    source: {kind: plants, seed: 3, image_size: [48, 48], training: 6, testing: 2, leaves: [4, 5]}
    size: [32, 32]
    splits:
      train: {folder: training/A1, take: [0, 4]}
      val: {folder: training/A1, take: [4, 6]}
      test: {folder: testing/A1}
runs:
  demo:
    dataset: plants
    model: {backbone: resnet18, stride: 8, hidden_widths: [8, 4]}
    train:
      epochs: 2
      batch_size: 2
      num_steps: 5
      workers: 0
      optimizer: adamw
      lr: 1e-3
      lr_encoder: 1e-3
      objective: {stop_from_epoch: 0}
      keep: last
    predict: {num_steps: 5, objectness_threshold: 0.0}
    score: {scorers: [cvppp, coco]}
default:
  datasets: [plants]
  runs: {demo: plants}
"""


def rsis(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder, in one thread; it may fail."""
    command = [str(Path(sys.executable).with_name("rsis")), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def refused(result: subprocess.CompletedProcess[str], *parts: str) -> str:
    """Return the error line of a refused command; fail on a traceback, on another exit code, or without `parts`."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("rsis: ")]
    assert len(lines) == 1, result.stderr
    for part in parts:
        assert part in lines[0]
    return lines[0]
