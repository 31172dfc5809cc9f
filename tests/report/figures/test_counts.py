"""Figures of one run: small, deterministic, independent of the user's settings."""

import matplotlib as mpl
import pytest
from support.pictures import check

from rsis.report.figures.counts import count_figure, score_figure


def test_counts_and_scores() -> None:
    counts = count_figure("mine", [3, 4, 4, 0], [3, 5, 4, 1])
    assert "exact on 2 of 4 images" in counts.caption
    check(counts)
    scores = score_figure("mine", [0.5, 0.9, 1.0])
    assert "Lowest 50.0, median 90.0, highest 100.0 %" in scores.caption
    check(scores)
    check(count_figure("mine", [0] * 2000, [0] * 2000))


@pytest.mark.parametrize("values", [[0.0], [1.0], [0.0, 1.0]])
def test_extreme_scores_can_be_drawn(values: list[float]) -> None:
    check(score_figure("mine", values))


def test_the_users_settings_change_nothing_and_are_kept() -> None:
    plain = score_figure("mine", [0.5, 0.9]).data
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "figure.dpi": 20}):
        before = dict(mpl.rcParams)
        assert score_figure("mine", [0.5, 0.9]).data == plain
        assert dict(mpl.rcParams) == before
