"""A whole report from small made-up runs, through the real readers, scorers and writers."""

import base64
import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from support.made_up_run import DIGEST, make_run
from support.report_page import Page

from rsis.config.sources import FolderSource
from rsis.files.atomic import atomic_folder
from rsis.report.page import RunInputs
from rsis.report.run import write_report
from rsis.report.tables.experiments import Experiment
from rsis.report.tables.published import load_published
from rsis.report.tables.quantities import MINUS

TOGETHER = 7  # figures that show all runs
PICTURES = TOGETHER + 4 + 2 + 3 * 6  # and those of one run: learning curves, counts, gallery


@pytest.fixture(scope="module")
def folder(inputs: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("reports")
    with contextlib.chdir(reports):  # in a repository, the commit could change between two reports that are compared
        write_report("first", [inputs], reports)
    return reports


def test_html_stands_alone(folder: Path) -> None:
    text = (folder / "first.html").read_text(encoding="utf-8")
    page = Page(text)
    assert ("html", "lang", "en") in page.attributes
    assert ("meta", "name", "viewport") in page.attributes
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in text
    assert "url(" not in text
    for tag, key, value in page.attributes:
        if key == "href" and value.startswith("#"):
            assert ("section", "id", value[1:]) in page.attributes
        elif key in ("src", "href", "srcset", "action", "data", "poster"):
            assert value.startswith("data:image/"), (tag, key, value[:60])
    assert len(page.images) == PICTURES
    for image in page.images:
        assert image["alt"]
        header, data = str(image["src"]).split(",")
        picture = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
        picture.load()
        assert picture.format is not None
        assert header == f"data:image/{picture.format.lower()};base64"
        assert (str(picture.width), str(picture.height)) == (image["width"], image["height"])
    assert len(text) < 1_500_000


def test_numbers_are_the_metrics(inputs: RunInputs, folder: Path) -> None:
    metrics = json.loads(inputs.metrics_path.read_text())
    assert 0.5 < metrics["cvppp/sbd"] < 0.95  # the made-up run is neither perfect nor void
    cells = Page((folder / "first.html").read_text(encoding="utf-8")).cells
    ours = [row for row in cells if row[0] == "RSIS, run mine"]
    sbd, abs_dic = ours[0][1:3]
    assert sbd == f"{100 * metrics['cvppp/sbd']:.1f} ± {100 * metrics['cvppp/sbd_std']:.1f}"
    assert abs_dic == f"{metrics['cvppp/abs_dic']:.1f} ± {metrics['cvppp/abs_dic_std']:.1f}"
    header = next(row for row in cells if "AP75" in row)
    assert ours[1][header.index("AP50")] == f"{100 * metrics['coco/AP50']:.1f}"
    table = pd.read_csv(folder / "first.csv")
    row = table[table["ours"] & (table["metric"] == "cvppp/sbd")].iloc[0]
    assert row["value"] == pytest.approx(100 * metrics["cvppp/sbd"], abs=1e-4)
    assert row["spread"] == pytest.approx(100 * metrics["cvppp/sbd_std"], abs=1e-4)
    assert row[["reference_method", "reference", "difference"]].isna().all()  # the paper's images are others
    markdown = (folder / "first.md").read_text(encoding="utf-8")
    assert f"| SBD | {100 * metrics['cvppp/sbd']:.1f} % |" in markdown
    assert f"| AP (COCO) | {100 * metrics['coco/AP']:.1f} % |" in markdown


def test_the_difference_to_the_paper_stands_in_every_form(inputs: RunInputs, folder: Path, tmp_path: Path) -> None:
    """For the same scores under the name of the paper's own data; for generated data there is no difference."""
    data = inputs.dataset_config.model_copy(update={"source": FolderSource(kind="folder", path="x")})
    run = inputs.run_config.model_copy(update={"dataset": "cvppp"})
    paths = write_report("same", [replace(inputs, dataset_config=data, run_config=run)], tmp_path)
    row: Any = next(row for row in pd.read_csv(paths.csv).itertuples() if row.ours and row.metric == "cvppp/sbd")
    assert (row.reference_method, row.reference) == ("RSIS (v1)", 70.6)
    assert row.difference == pytest.approx(row.value - 70.6, abs=2e-4)
    name, shown = f"ours {MINUS} RSIS (v1)", f"{row.value - 70.6:+.1f}".replace("-", MINUS)
    cells = Page(paths.html.read_text(encoding="utf-8")).cells
    assert next(cell for cell in cells if cell[0] == name)[1] == shown
    assert f"| {name} | {shown} |" in paths.markdown.read_text(encoding="utf-8")
    for suffix in ("html", "md"):
        assert name not in (folder / f"first.{suffix}").read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", ["md", "html"])
def test_a_report_begins_with_pictures_and_words(folder: Path, suffix: str) -> None:
    """The twelve images have two objects each; on every third, one of them is not predicted."""
    text = (folder / f"first.{suffix}").read_text(encoding="utf-8")
    words = (
        "It finds 83 % of the 24 objects (leaf) at IoU 0.5. Of its 20 masks, 100 % are right. It counts them wrong by "
        "0.33 an image on average, exactly right in 8 of 12 images."
    )
    picture = text.index("data:image/" if suffix == "html" else "-gallery-01-input.jpg")
    table = text.index("<table" if suffix == "html" else "| score | value |")
    assert picture < text.index("Worst: " if suffix == "html" else "| worst: ") < text.index(words) < table
    assert text.count(words) == 1


def test_without_published_results_none_are_promised(inputs: RunInputs, folder: Path, tmp_path: Path) -> None:
    paths = write_report("own", [inputs], tmp_path, load_published().model_copy(update={"tables": {}}))
    for suffix, path in (("md", paths.markdown), ("html", paths.html)):
        assert "beside the published results" in (folder / f"first.{suffix}").read_text(encoding="utf-8")
        assert "beside the published results" not in path.read_text(encoding="utf-8")
    assert pd.read_csv(paths.csv)["ours"].all()


@pytest.mark.parametrize("suffix", ["md", "html", "csv"])
def test_what_every_form_says(folder: Path, suffix: str) -> None:
    text = (folder / f"first.{suffix}").read_text(encoding="utf-8")
    assert "generated tiny, not CVPPP LSC A1: shown for form, not comparable" in text
    assert "Salvador et al. 2017, arXiv:1712.00617v1" in text
    if suffix != "csv":
        assert "Of 12 images: the 2 best, the 2 median and the 2 worst by SBD (symmetric best Dice)." in text
        assert DIGEST in text
        assert "rsis train mine" in text
        assert "rsis report mine --name first" in text
        assert "hidden_widths: [8, 8]" in text
        assert "3 epochs in 75 s on cpu, 2 threads" in text
        assert "objectness term starts in epoch 0" in text
        assert "c0ffee" in text


def test_markdown_links_the_pictures_there_are(folder: Path) -> None:
    text = (folder / "first.md").read_text(encoding="utf-8")
    linked = {part.split(")")[0] for part in text.split("](")[1:]}
    assert linked == {f"first/{path.name}" for path in (folder / "first").glob("*.*g")}
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:  # every row has as many cells as its header
        assert len({line.replace("\\|", "").count("|") for line in table.strip().splitlines()}) == 1


@pytest.mark.slow
def test_equal_inputs_give_equal_bytes_and_no_old_picture_stays(
    inputs: RunInputs, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with atomic_folder(tmp_path / "first") as temporary:
        (temporary / "old.png").write_bytes(b"")
    write_report("first", [inputs], tmp_path)
    one, two = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (folder, tmp_path)
    )
    assert len(one) == 3 + PICTURES + 1  # the last is the file that marks the folder of pictures
    assert one == two
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "first.csv", "first.html", "first.md"]


@pytest.mark.slow
def test_two_runs_in_one_report(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, "one"), make_run(tmp_path, "two", shift=3)]
    paths = write_report("both", runs, tmp_path / "reports")
    table = pd.read_csv(paths.csv)
    ours = table[table["ours"] & (table["metric"] == "cvppp/sbd")]
    assert ours["method"].tolist() == ["RSIS, run one", "RSIS, run two"]
    assert ours["value"].is_monotonic_decreasing
    page = Page(paths.html.read_text(encoding="utf-8"))
    assert len(page.images) == TOGETHER + 2 * (PICTURES - TOGETHER)  # both runs stand in one figure of each kind
    assert {value for tag, key, value in page.attributes if (tag, key) == ("a", "href")} >= {"#comparison", "#run-2"}


@pytest.mark.slow
def test_the_three_benchmarks_in_one_report(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, dataset, dataset=dataset) for dataset in ("tiny", "scenes", "streets")]
    paths = write_report("three", runs, tmp_path / "reports")
    table = pd.read_csv(paths.csv)
    ours = table[table["ours"]]
    found: dict[Any, Any] = {(row.benchmark, row.metric): row for row in ours.itertuples()}
    for benchmark, metric, dataset in (
        ("CVPPP LSC A1", "cvppp/sbd", "tiny"),
        ("Pascal VOC 2012", "voc/APr50", "scenes"),
        ("Pascal VOC 2012", "voc/AR10_iou50", "scenes"),
        ("Cityscapes", "cityscapes/AP50", "streets"),
    ):
        row = found[benchmark, metric]
        metrics = json.loads((tmp_path / "metrics" / f"{dataset}.json").read_text())
        assert row.value == pytest.approx(100 * metrics[metric], abs=1e-4)
        assert f"generated {dataset}, not {benchmark}: shown for form, not comparable" in row.protocol
        assert pd.isna(row.difference)
    # columns of a single class come from the table by class
    for metric, dataset in (("voc/person_APr50", "scenes"), ("cityscapes/car_AP50", "streets")):
        scorer, _, rest = metric.partition("/")
        name, _, figure = rest.partition("_")
        classes = pd.read_csv(tmp_path / "scores" / dataset / "per_class.csv").set_index("class_name")
        (row,) = [row for (_, key), row in found.items() if key == metric]
        assert row.value == pytest.approx(100 * classes[f"{scorer}/{figure}"][name], abs=1e-4)
    text = paths.html.read_text(encoding="utf-8")
    assert text.count("<table") == 5  # CVPPP, COCO, two of VOC, Cityscapes
    assert "backbone resnet18 (paper: resnet101)" in text
    names = {path.name for path in paths.figures.iterdir()}
    assert {"class-voc-APr50-scenes.png", "overlap-cityscapes-streets.png", "number-tiny.png"} <= names


EXPERIMENTS = [
    Experiment("HEAD", {"metrics/a.json:cvppp/sbd": 0.5}, {"lr": 0.1, "same": 1}),
    Experiment("<faster>", {"metrics/a.json:cvppp/sbd": 0.6}, {"lr": 0.2, "same": 1}),
]


def test_experiments_beside_runs_and_alone(inputs: RunInputs, tmp_path: Path) -> None:
    for name, runs in (("with", [inputs]), ("alone", [])):
        paths = write_report(name, runs, tmp_path, experiments=EXPERIMENTS)
        cells = Page(paths.html.read_text(encoding="utf-8")).cells
        assert ["", "HEAD", "<faster>"] in cells
        assert ["SBD, %", "50.0", "60.0 (+10.0)"] in cells
        assert ["lr", "0.1", "0.2"] in cells
        assert not any(row[0] == "same" for row in cells)
        assert "| SBD, % | 50.0 | 60.0 (+10.0) |" in paths.markdown.read_text(encoding="utf-8")
        table = pd.read_csv(paths.csv)
        row = table[table["method"] == "<faster>"].iloc[0]
        assert (row["value"], row["reference"], row["difference"]) == (60, 50, 10)


def test_text_from_files_is_escaped(inputs: RunInputs, tmp_path: Path) -> None:
    history = tmp_path / "history"
    history.mkdir()
    (history / "run.json").write_text(json.dumps({"device": "<script>alert(1)</script>"}))
    paths = write_report("first", [replace(inputs, history_folder=history)], tmp_path / "reports")
    text = paths.html.read_text(encoding="utf-8")
    assert "script" not in Page(text).tags
    assert "&lt;script&gt;" in text
    assert "No learning curve was recorded" in text
