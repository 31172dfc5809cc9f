"""Writes a report: Markdown with its pictures, one self-contained HTML page, and the table as CSV.

Equal inputs give equal bytes: nothing of the moment of writing is in them.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsis.config import RunSection
from rsis.dataset_config import AnyDataset
from rsis.errors import UserError
from rsis.eval.prediction_file import PredictionFile, read_predictions
from rsis.eval.scores import read_scores
from rsis.eval.truths import load_ground_truth
from rsis.files import atomic_folder, atomic_path, read_json
from rsis.report.comparison import ScoredRun, compare, format_value, label_of, to_frame, unit_of
from rsis.report.figures import Picture, count_figure, learning_curves, read_curves, score_figure, term_start
from rsis.report.gallery import GalleryItem, choose, gallery_item
from rsis.report.provenance import Provenance, provenance, training
from rsis.report.published import Published, load_published
from rsis.report.render import render

HEADLINES = (
    *("cvppp/sbd", "cvppp/abs_dic", "cvppp/dic", "cvppp/fg_bg_dice"),
    *("coco/AP", "coco/AP50", "coco/AP75", "coco/AR100"),
)


@dataclass(frozen=True)
class RunInputs:
    """Where everything about a run lies, and what was asked of it.

    Attributes:
        metrics_path: `metrics/<run>.json`.
        scores_folder: `scores/<run>`.
        history_folder: `history/<run>`, with run.json and plots/metrics.
        predictions_path: The prediction file that was scored.
        raw_root: The data set's raw tree, for images and truth of the gallery.
    """

    run: str
    metrics_path: Path
    scores_folder: Path
    history_folder: Path
    predictions_path: Path
    dataset_config: AnyDataset
    raw_root: Path
    run_config: RunSection


@dataclass(frozen=True)
class ReportPaths:
    """What a report consists of; the Markdown links the pictures in `figures`."""

    markdown: Path
    html: Path
    csv: Path
    figures: Path


@dataclass(frozen=True)
class Headline:
    """One figure of a run: its label, its value with unit, its spread over images or ""."""

    label: str
    value: str
    spread: str


@dataclass(frozen=True)
class RunPage:
    """All that the templates print of one run."""

    run: str
    dataset: str
    headlines: tuple[Headline, ...]
    summary: str
    curves: tuple[Picture, ...]
    grows: bool
    objectness_from: int | None
    counts: tuple[Picture, ...]
    gallery: tuple[GalleryItem, ...]
    made: Provenance

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every picture of the page."""
        panels = [picture for item in self.gallery for picture in (item.input, item.truth, item.prediction)]
        return (*self.curves, *self.counts, *panels)


def write_report(name: str, inputs: list[RunInputs], folder: Path, published: Published | None = None) -> ReportPaths:
    """Write `<folder>/<name>.md`, `.html` and `.csv`, and `<folder>/<name>/` with the Markdown's pictures.

    Everything is rendered before the first file is written.

    Args:
        name: Name of the report.
        inputs: At least one run, in the order they are to appear.
        folder: Where the report goes.
        published: The literature's numbers; by default those of the package.

    Raises:
        UserError: An input is missing or wrong, inputs of a run do not belong together, or a file cannot
            be written.
    """
    if not inputs:
        raise UserError(f"report {name}: no run to report; name at least one of params.yaml's runs")
    loaded = [_load(item) for item in inputs]
    command = _command(name, [item.run for item in inputs])
    pages = [_page(command, item, run, predictions) for item, (run, predictions) in zip(inputs, loaded, strict=True)]
    comparisons = compare([run for run, _ in loaded], published or load_published())
    context = {"name": name, "pages": pages, "comparisons": comparisons}
    texts = {suffix: render(f"report.{suffix}", context) for suffix in ("md", "html")}
    texts["csv"] = to_frame(comparisons).to_csv(index=False, lineterminator="\n")
    paths = ReportPaths(folder / f"{name}.md", folder / f"{name}.html", folder / f"{name}.csv", folder / name)
    with atomic_folder(paths.figures) as temporary:
        for picture in (picture for page in pages for picture in page.pictures):
            (temporary / picture.name).write_bytes(picture.data)
    for path in (paths.markdown, paths.html, paths.csv):
        with atomic_path(path) as temporary:
            temporary.write_text(texts[path.suffix[1:]], encoding="utf-8")
    return paths


def _load(item: RunInputs) -> tuple[ScoredRun, PredictionFile]:
    """Read a run's scores and predictions, which must be of one checkpoint, split and data set."""
    needs = (
        (item.metrics_path, f"score {item.run}"),
        (item.scores_folder, f"score {item.run}"),
        (item.history_folder / "run.json", f"train {item.run}"),
        (item.predictions_path, f"predict {item.run}"),
        (item.raw_root, f"download {item.run_config.dataset}"),
    )
    for path, stage in needs:
        if not path.exists():
            raise UserError(f"{path}: missing, and the report on {item.run} needs it; run rsis {stage}")
    scores = read_scores(item.metrics_path, item.scores_folder)
    predictions = read_predictions(item.predictions_path)
    for key in ("checkpoint", "dataset", "split"):
        scored, predicted = scores.protocol.get(key), getattr(predictions, key)
        if scored != predicted:
            raise UserError(
                f"{item.scores_folder / 'protocol.json'}: {key} is {scored!r}, but {item.predictions_path} has "
                f"{predicted!r}; run rsis score {item.run} again"
            )
    return ScoredRun(item.run, item.run_config, item.dataset_config, scores), predictions


def _page(command: str, item: RunInputs, run: ScoredRun, predictions: PredictionFile) -> RunPage:
    history = read_json(item.history_folder / "run.json", dict[str, Any], f"run rsis train {item.run} again")
    curves = read_curves(item.history_folder)
    per_image = run.scores.per_image
    counts = [count_figure(item.run, per_image["objects"].tolist(), per_image["predicted"].tolist())]
    if "cvppp/sbd" in per_image:
        counts.append(score_figure(item.run, per_image["cvppp/sbd"].tolist()))
    truth = load_ground_truth(item.dataset_config, item.raw_root, predictions.split)
    images = {image.image_id: image for image in predictions.images}
    gallery = [
        gallery_item(f"{item.run}-gallery-{number:02d}", truth.image_path(i), truth.instance_map(i), images[i])
        for number, i in enumerate(choose(list(images)), start=1)
    ]
    return RunPage(
        run=item.run,
        dataset=item.run_config.dataset,
        headlines=_headlines(run),
        summary=_summary(run, history),
        curves=tuple(learning_curves(item.run, curves)),
        grows=item.run_config.train.curriculum is not None,
        objectness_from=term_start(curves, "stop"),
        counts=tuple(counts),
        gallery=tuple(gallery),
        made=provenance(command, run, history, predictions),
    )


def _command(name: str, runs: list[str]) -> str:
    """The command of a report; its name is by default that of its first run."""
    return shlex.join(["rsis", "report", *runs, *([] if name == runs[0] else ["--name", name])])


def _headlines(run: ScoredRun) -> tuple[Headline, ...]:
    """Every figure but spreads and COCO's by object size, scorer by scorer, SBD and AP first."""
    metrics = run.scores.metrics
    known = [key for key in HEADLINES if key in metrics]
    others = [k for k in sorted(metrics) if k.partition("/")[0] not in ("cvppp", "coco") and not k.endswith("_std")]
    headlines = []
    for key in known + others:
        unit = unit_of(key)
        value = f"{metrics[key]:.2f}" if unit == "count" else f"{format_value(metrics[key], unit)} %"
        spread = metrics.get(f"{key}_std")
        over = "" if spread is None else f"± {spread:.2f}" if unit == "count" else f"± {format_value(spread, unit)}"
        headlines.append(Headline(label_of(key), value, over))
    return tuple(headlines)


def _summary(run: ScoredRun, history: dict[str, Any]) -> str:
    protocol, made = run.scores.protocol, training(history)
    images = "-" if run.num_images is None else run.num_images
    text = f"{images} {protocol.get('split')} images of {run.run_config.dataset}"
    if protocol.get("objects") is not None:
        text += f" with {protocol['objects']} objects"
    text += f". Trained for {made}." if made != "-" else ". How it was trained is not recorded."
    weights = history.get("parameters")
    return text + (f" {weights / 1e6:.1f} million parameters." if isinstance(weights, int) else "")
