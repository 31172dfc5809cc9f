"""The figures of errors: correct numbers in their captions, and no figure without data."""

from dataclasses import replace

import pandas as pd
import pytest
from support.made_up_run import DATA, run_section

from rsis.eval.scores import OBJECT_COLUMNS, Scores
from rsis.report.figures.mistakes import (
    error_figures,
    kind_figure,
    miss_figure,
    reliability,
    reliability_figure,
    step_figure,
)
from rsis.report.tables.protocol import ScoredRun

MASKS = pd.DataFrame(
    {
        "image_id": ["a", "a", "b", "b"],
        "step": [0, 1, 0, 1],
        "class_name": "leaf",
        "objectness": [0.9, 0.8, 0.9, 0.6],
        "iou": [0.9, 0.3, 0.7, 0.0],
        "kind": ["correct", "localisation", "correct", "background"],
    }
)
STEPS = pd.DataFrame(
    {"image_id": "a", "step": [0, 1, 2, 3], "objectness": [0.95, 0.91, 1.0, 0.05], "left": [1, 1, 0, 0]}
)
OBJECTS = pd.DataFrame(
    [("a", "leaf", 40.0, 0.9, 0, 0.04), ("a", "leaf", 4.0, 0.2, 1, 0.004), ("b", "leaf", 40.0, 0.0, None, 0.04)],
    columns=list(OBJECT_COLUMNS),
)


def scored(name: str = "mine") -> ScoredRun:
    empty = pd.DataFrame()
    scores = Scores({}, empty, empty, OBJECTS, empty, {}, MASKS, STEPS)
    return ScoredRun(name, run_section("tiny"), DATA["tiny"], scores)


def nothing() -> ScoredRun:
    run = scored("nothing")
    return replace(run, scores=Scores({}, *(pd.DataFrame() for _ in range(4)), {}))


def test_captions_say_the_numbers() -> None:
    run = scored()
    by_step, kinds, missed, trust = (f([run]) for f in (step_figure, kind_figure, miss_figure, reliability_figure))
    assert by_step is not None
    assert "mine from 80.0 at step 1 to 15.0 at 2 %" in by_step.alt
    assert kinds is not None
    assert "mine: 50 % correct, most of the rest localisation (25 %)" in kinds.caption
    assert missed is not None
    assert "2 of 3 missed, 50 % of them under 1 % of the image" in missed.caption
    assert trust is not None
    assert "expected calibration error 0.227 over 4 steps" in trust.caption


def test_reliability_puts_steps_into_tenths() -> None:
    table = reliability(STEPS)
    assert table["steps"].tolist() == [1, 3]
    assert table["left"].tolist() == pytest.approx([0, 2 / 3])
    assert table["objectness"].tolist() == pytest.approx([0.05, 2.86 / 3])


def test_runs_stand_together_and_nothing_is_drawn_of_nothing() -> None:
    names = [figure.name for figure in error_figures([scored("one"), nothing(), scored("two")])]
    assert names == ["step-tiny.png", "kinds-tiny.png", "missed-tiny.png", "objectness-tiny.png"]
    assert error_figures([nothing()]) == []
