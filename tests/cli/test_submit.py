"""The command `rsis submit` as a user sees it."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.folder_contents import contents
from support.in_process import rsis
from support.submission_cases import noisy

from rsis.files.atomic import MARK
from rsis.prediction_file import ImagePrediction, PredictionFile, write_predictions

PARAMS = """
datasets:
  plants:
    format: cvppp
    source: {kind: plants, seed: 3, image_size: [32, 32], training: 1, testing: 2, leaves: [4, 5]}
    size: [32, 32]
    splits: {test: {folder: testing/A1}}
runs:
  demo:
    dataset: plants
    model: {backbone: resnet18, hidden_widths: [8]}
    train: {epochs: 1, batch_size: 1, num_steps: 1, lr: 1e-3, lr_encoder: 1e-3}
    predict: {num_steps: 1}
    score: {scorers: [cvppp]}
default: {datasets: [], runs: {}}
"""


def on_a_full_disk(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command, whose files may have 2048 bytes, which simulates a full disk."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))

    command = [str(Path(sys.executable).with_name("rsis")), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, preexec_fn=limit
    )


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    assert rsis(tmp_path, "download", "plants").returncode == 0
    missing = rsis(tmp_path, "submit", "demo")
    assert missing.returncode == 2
    assert "predictions/demo.json: cannot read" in missing.stderr
    assert "rsis predict" in missing.stderr
    assert not (tmp_path / "submissions").exists()

    rng = np.random.default_rng(0)
    names = [
        path.name.removesuffix("_rgb.png") for path in sorted(tmp_path.glob("data/raw/plants/testing/A1/*_rgb.png"))
    ]
    masks = rng.random((2, 32, 32)) < 0.5
    images = tuple(ImagePrediction(name, (32, 32), noisy(rng, masks, 1)) for name in names)
    file = PredictionFile("plants", "demo", "test", "0" * 64, ("leaf",), {}, images)
    write_predictions(tmp_path / "predictions/demo.json", file)
    done = rsis(tmp_path, "submit", "demo")
    assert (done.returncode, done.stdout) == (0, "demo: submissions/demo\n"), done.stderr
    sent = contents(tmp_path / "submissions")
    assert set(sent) == {"demo/submission.h5", f"demo/{MARK}", *(f"demo/A1/{name}_label.png" for name in names)}

    (tmp_path / "predictions/demo.json").rename(tmp_path / "other.json")
    again = rsis(tmp_path, "submit", "demo", "--predictions", "other.json", "--out", "elsewhere")
    assert again.returncode == 0, again.stderr
    assert contents(tmp_path / "elsewhere") == {name.removeprefix("demo/"): data for name, data in sent.items()}

    full = on_a_full_disk(tmp_path, "submit", "demo", "--predictions", "other.json")
    assert full.returncode == 2
    assert "submissions/demo: cannot write" in full.stderr
    assert "Traceback" not in full.stderr
    assert contents(tmp_path / "submissions") == sent
    assert [path.name for path in (tmp_path / "submissions").iterdir()] == ["demo"]
