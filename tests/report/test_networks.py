"""Runs of several kinds of networks beside each other: what each is, what it cost, and what it is compared with."""

import json
from pathlib import Path

import pandas as pd
import pytest
from support.made_up_run import make_run

from rsis.config.runs import ModelSection
from rsis.report.page import RunInputs, load_run, run_page
from rsis.report.run import write_report
from rsis.report.tables.ablation import ablations
from rsis.report.tables.protocol import settings_differences
from rsis.report.tables.published import load_published

MODELS = {
    "mine": ModelSection(backbone="resnet18", hidden_widths=(8, 8)),
    "points": ModelSection(backbone="resnet18", decoder="pointer"),
    "rival": ModelSection(backbone="resnet34", peer="mask_rcnn"),
}
NAMES = {
    "mine": "RSIS, run mine",
    "points": "RSIS, pointer decoder, run points",
    "rival": "Mask R-CNN (torchvision), run rival",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunInputs]:
    root = tmp_path_factory.mktemp("networks")
    made = {name: make_run(root, name, dataset="scenes", model=model) for name, model in MODELS.items()}
    path = made["rival"].history_folder / "run.json"
    facts = {"parameters": 41_234_567, "seconds": 754.0, "device": "cpu", "threads": 2}
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    return made


def test_a_report_of_several_networks_says_what_each_is_and_cost(inputs: dict[str, RunInputs], tmp_path: Path) -> None:
    paths = write_report("all", list(inputs.values()), tmp_path)
    text = paths.markdown.read_text(encoding="utf-8")
    assert "## Networks" in text
    assert "| rival | Mask R-CNN (torchvision) | resnet34 | 41.2 | 12.6 | cpu, 2 threads |" in text
    assert "| mine | paper's decoder | resnet18 |" in text
    assert "| points | pointer decoder | resnet18 |" in text
    assert "- **Network**: Mask R-CNN (torchvision)" in text
    assert '<section id="networks">' in paths.html.read_text(encoding="utf-8")
    methods = set(pd.read_csv(paths.csv)["method"])
    assert set(NAMES.values()) <= methods
    one = write_report("one", [inputs["rival"]], tmp_path)
    assert "## Networks" not in one.markdown.read_text(encoding="utf-8")


def test_what_the_papers_network_alone_has_is_not_said_of_others(inputs: dict[str, RunInputs]) -> None:
    published = load_published()
    benchmark = published.benchmarks["pascal-voc-2012"]
    runs = {name: load_run(item)[0] for name, item in inputs.items()}
    differences = {name: ", ".join(settings_differences(run, benchmark)) for name, run in runs.items()}
    assert "widths of the ConvLSTMs" in differences["mine"]
    for name, network in (("points", "pointer decoder"), ("rival", "Mask R-CNN (torchvision)")):
        assert differences[name].startswith(f"{network} (paper: its own), ")
        assert "ConvLSTM" not in differences[name]
        assert "backbone" in differences[name]
    assert "decoder steps" in differences["points"]
    assert "decoder steps" not in differences["rival"]
    assert not ablations([runs["points"], runs["rival"]], published)  # those tables are of the paper's network


def test_a_page_knows_its_network(inputs: dict[str, RunInputs]) -> None:
    page = run_page("rsis report rival", inputs["rival"], *load_run(inputs["rival"]), 1)
    assert (page.network.run, page.network.network, page.network.minutes) == ("rival", NAMES["rival"][:24], "12.6")
