"""Mean and deviation over seeds: the groups of runs, the numbers, and all formats of the report."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.made_up_run import DATA, make_run, run_section

from rsis.config.runs import ModelSection
from rsis.config.sources import FolderSource
from rsis.eval.scores import Scores
from rsis.report.page import RunInputs
from rsis.report.run import ReportPaths, write_report
from rsis.report.tables.ablation import ablations
from rsis.report.tables.comparison import compare
from rsis.report.tables.protocol import ScoredRun
from rsis.report.tables.published import load_published
from rsis.report.tables.quantities import MINUS
from rsis.report.tables.rows import format_cell, format_gap
from rsis.report.tables.seeds import deviation_of, mean_of, seed_groups, seed_tables

ALIKE = {"cvppp/sbd_std": 0.3, "cvppp/abs_dic_std": 0.5}  # spreads over images, which those over seeds must not use


def scored(name: str, seed: int, metrics: dict[str, float], dataset: str = "tiny", **protocol: object) -> ScoredRun:
    facts = {"split": "test", "images": 12, "run": name, "checkpoint": f"{seed:064d}", **protocol}
    empty = pd.DataFrame()
    scores = Scores(metrics, empty, empty, empty, empty, facts)
    return ScoredRun(name, run_section(dataset, seed=seed), DATA[dataset], scores)


def plants(name: str, seed: int, sbd: float = 0.5, abs_dic: float = 1.0) -> ScoredRun:
    return scored(name, seed, {"cvppp/sbd": sbd, "cvppp/abs_dic": abs_dic, "coco/AP": sbd / 2, **ALIKE})


def on_benchmark(run: ScoredRun, dataset: str) -> ScoredRun:
    """The run with the same scores, as if they were measured on the benchmark's own data."""
    data = run.dataset_config.model_copy(update={"source": FolderSource(kind="folder", path="x")})
    return replace(run, dataset_config=data, run_config=run.run_config.model_copy(update={"dataset": dataset}))


THREE = [plants("a-seed0", 0, 0.70, 1.0), plants("a-seed1", 1, 0.74, 1.5), plants("a-seed2", 2, 0.78, 2.0)]


def test_mean_and_deviation_by_hand() -> None:
    assert mean_of([1.0, 2.0, 3.0, 6.0]) == 3.0
    assert deviation_of([1.0, 2.0, 3.0, 6.0]) == pytest.approx((14 / 3) ** 0.5, rel=1e-15)  # n - 1, not n
    assert (mean_of([0.25]), deviation_of([0.25])) == (0.25, None)
    assert (mean_of([]), deviation_of([])) == (None, None)
    assert (mean_of([1.0, None, 3.0]), deviation_of([1.0, None, 3.0])) == (None, None)


def test_a_row_for_each_headline_figure() -> None:
    (table,) = seed_tables(THREE)
    assert (table.group.name, table.group.seeds) == ("a", "0, 1, 2")
    assert [(figure.label, figure.cells) for figure in table.figures] == [
        ("SBD, %", ("70.0", "74.0", "78.0", "74.0", "4.0")),
        ("|DiC|", ("1.00", "1.50", "2.00", "1.50", "0.50")),
        ("AP (COCO), %", ("35.0", "37.0", "39.0", "37.0", "2.0")),
    ]
    assert f"(n {MINUS} 1) are over these 3 seeds, not over images" in table.note
    assert "Runs a-seed0, a-seed1, a-seed2 differ in their seed alone" in table.note


def test_a_figure_that_a_seed_lacks_has_no_mean() -> None:
    runs = [scored(f"a-seed{n}", n, metrics) for n, metrics in enumerate([{"coco/AP": 0.5, "coco/AP50": 0.6}] * 2)]
    runs.append(scored("a-seed2", 2, {"coco/AP": 0.5}))
    (table,) = seed_tables(runs)
    assert {figure.key: figure.cells for figure in table.figures} == {
        "coco/AP": ("50.0", "50.0", "50.0", "50.0", "0.0"),
        "coco/AP50": ("60.0", "60.0", "-", "-", "-"),
    }


def with_train(run: ScoredRun, **values: object) -> ScoredRun:
    train = run.run_config.train.model_copy(update=values)
    return replace(run, run_config=run.run_config.model_copy(update={"train": train}))


def with_size(run: ScoredRun) -> ScoredRun:
    return replace(run, dataset_config=run.dataset_config.model_copy(update={"size": (64, 64)}))


@pytest.mark.parametrize(
    "other",
    [
        plants("a-seed0", 0),
        plants("another-name", 0),  # the same seed
        with_train(plants("a-seed1", 1), epochs=4),
        with_size(plants("a-seed1", 1)),
        scored("a-seed1", 1, {"coco/AP": 0.5}, "scenes"),
        scored("a-seed1", 1, {"cvppp/sbd": 0.5}, split="val"),
        scored("a-seed1", 1, {"cvppp/sbd": 0.5}, images=11),
        scored("a-seed1", 1, {"cvppp/sbd": 0.5}, predict={"mask_threshold": 0.25}),
    ],
    ids=["itself", "seed", "train", "size", "dataset", "split", "images", "thresholds"],
)
def test_runs_that_differ_in_more_than_the_seed_have_no_mean(other: ScoredRun) -> None:
    runs = [plants("a-seed0", 0), other]
    assert seed_groups(runs) == ()
    assert seed_tables(runs) == ()
    assert not any(row.over_seeds for table in compare(runs, load_published()) for row in table.rows)


def test_groups_go_by_content_not_by_name() -> None:
    longer = [with_train(plants(f"b-seed{seed}", seed), epochs=4) for seed in (0, 7)]
    first, second = seed_groups([plants("one", 0), longer[0], plants("two", 1), longer[1], plants("again", 1)])
    assert [run.run for run in first.runs] == ["one", "two"]  # each seed once
    assert (first.name, first.method) == ("one", "RSIS, one, mean of 2 seeds")
    assert (second.name, second.method) == ("b", "RSIS, b, mean of 2 seeds")


def test_the_mean_stands_after_its_runs() -> None:
    other = with_train(plants("other", 0), epochs=4)
    (table, coco) = compare([on_benchmark(run, "cvppp") for run in (*THREE, other)], load_published())
    assert [row.method for row in table.rows if row.ours] == [
        *("RSIS, run a-seed0", "RSIS, run a-seed1", "RSIS, run a-seed2"),
        *("RSIS, a, mean of 3 seeds", "RSIS, run other"),
    ]
    row = table.rows[-2]
    assert [format_cell(row, column) for column in table.columns] == ["74.0 ± 4.0", "1.5 ± 0.5"]
    assert [format_cell(table.rows[-1], column) for column in table.columns] == ["50.0 ± 30.0", "1.0 ± 0.5"]
    assert [format_gap(row, column) for column in table.columns] == ["+3.4", "+0.3"]  # to 70.6 and 1.2
    assert (row.reference, row.group) == ("RSIS (v1)", table.rows[-1].group)
    assert row.remark == f"± over seeds 0, 1, 2 (n {MINUS} 1), not over images; {table.rows[-1].remark}"
    assert table.spread == "± is the standard deviation over images, in the row of a mean over seeds."
    assert format_cell(coco.rows[-2], coco.columns[0]) == "37.0 ± 2.0"  # no row has a spread over images
    assert format_cell(coco.rows[-1], coco.columns[0]) == "25.0"
    assert coco.spread == "± is the standard deviation over seeds."


def test_what_the_spread_of_runs_without_a_group_is() -> None:
    table, coco = compare([plants("a", 0)], load_published())
    assert table.spread == "± is the standard deviation over images."
    assert coco.spread == ""


def test_the_mean_stands_in_the_ablation() -> None:
    runs = [scored(f"p-seed{n}", n, {"voc/APr50": value}, "scenes") for n, value in enumerate((0.5, 0.6))]
    model = ModelSection(backbone="resnet101", hidden_widths=(8,) * 5)
    paper = [replace(run, run_config=run.run_config.model_copy(update={"model": model})) for run in runs]
    (table,) = ablations([on_benchmark(run, "pascal") for run in (*runs, *paper)], load_published())
    names = [row.method for row in table.rows]
    places = [place for place, name in enumerate(names) if name == "RSIS, p, mean of 2 seeds"]
    assert places == [names.index("RSIS, run p-seed1") + 1, len(names) - 1]  # below the paper's row, and at the end
    beside, alone = (table.rows[place] for place in places)
    assert format_cell(beside, table.columns[0]) == format_cell(alone, table.columns[0]) == "55.0 ± 7.1"
    assert beside.differences["voc/APr50"] == pytest.approx(0.55 - 0.576)
    assert (beside.settings, alone.differences) == (("ResNet-101", "concat", "5"), {})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[RunInputs]:
    folder = tmp_path_factory.mktemp("runs")
    return [make_run(folder, f"demo-seed{seed}", shift=seed + 1, seed=seed) for seed in range(3)]


@pytest.fixture(scope="module")
def paths(inputs: list[RunInputs], tmp_path_factory: pytest.TempPathFactory) -> ReportPaths:
    folder = tmp_path_factory.mktemp("reports")
    with contextlib.chdir(folder):  # in a repository, the commit could change between two reports that are compared
        return write_report("demo", inputs, folder)


def figures_of(inputs: list[RunInputs], key: str) -> pd.Series:
    return pd.Series([100 * json.loads(item.metrics_path.read_text())[key] for item in inputs])


def test_markdown_and_html_have_the_section(inputs: list[RunInputs], paths: ReportPaths) -> None:
    markdown, html = paths.markdown.read_text(encoding="utf-8"), paths.html.read_text(encoding="utf-8")
    sbd = figures_of(inputs, "cvppp/sbd")
    assert sbd.nunique() == 3
    cells = [f"{value:.1f}" for value in (*sbd, sbd.mean(), sbd.std())]
    assert "| score | seed 0 | seed 1 | seed 2 | mean | standard deviation |\n|---|--:|--:|--:|--:|--:|\n" in markdown
    assert f"\n| SBD, % | {' | '.join(cells)} |\n" in markdown
    assert "SBD, %</th>" + "".join(f'<td class="n">{text}</td>' for text in cells) + "</tr>" in html
    for text in (markdown, html):
        assert "over these 3 seeds, not over images" in text
        assert "RSIS, demo, mean of 3 seeds" in text
        assert f"{cells[3]} ± {cells[4]}" in text
        assert "over images, in the row of a mean over seeds." in text
    for text, mark in ((markdown, "## "), (html, "<h2>")):
        places = [text.index(mark + title) for title in ("Over seeds", "Comparison", "Learning curves")]
        assert places == sorted(places)
    assert '<a href="#seeds">' in html
    assert '<section id="seeds">' in html


def test_the_csv_has_the_section(inputs: list[RunInputs], paths: ReportPaths) -> None:
    table = pd.read_csv(paths.csv)
    sbd = figures_of(inputs, "cvppp/sbd")
    rows = table[(table["table"] == "Over seeds") & (table["metric"] == "cvppp/sbd")]
    assert rows["method"].tolist() == [*(f"RSIS, run demo-seed{n}" for n in range(3)), "RSIS, demo, mean of 3 seeds"]
    assert rows["settings"].tolist() == ["seed 0", "seed 1", "seed 2", "seeds 0, 1, 2"]
    assert rows["value"].tolist() == pytest.approx([*sbd, sbd.mean()], abs=1e-4)
    assert rows["spread"].iloc[:3].isna().all()
    assert rows["spread"].iloc[3] == pytest.approx(sbd.std(), abs=1e-4)
    assert set(rows["unit"]) == {"percent"}
    assert "over these 3 seeds" in rows["protocol"].iloc[3]
    of_sbd = table[table["metric"].eq("cvppp/sbd") & table["table"].ne("Over seeds")]
    beside: Any
    (beside,) = of_sbd[of_sbd["method"].str.endswith("3 seeds")].itertuples()
    assert beside.value == pytest.approx(sbd.mean(), abs=1e-4)
    assert beside.spread == pytest.approx(sbd.std(), abs=1e-4)
    assert beside.protocol.startswith("± over seeds 0, 1, 2")


@pytest.mark.slow
def test_no_section_without_a_group(inputs: list[RunInputs], tmp_path: Path) -> None:
    written = write_report("one", inputs[:1], tmp_path)
    for path in (written.markdown, written.html, written.csv):
        text = path.read_text(encoding="utf-8")
        assert "Over seeds" not in text
        assert "over seeds" not in text
        assert "#seeds" not in text
        assert "mean of" not in text


@pytest.mark.slow
def test_equal_seeds_give_equal_bytes(
    inputs: list[RunInputs], paths: ReportPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    again = write_report("demo", inputs, tmp_path)
    for first, second in ((again.markdown, paths.markdown), (again.html, paths.html), (again.csv, paths.csv)):
        assert first.read_bytes() == second.read_bytes()
