"""Learning curves: read from the history, and drawn if they have values."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.pictures import check

from rsis.errors import UserError
from rsis.report.figures.curves import learning_curves, read_curves, term_start


def write_curve(history: Path, name: str, steps: list[int], values: list[float]) -> None:
    path = history / "plots" / "metrics" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"step": steps, path.stem: values}).to_csv(path, sep="\t", index=False)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    for group in ("train", "val"):
        write_curve(tmp_path, f"{group}/total", [0, 1, 2, 3], [0.9, 0.7, 0.8, 0.5])
        write_curve(tmp_path, f"{group}/mask", [0, 1, 2, 3], [0.9, 0.7, 0.6, 0.4])
        write_curve(tmp_path, f"{group}/class", [0, 1], [np.nan, np.nan])
    write_curve(tmp_path, "train/stop", [0, 1, 2, 3], [np.nan, np.nan, 0.6, 0.5])
    write_curve(tmp_path, "schedule/num_steps", [0, 1, 2, 3], [2, 2, 3, 3])
    return tmp_path


def test_curves_leave_out_what_has_no_value(history: Path) -> None:
    curves = read_curves(history)
    assert curves["train/stop"].to_dict() == {2: 0.6, 3: 0.5}
    assert curves["train/class"].empty
    assert "val/stop" not in curves
    assert term_start(curves, "stop") == 2
    assert term_start(curves, "class") is None


def test_a_panel_for_each_curve_there_is(history: Path) -> None:
    pictures = learning_curves("mine", read_curves(history))
    names = ["mine-loss-total.png", "mine-loss-mask.png", "mine-loss-stop.png", "mine-sequence.png"]
    assert [picture.name for picture in pictures] == names
    for picture in pictures:
        check(picture)
    assert "from 0.9 to 0.5" in pictures[0].alt


def test_a_term_that_is_never_in_force_is_not_drawn(history: Path) -> None:
    write_curve(history, "train/class", [0, 1, 2, 3], [0.7, 0.7, 0.7, 0.7])
    write_curve(history, "train/stop", [0, 1, 2, 3], [0.7, 0.7, 0.6, 0.5])
    write_curve(history, "schedule/class_in_force", [0, 1, 2, 3], [0, 0, 0, 0])
    write_curve(history, "schedule/stop_in_force", [0, 1, 2, 3], [0, 1, 1, 1])
    curves = read_curves(history)
    assert term_start(curves, "class") is None
    assert term_start(curves, "stop") == 1
    names = [picture.name for picture in learning_curves("mine", curves)]
    assert "mine-loss-stop.png" in names
    assert "mine-loss-class.png" not in names


def test_no_history_no_panels(tmp_path: Path) -> None:
    assert learning_curves("mine", read_curves(tmp_path)) == []


@pytest.mark.parametrize(("content", "fault"), [("a\tb\n1\t2\n", "needs step and total"), ("", "not a table")])
def test_broken_curves_are_named(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "plots" / "metrics" / "train" / "total.tsv"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(UserError, match=fault) as caught:
        read_curves(tmp_path)
    assert str(path) in str(caught.value)
