"""The files of a training's metrics against those of DVC's own logger."""

from pathlib import Path

import pytest
from dvclive.live import Live
from support.folder_contents import contents

from rsis.train.figures import FigureFiles

ROWS: list[dict[str, float]] = [
    {"schedule/lr": 1e-05, "schedule/num_steps": 2, "train/total": 1.25},
    {"schedule/lr": 0.1 + 0.2, "schedule/num_steps": 3, "train/total": -0.0, "val/total": 123456789.125},
    {"schedule/lr": 1e22, "schedule/num_steps": 3, "train/total": 2**-30},
]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1]], ids=["three epochs", "one"])
def test_the_files_are_those_of_dvclive_byte_for_byte(tmp_path: Path, rows: list[dict[str, float]]) -> None:
    live = Live(str(tmp_path / "theirs"), save_dvc_exp=False, dvcyaml=None, report=None)
    (tmp_path / "ours").mkdir()
    ours = FigureFiles(tmp_path / "ours")
    for step, row in enumerate(rows):
        live.step = step
        for name, value in row.items():
            live.log_metric(name, value)
        live.make_summary()
        ours.write(step, row)
        assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")
    live.end()
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")
    assert "plots/metrics/train/total.tsv" in contents(tmp_path / "ours")
