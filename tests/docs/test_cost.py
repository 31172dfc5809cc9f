"""docs/cost.md has the table that follows from the measured steps, and the formulas are computed here once more."""

import re
from pathlib import Path

import pytest
from support.reference_data import REPOSITORY

from benchmarks.cost import IMAGES, LOADING, RESULTS, RUNS, cost_of, costs, read_measured, table
from benchmarks.measure import Measurement
from benchmarks.results import Row, read_results, write_results
from rsis.config.params import load_params
from rsis.config.runs import RunSection

PAGE = (REPOSITORY / "docs/cost.md").read_text()


def test_the_page_has_the_computed_table() -> None:
    found = re.search(r"<!-- python -m benchmarks\.cost -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert found is not None
    assert found[1] == table(), "put the output of `python -m benchmarks.cost` into docs/cost.md"


def test_the_page_says_what_is_measured() -> None:
    assert f"benchmarks/{RESULTS.name}" in PAGE
    loading = next(row for row in read_results(LOADING)[1] if row.case.endswith("the paper's augmentation"))
    assert f"{1000 * loading.ours.median / (loading.items or 1):.1f} ms of one worker" in PAGE
    assert set(costs()) == set(RUNS)


def test_a_cost_by_hand(tmp_path: Path) -> None:
    """An image takes 1 + 0.1 T s and the optimiser 1 s; it needs 50 + 5 T MiB beyond 400, and 100 T GFLOP."""
    known = {"optimiser": 1.0, "resident before": 100.0, "parameters": 100.0}
    values = {
        5: known | {"step": 2.5, "peak memory": 475.0, "operations": 500.0},
        15: known | {"step": 3.5, "peak memory": 525.0, "operations": 1500.0},
    }
    rows = [
        Row("paper", f"{run} 256x256 B1 T{steps}, {name}", Measurement(value, value, 1))
        for run in ("pascal", "pascal_pointer")
        for steps, of_steps in values.items()
        for name, value in of_steps.items()
    ]
    write_results(tmp_path / "rows.json", {}, rows, quick=False)
    measured = read_measured(tmp_path / "rows.json")["pascal"]
    params = load_params(REPOSITORY / "params.yaml")
    train = params.run("cityscapes").train.model_copy(
        update={"epochs": 10, "batch_size": 4, "num_steps": 5, "workers": 2, "validate_every": 5}
    )
    run: RunSection = params.run("cityscapes").model_copy(update={"train": train})

    class Params:
        def run(self, _: str) -> RunSection:
            return run

        def dataset(self, name: str) -> object:
            return params.dataset(name)

    cost = cost_of("cityscapes", Params(), measured, load=0.5)  # type: ignore[arg-type]  # 256 x 512: A = 2
    train_images, val_images = IMAGES["cityscapes"]
    assert cost.steps == train_images // 4
    assert cost.core_step == pytest.approx(1 + 4 * 2 * 1.5)
    assert cost.core_hours == pytest.approx(10 * (743 * 13 + 13 / 3 * val_images / 4 / 5) / 3600)
    assert cost.core_mib == pytest.approx(100 + 3 * 100 + 4 * 2 * 75)
    assert cost.card_step == pytest.approx(max(4 * 2 * 500 / (989_000 * 0.2), 4 * 0.5 / 2))
    assert cost.card_hours[1] == pytest.approx(cost.card_hours[0] / 8)  # the loader is the limit of both
    assert cost.card_mib == pytest.approx((2048 + 400 + 4 * 2 * 75, 2048 + 400 + 4 / 8 * 2 * 75))
