"""A whole report from small made-up runs, through the real readers, scorers and writers."""

import base64
import io
import json
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from rsis.config import (
    CvpppDataset,
    CvpppSplit,
    ModelSection,
    OptimizerSection,
    PredictSection,
    RunSection,
    ScoreSection,
    SyntheticSource,
    TrainSection,
)
from rsis.errors import UserError
from rsis.eval.prediction_file import ImagePrediction, InstancePrediction, PredictionFile, write_predictions
from rsis.eval.run import score_run
from rsis.eval.scores import write_scores
from rsis.masks import encode_rle, map_to_masks
from rsis.report.provenance import commit, duration, training
from rsis.report.write import RunInputs, write_report

DATA = CvpppDataset(
    format="cvppp",
    source=SyntheticSource(kind="synthetic", seed=1, image_size=(32, 32), training=1, testing=12, leaves=(2, 3)),
    size=(32, 32),
    splits={"test": CvpppSplit(folder="testing/A1")},
)
RUN = RunSection(
    dataset="tiny",
    model=ModelSection(backbone="resnet18", hidden_widths=(8, 8)),
    train=TrainSection(epochs=3, batch_size=2, num_steps=4, optimizer=OptimizerSection(lr=1e-3, lr_encoder=1e-6)),
    predict=PredictSection(num_steps=4),
    score=ScoreSection(scorers=("cvppp", "coco")),
)
DIGEST = "ab" * 32


def draw_plants(folder: Path) -> dict[str, np.ndarray]:
    """Twelve plants of two round leaves, in the CVPPP layout; returns their instance maps."""
    folder.mkdir(parents=True)
    maps = {}
    for number in range(1, 13):
        label = Image.new("P", (32, 32))
        label.putpalette([0, 0, 0, 250, 0, 0, 0, 250, 0])
        draw = ImageDraw.Draw(label)
        draw.ellipse((2, 2, 12 + number % 3, 14), fill=1)
        draw.ellipse((16, 14, 29, 28 - number % 4), fill=2)
        name = f"plant{number:03d}"
        maps[name] = np.asarray(label).astype(np.int32)
        label.save(folder / f"{name}_label.png")
        label.point(lambda v: v > 0).save(folder / f"{name}_fg.png")
        green = np.where(maps[name] > 0, 180, 40).astype(np.uint8)
        rgb = np.stack([green // 2, green, green // 3, np.full_like(green, 255)], axis=2)
        Image.fromarray(rgb).save(folder / f"{name}_rgb.png")
    return maps


def make_run(root: Path, name: str = "mine", shift: int = 1) -> RunInputs:
    raw = root / "raw"
    maps = draw_plants(raw / "testing" / "A1") if not raw.exists() else {}
    if not maps:
        files = sorted((raw / "testing" / "A1").glob("*_label.png"))
        maps = {path.name.removesuffix("_label.png"): np.asarray(Image.open(path)).astype(np.int32) for path in files}
    images = []
    for number, (image_id, labels) in enumerate(maps.items()):
        masks = np.roll(map_to_masks(labels), shift, axis=2)[: 1 + (number % 3 > 0)]  # every third misses a leaf
        found = (InstancePrediction(encode_rle(mask), 1, 1.0, 0.8, step) for step, mask in enumerate(masks))
        images.append(ImagePrediction(image_id, (32, 32), tuple(found)))
    file = PredictionFile("tiny", name, "test", DIGEST, ("leaf",), {"mask_threshold": 0.5}, tuple(images))
    write_predictions(root / "predictions" / f"{name}.json", file)
    scores = score_run(root / "predictions" / f"{name}.json", DATA, raw, RUN.score)
    write_scores(scores, root / "metrics" / f"{name}.json", root / "scores" / name)
    history = root / "history" / name
    for curve in ("train/total", "val/total", "train/mask", "val/mask", "train/stop", "schedule/num_steps"):
        path = history / "plots" / "metrics" / f"{curve}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"step": [0, 1, 2], path.stem: [3.0, 2.0, 1.0]}).to_csv(path, sep="\t", index=False)
    facts = {"epochs": 3, "seconds": 75.4, "parameters": 1234567, "device": "cpu", "threads": 2, "commit": "c0ffee"}
    (history / "run.json").write_text(json.dumps(facts))
    predictions, metrics = root / "predictions" / f"{name}.json", root / "metrics" / f"{name}.json"
    return RunInputs(name, metrics, root / "scores" / name, history, predictions, DATA, raw, RUN)


class Page(HTMLParser):
    """Checks that tags nest, and collects text, pictures and addresses."""

    VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.images: list[dict[str, str | None]] = []
        self.cells: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1][-1] += data


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> RunInputs:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def folder(inputs: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("reports")
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
        if key in ("src", "href", "srcset", "action", "data", "poster"):
            assert value.startswith("data:image/"), (tag, key, value[:60])
    assert len(page.images) == 4 + 2 + 3 * 10
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
    header = next(row for row in cells if "AP (COCO)" in row)
    assert ours[1][header.index("AP50 (COCO)")] == f"{100 * metrics['coco/AP50']:.1f}"
    table = pd.read_csv(folder / "first.csv")
    row = table[table["ours"] & (table["scorer"] == "cvppp")].iloc[0]
    assert row["cvppp/sbd (x100)"] == pytest.approx(100 * metrics["cvppp/sbd"], abs=1e-4)
    markdown = (folder / "first.md").read_text(encoding="utf-8")
    assert f"| SBD | {100 * metrics['cvppp/sbd']:.1f} % |" in markdown
    assert f"| AP (COCO) | {100 * metrics['coco/AP']:.1f} % |" in markdown


@pytest.mark.parametrize("suffix", ["md", "html", "csv"])
def test_what_every_form_says(folder: Path, suffix: str) -> None:
    text = (folder / f"first.{suffix}").read_text(encoding="utf-8")
    assert "generated tiny, not CVPPP LSC A1: shown for form, not comparable" in text
    assert "Salvador et al. 2017, arXiv:1712.00617v1" in text
    if suffix != "csv":
        assert "evenly spaced over the sorted image ids" in text
        assert DIGEST in text
        assert "rsis train mine" in text
        assert "hidden_widths: [8, 8]" in text
        assert "3 epochs in 75 s on cpu, 2 threads" in text
        assert "objectness term starts in epoch 0" in text
        assert "c0ffee" in text


def test_markdown_links_the_pictures_there_are(folder: Path) -> None:
    text = (folder / "first.md").read_text(encoding="utf-8")
    linked = {part.split(")")[0] for part in text.split("](")[1:]}
    assert linked == {f"first/{path.name}" for path in (folder / "first").iterdir()}
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:  # every row has as many cells as its header
        assert len({line.replace("\\|", "").count("|") for line in table.strip().splitlines()}) == 1


def test_equal_inputs_give_equal_bytes(inputs: RunInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the commit of a repository worked on could change between the two
    for name in ("one", "two"):
        write_report("first", [inputs], tmp_path / name)
    one, two = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    )
    assert len(one) == 3 + 36
    assert one == two


def test_a_new_report_leaves_no_old_picture(inputs: RunInputs, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "old.png").write_bytes(b"")
    paths = write_report("first", [inputs], tmp_path)
    assert not (paths.figures / "old.png").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "first.csv", "first.html", "first.md"]


def test_two_runs_in_one_report(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, "one"), make_run(tmp_path, "two", shift=3)]
    paths = write_report("both", runs, tmp_path / "reports")
    table = pd.read_csv(paths.csv)
    ours = table[table["ours"] & (table["scorer"] == "cvppp")]
    assert ours["method"].tolist() == ["RSIS, run one", "RSIS, run two"]
    assert ours["cvppp/sbd (x100)"].is_monotonic_decreasing
    assert len(Page(paths.html.read_text(encoding="utf-8")).images) == 2 * 36


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
    missing = tmp_path / "none"
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


def test_text_from_files_is_escaped(inputs: RunInputs, tmp_path: Path) -> None:
    history = tmp_path / "history"
    history.mkdir()
    (history / "run.json").write_text(json.dumps({"device": "<script>alert(1)</script>"}))
    paths = write_report("first", [replace(inputs, history_folder=history)], tmp_path / "reports")
    text = paths.html.read_text(encoding="utf-8")
    assert "script" not in Page(text).tags
    assert "&lt;script&gt;" in text
    assert "No learning curve was recorded" in text


def test_commit_says_whether_the_tree_is_clean(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    for name in ("code.py", "reports/first.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    git("add", ".")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD")
    assert commit(tmp_path) == head
    (tmp_path / "reports/first.md").write_text("2")  # what the report itself writes does not count
    assert commit(tmp_path) == head
    (tmp_path / "code.py").write_text("2")
    assert commit(tmp_path) == f"{head}, with uncommitted changes"


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.2, "3 s"), (119, "119 s"), (1453, "24 min"), (7100, "118 min"), (12000, "3 h 20 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_training_without_a_record() -> None:
    assert training({}) == "-"
    assert training({"device": "NVIDIA X", "threads": 4, "precision": "bf16"}) == "on NVIDIA X, bf16"
