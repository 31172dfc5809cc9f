"""Reports that are not written: what is missing, belongs to somebody else, or lies elsewhere."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_up_run import DIGEST

from rsis.errors import UserError
from rsis.report.page import RunInputs
from rsis.report.run import write_report


@pytest.mark.parametrize("foreign", ["first.md", "first.html", "first.csv", "first/thesis.txt"])
def test_a_report_replaces_reports_alone(inputs: RunInputs, tmp_path: Path, foreign: str) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / foreign).write_text("years of work")
    with pytest.raises(UserError, match=r"belongs to no report|which rsis did not write there"):
        write_report("first", [inputs], tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "first"] == (
        [tmp_path / foreign] if "/" not in foreign else []
    )
    assert (tmp_path / foreign).read_text() == "years of work"


@pytest.mark.parametrize("name", ["../first", "a/b", "/tmp/first", "..", ".", "", "README", "reference", "a b"])
def test_a_report_stays_in_its_folder(inputs: RunInputs, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="report --name: "):
        write_report(name, [inputs], tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("field", "stage"),
    [
        ("metrics_path", "score mine"),
        ("scores_folder", "score mine"),
        ("history_folder", "train mine"),
        ("predictions_path", "predict mine"),
        ("raw_root", "download tiny"),
    ],
)
def test_missing_inputs(inputs: RunInputs, tmp_path: Path, field: str, stage: str) -> None:
    missing: Any = tmp_path / "none"
    with pytest.raises(UserError, match=f"run rsis {stage}") as caught:
        write_report("first", [replace(inputs, **{field: missing})], tmp_path / "reports")
    assert str(missing) in str(caught.value)
    assert not (tmp_path / "reports").exists()


def test_scores_of_another_checkpoint(inputs: RunInputs, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(inputs.predictions_path.read_text().replace(DIGEST, "cd" * 32))
    with pytest.raises(UserError, match=r"checkpoint is 'abab.*run rsis score mine again"):
        write_report("first", [replace(inputs, predictions_path=other)], tmp_path / "reports")


def test_a_report_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run to report"):
        write_report("first", [], tmp_path)
