"""Following the advice of a message ends the fault, and what is said is said once and in one line."""

import re
from pathlib import Path

import numpy as np
import pytest
from support.command_line import TINY
from support.in_process import rsis
from support.made_up_run import make_run
from support.own_folders import write_maps
from support.reference_data import REPOSITORY

from rsis.config.datasets import MapsDataset
from rsis.eval.nothing import nothing_found
from rsis.own_data.findings import Findings
from rsis.own_data.suggest import suggest
from rsis.report.page import load_run
from rsis.report.tables.comparison import compare
from rsis.report.tables.published import load_published


def test_init_and_the_page_name_the_same_commands(tmp_path: Path) -> None:
    write_maps(tmp_path / "my_data", [f"cell{number}" for number in range(6)])
    done = rsis(tmp_path, "init", "my_data")
    assert done.returncode == 0, done.stderr
    printed = re.findall(r"^  rsis (\w+) my_data$", done.stdout, re.MULTILINE)
    page = (REPOSITORY / "docs/own-data.md").read_text()
    block = page.split("Each stage is also a separate command")[1].split("```")[1]
    assert printed == ["run", *re.findall(r"^rsis (\w+) my_data$", block, re.MULTILINE)]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run has predicted nothing: at a step there must be an object with certainty."""
    folder = tmp_path_factory.mktemp("nothing")
    (folder / "params.yaml").write_text(
        TINY.replace("objectness_threshold: 0.0", "objectness_threshold: 1.0").replace("epochs: 2", "epochs: 1")
    )
    for command in ("download plants", "prepare plants", "train demo --quiet", "predict demo"):
        assert rsis(folder, *command.split()).returncode == 0
    return folder


def test_nothing_predicted_is_one_line_whose_advice_helps(scored: Path) -> None:
    done = rsis(scored, "score", "demo")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = re.fullmatch(
        r"demo: no object is predicted in any of the 2 images: the objectness of the first step is (\d\.\d+) to "
        r"(\d\.\d+), below predict.objectness_threshold 1; train longer, or lower the threshold and predict again",
        line,
    )
    assert found is not None, line
    assert (scored / "metrics/demo.json").is_file()
    low, high = map(float, found.groups())
    assert 0 < low <= high < 1
    params = scored / "params.yaml"
    params.write_text(params.read_text().replace("objectness_threshold: 1.0", f"objectness_threshold: {low - 0.001}"))
    for command in ("predict demo", "score demo"):
        done = rsis(scored, *command.split())
    assert len(done.stdout.splitlines()) > 5 or "no mask of them has a pixel" in done.stdout


def test_a_run_that_finds_something_has_no_such_line(tmp_path: Path) -> None:
    item = make_run(tmp_path)
    assert nothing_found(load_run(item)[0].scores) == ""


def test_a_report_on_own_data_has_no_table_of_a_benchmark(tmp_path: Path) -> None:
    run, _ = load_run(make_run(tmp_path))
    assert any("Published, CVPPP" in row.group for table in compare([run], load_published()) for row in table.rows)
    section = {
        "format": "maps",
        "source": {"kind": "folder", "path": "leaves"},
        "size": (32, 32),
        "splits": {"test": {"images": "images", "maps": "labels"}},
    }
    own = type(run)(run.run, run.run_config, MapsDataset.model_validate(section), run.scores)
    tables = compare([own], load_published())
    assert [table.scorer for table in tables] == ["cvppp", "coco"]
    assert all("Published" not in row.group for table in tables for row in table.rows)
    both = compare([run, own], load_published())
    assert [row.group for table in both for row in table.rows if row.ours].count("This project, tiny, test, 12 images")


def test_the_size_is_suggested_by_each_objects_own_picture() -> None:
    """Small objects of large pictures, and large ones of small pictures, are equally small for the network."""
    equal = Findings(
        {"train": 20}, np.array([1] * 20), np.array([(100, 100)] * 20), np.array([10.0] * 20), {"cell": 20}
    )
    mixed = Findings(
        {"train": 20},
        np.array([1] * 20),
        np.array([(100, 100)] * 11 + [(1000, 1000)] * 9),
        np.array([10.0] * 11 + [100.0] * 9),
        {"cell": 20},
    )
    assert suggest(mixed).size == suggest(equal).size
    # ten pixels in pictures of a thousand are a hundredth of a side
    tiny = Findings(
        {"train": 20},
        np.array([1] * 20),
        np.array([(100, 100)] * 11 + [(1000, 1000)] * 9),
        np.array([10.0] * 20),
        {"cell": 20},
    )
    assert any("are under" in note for note in suggest(tiny).notes)
