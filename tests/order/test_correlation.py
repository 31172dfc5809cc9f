"""Kendall's tau against scipy and against values computed by hand; pairs against values computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rsis.order.correlation import PATTERNS, Emission, consecutive_pairs, kendall_tau, summary, taus


def emission(columns: list[float], areas: list[int], classes: list[int], name: str = "a", **keys: float) -> Emission:
    centres = np.array([[50.0, column] for column in columns])
    active = {("f0", "mean", "after"): np.array(areas, float)}
    return Emission(name, (100, 100), np.array(classes), centres, np.array(areas), active)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.permutations(range(7)))
def test_without_ties_tau_is_scipys(values: list[int]) -> None:
    expected = stats.kendalltau(range(7), values).statistic
    assert kendall_tau(-np.array(values, float)) == pytest.approx(expected)


def test_tau_by_hand() -> None:
    assert kendall_tau(np.array([3.0, 2.0, 1.0])) == 1
    assert kendall_tau(np.array([1.0, 2.0, 3.0])) == -1
    assert kendall_tau(np.array([2.0, 2.0, 2.0])) == 0
    assert kendall_tau(np.array([3.0, 1.0, 1.0])) == pytest.approx(2 / 3)  # a tie neither decreases nor increases
    assert np.isnan(kendall_tau(np.array([1.0])))


def test_patterns_have_the_papers_direction() -> None:
    centres = np.array([[90.0, 10.0], [50.0, 50.0], [10.0, 90.0]])
    item = Emission("a", (100, 100), np.ones(3, int), centres, np.array([5, 5, 9]), {})
    found = taus([item]).set_index("pattern")["tau"]
    assert found["right-to-left"] == -1
    assert found["bottom-to-top"] == 1
    assert found["large-to-small"] == pytest.approx(-2 / 3)


def test_images_with_one_object_have_no_order() -> None:
    table = taus([emission([1], [4], [1]), emission([2, 1], [4, 2], [1, 1], "b")])
    assert set(table["image_id"]) == {"b"}
    assert set(table["pattern"]) == {*PATTERNS, "f0"}


def test_summary_has_the_interval_of_the_mean() -> None:
    random = np.random.default_rng(0)
    items = [emission(list(random.permutation(5)), [1, 2, 3, 4, 5], [1] * 5, str(n)) for n in range(60)]
    table = summary(taus(items)).set_index("pattern")
    row = table.loc["right-to-left"]
    values = np.array([kendall_tau(item.centres[:, 1]) for item in items])
    half = 1.96 * values.std() / np.sqrt(60)
    assert row["tau"] == pytest.approx(values.mean())
    assert row["low"] == pytest.approx(values.mean() - half, abs=0.02)
    assert row["high"] == pytest.approx(values.mean() + half, abs=0.02)
    assert row["abs_tau"] == pytest.approx(np.abs(values).mean())
    assert row["images"] == 60
    rising = table.loc["f0"]
    assert (rising["tau"], rising["low"], rising["high"], rising["consistency"]) == (-1, -1, -1, 1)


def test_pairs_move_when_they_differ_enough() -> None:
    items = [emission([90, 50, 49, 80], [100, 90, 50, 50], [1, 2, 1, 2], str(n)) for n in range(20)]
    table = consecutive_pairs(items, ("cat", "dog")).set_index(["first", "second"])
    assert list(table.index) == [("any", "any"), ("cat", "dog"), ("dog", "cat")]
    assert table["pairs"].tolist() == [60, 40, 20]
    first = table.loc[("cat", "dog")]
    assert (first["right-to-left"], first["left-to-right"]) == (0.5, 0.5)
    assert (first["large-to-small"], first["small-to-large"]) == (0, 0)
    assert table.loc[("dog", "cat"), "large-to-small"] == 1
    assert table.loc[("dog", "cat"), "right-to-left"] == 0
    assert table.loc[("any", "any"), "right-to-left"] == pytest.approx(1 / 3)


def test_rare_pairs_have_no_row() -> None:
    table = consecutive_pairs([emission([1, 2], [1, 2], [1, 2])], ("cat", "dog"))
    assert table["pairs"].tolist() == [1]
    assert consecutive_pairs([], ("cat",))["pairs"].tolist() == [0]
