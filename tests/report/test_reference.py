"""Reference results: the stored values of runs, and the comparison of the user's metrics with them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.made_up_run import DATA, make_run, run_section
from support.reference_data import REPOSITORY

from rsis.config.params import DefaultSection, Params
from rsis.errors import UserError
from rsis.files import paths
from rsis.report.page import load_run
from rsis.report.reference import keep
from rsis.report.reference.results import (
    Reference,
    Training,
    read_reference,
    reference_rows,
    rows_of,
    seeds_of,
    training_of,
    write_results,
)
from rsis.report.reference.text import BEGIN, END, beside, put_tables, table_of, with_tables

PAGE = f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe rest.\n"


def training(run: str = "mine", seed: int = 0, **metrics: float) -> Training:
    figures = {key.replace("_", "/", 1): value for key, value in metrics.items()}
    return Training(run, seed, "tiny", "test", 12, figures, 3, 75.4, 2, "cpu", "2.14.1", "A processor", "c0ffee")


def params() -> Params:
    sections = {"mine": run_section("tiny"), "other": run_section("scenes")}
    sections["mine_seeds"] = sections["mine"].model_copy(update={"seeds": (0, 1)})
    return Params(datasets=DATA, runs=sections, default=DefaultSection(datasets=(), runs={}))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    reference = Reference({"mine": (training(cvppp_sbd=0.5), training(seed=1, cvppp_sbd=0.75))})
    write_results(tmp_path / "results.json", reference)
    assert read_reference(tmp_path) == reference
    in_order = Reference({name: (training(name, cvppp_sbd=0.5),) for name in ("b", "c", "a")})
    write_results(tmp_path / "results.json", in_order)
    assert table_of(read_reference(tmp_path)) == table_of(in_order)
    assert read_reference(tmp_path / "nowhere") == Reference({})


def test_another_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"schema_version": 1, "runs": {"mine": [{"run": 3}]}}')
    with pytest.raises(UserError, match=r"results\.json: runs\.mine\.0.* restore it from the repository"):
        read_reference(tmp_path)


def test_the_other_seeds_of_a_run() -> None:
    assert seeds_of(params(), "mine") == ["mine_seeds-seed0", "mine_seeds-seed1"]
    assert seeds_of(params(), "mine_seeds-seed1") == ["mine", "mine_seeds-seed0"]
    assert seeds_of(params(), "other") == []


def test_figures_beside_the_reference(tmp_path: Path) -> None:
    run, _ = load_run(make_run(tmp_path))
    own = run.scores.metrics["cvppp/sbd"]
    reference = Reference({"mine": (training(cvppp_sbd=0.5), training(seed=1, cvppp_sbd=0.75))})
    row = next(row for row in rows_of(reference, [run]) if row.figure == "cvppp/sbd")
    assert (row.run, row.own) == ("mine: tiny, test, 12 images", own)
    assert (row.reference, row.mean, row.least, row.most, row.trainings) == (0.5, 0.625, 0.5, 0.75, 2)
    heading, cells = beside([row])
    assert dict(zip(heading, cells[0], strict=True)) == {
        "run": "mine: tiny, test, 12 images",
        "figure": "cvppp/sbd",
        "yours": f"{own:.3f}",
        "reference": "0.500",
        "mean (least to most) of trainings": "0.625 (0.500 to 0.750) of 2",
    }


@pytest.mark.parametrize("change", [{"split": "val"}, {"images": 11}, {"dataset": "others"}])
def test_other_images_are_not_compared(tmp_path: Path, change: dict[str, object]) -> None:
    run, _ = load_run(make_run(tmp_path))
    rows = rows_of(Reference({"mine": (replace(training(cvppp_sbd=0.5), **change),)}), [run])  # type: ignore[arg-type]
    assert rows
    assert all(row.reference is row.mean is None and row.own is not None for row in rows)
    heading, cells = beside(rows)
    assert heading == ["run", "figure", "yours"]
    assert cells[1][0] == ""  # a run is named once
    assert all(len(line) == 3 for line in cells)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_the_mean_lies_between_least_and_most(values: list[float]) -> None:
    trainings = tuple(training(seed=seed, coco_AP=value) for seed, value in enumerate(values))
    (row,) = reference_rows(Reference({"mine": trainings}))
    assert row.least is not None
    assert row.mean is not None
    assert row.most is not None
    assert row.least - 1e-12 <= row.mean <= row.most + 1e-12
    assert row.reference == values[0]
    assert row.trainings == len(values)


def test_a_page_gets_the_table_between_its_marks_and_nothing_else(tmp_path: Path) -> None:
    reference = Reference({"mine": (training(cvppp_sbd=0.5),)})
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert put_tables(page, reference)
    text = page.read_text()
    assert "| mine: tiny, test, 12 images | `cvppp/sbd` | 0.500 | - | 1 |" in text
    assert text.startswith("# Title\n\n")
    assert text.endswith("\n\nThe rest.\n")
    assert "old" not in text
    assert with_tables(text, reference) == text
    page.write_text("No marks.\n")
    assert not put_tables(page, reference)
    for broken in (PAGE.replace(END, ""), PAGE.replace(BEGIN, ""), PAGE + PAGE):
        page.write_text(broken)
        with pytest.raises(UserError, match=r"page\.md: has one of two marks; restore the lines"):
            put_tables(page, reference)
        assert page.read_text() == broken


def test_runs_are_kept_with_their_seeds_report_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = {name: make_run(tmp_path, name) for name in ("mine", "mine_seeds-seed0", "mine_seeds-seed1")}
    inputs["mine_seeds-seed1"].predictions_path.unlink()  # as if its metrics came from the repository
    (tmp_path / "README.md").write_text(PAGE)
    folder = tmp_path / "reports/reference"
    for _ in range(2):  # the second one replaces the first
        reference = keep.keep_as_reference(params(), "all", [inputs["mine"]], inputs.__getitem__, folder)
    assert [item.run for item in reference.runs["mine"]] == ["mine", "mine_seeds-seed0"]
    assert read_reference(folder) == reference
    assert table_of(reference) in (tmp_path / "README.md").read_text()
    text = (folder / "README.md").read_text()
    assert table_of(reference) in text
    assert "`rsis report mine --name all --reference` wrote this folder" in text
    assert reference.runs["mine"][0].machine in text
    report = (folder / "all.md").read_text()
    linked = {part.split(")")[0] for part in report.split("](")[1:]}
    assert linked == {f"all/{path.name}" for path in (folder / "all").iterdir()}


def test_runs_of_the_default_that_were_scored_are_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = {name: make_run(tmp_path, name, dataset=data) for name, data in (("mine", "tiny"), ("other", "scenes"))}
    built = DefaultSection(datasets=("tiny", "scenes"), runs={"mine": "tiny", "other": "scenes"})
    chosen = params().model_copy(update={"default": built})
    reference = keep.keep_as_reference(chosen, "all", [inputs["mine"]], inputs.__getitem__, tmp_path / "reference")
    assert list(reference.runs) == ["mine", "other"]
    assert "scenes" not in (tmp_path / "reference/all.md").read_text()


def test_a_run_that_was_not_scored_here_keeps_its_earlier_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = {name: make_run(tmp_path, name) for name in ("mine", "other")}
    built = DefaultSection(datasets=("tiny",), runs={"mine": "tiny", "other": "tiny"})
    chosen = params().model_copy(update={"default": built})
    folder = tmp_path / "reference"
    before = keep.keep_as_reference(chosen, "all", [inputs["mine"], inputs["other"]], inputs.__getitem__, folder)
    old = {run: (replace(trainings[0], commit="before"),) for run, trainings in before.runs.items()}
    write_results(folder / "results.json", Reference(old | {"gone": old["other"]}))

    paths.predictions_file("other").unlink()  # as if its metrics came from the repository
    reference = keep.keep_as_reference(chosen, "all", [inputs["mine"]], inputs.__getitem__, folder)
    assert reference.runs == {"mine": before.runs["mine"], "other": old["other"]}


def test_a_history_that_says_too_little_is_one_line(tmp_path: Path) -> None:
    run, _ = load_run(make_run(tmp_path))
    with pytest.raises(UserError, match=r"history/mine/run\.json: 'epochs' is missing or wrong; run rsis train mine"):
        training_of(run, {}, "A processor")


def test_the_projects_pages_show_its_reference_results() -> None:
    folder = REPOSITORY / "reports/reference"
    reference = read_reference(folder)
    assert {"demo_nuclei", "demo", "demo_scenes", "demo_streets"} <= set(reference.runs)
    for page in keep.PAGES:
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        assert with_tables(text, reference) == text, f"{page}: run `rsis report demos --reference`"
    assert table_of(reference) in (folder / "README.md").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 400_000
    for trainings in reference.runs.values():
        assert all(item.commit and not item.commit.endswith("+changes") for item in trainings)
    assert json.loads((folder / "results.json").read_text())["schema_version"] == 1
