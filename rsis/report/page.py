"""The part of a report about one run; it is made from the run's files, which must belong together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsis.config.datasets import AnyDataset
from rsis.config.runs import RunSection
from rsis.data.readers.open import rules_of
from rsis.data.readers.rules import PictureRules
from rsis.errors import UserError
from rsis.eval.scores import read_scores
from rsis.eval.truths.open import load_ground_truth
from rsis.files.atomic import read_json
from rsis.prediction_file import PredictionFile, read_predictions
from rsis.report.figures.counts import count_figure, score_figure
from rsis.report.figures.curves import learning_curves, read_curves, term_start
from rsis.report.figures.gallery import GalleryItem, PictureOnDisk, choose, gallery_item
from rsis.report.figures.panel import ReportImage
from rsis.report.provenance import Provenance, provenance, trained_on, training
from rsis.report.tables.networks import NetworkRow, network_row
from rsis.report.tables.protocol import ScoredRun
from rsis.report.tables.quantities import HEADLINES, format_headline, label_of, unit_of
from rsis.report.words import image_scores, in_words


@dataclass(frozen=True)
class RunInputs:
    """The files of a run, and its configuration.

    Attributes:
        run: Name of the run.
        metrics_path: `metrics/<run>.json`.
        scores_folder: `scores/<run>`.
        history_folder: `history/<run>`, with run.json and plots/metrics.
        predictions_path: The prediction file that was scored.
        dataset_config: The section of params.yaml of its data set.
        raw_root: The data set's raw tree, for images and ground truth of the gallery.
        run_config: The section of params.yaml of the run.
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
class Headline:
    """One metric of a run: its label, its value with unit, its spread over images ("" if unknown)."""

    label: str
    value: str
    spread: str


@dataclass(frozen=True)
class RunPage:
    """Everything that the templates print about one run.

    Attributes:
        run: Name of the run.
        dataset: Name of its data set.
        words: Its main results in sentences.
        headlines: Its main metrics.
        summary: One or two sentences on data, training and size of the model.
        curves: Its learning curves.
        grows: Whether the number of decoder steps grows during the training.
        objectness_from: First epoch with the objectness term, counted from 0; None without one.
        counts: Figures of the numbers of objects and, with scorer cvppp, of the images' SBD.
        gallery: Images with truth and prediction, see `choose`.
        num_images: Number of images that could be in the gallery.
        ordered_by: Name of the score by which the images of the gallery are ordered.
        made: How the run was made.
    """

    run: str
    dataset: str
    words: str
    headlines: tuple[Headline, ...]
    summary: str
    network: NetworkRow
    curves: tuple[ReportImage, ...]
    grows: bool
    objectness_from: int | None
    counts: tuple[ReportImage, ...]
    gallery: tuple[GalleryItem, ...]
    num_images: int
    ordered_by: str
    made: Provenance

    @property
    def pictures(self) -> tuple[ReportImage, ...]:
        """All pictures of the page."""
        panels = [picture for item in self.gallery for picture in (item.input, item.truth, item.prediction)]
        return (*self.curves, *self.counts, *panels)


def load_run(item: RunInputs) -> tuple[ScoredRun, PredictionFile]:
    """Read a run's scores and predictions.

    Raises:
        UserError: A file is missing or malformed, or the files differ in checkpoint, split or data set.
    """
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


def run_page(
    command: str, item: RunInputs, run: ScoredRun, predictions: PredictionFile, num_images: int = 6
) -> RunPage:
    """Make all pictures and texts about one run.

    Args:
        command: The command that writes the report.
        item: The run's files.
        run: The run's scores, from `load_run`.
        predictions: The run's predictions, from `load_run`.
        num_images: Most images that the gallery shows.

    Raises:
        UserError: The history, or an image or the ground truth of one in the gallery, cannot be read.
    """
    history = read_json(item.history_folder / "run.json", dict[str, Any], f"run rsis train {item.run} again")
    curves = read_curves(item.history_folder)
    per_image = run.scores.per_image
    counts = [count_figure(item.run, per_image["objects"].tolist(), per_image["predicted"].tolist())]
    if "cvppp/sbd" in per_image:
        counts.append(score_figure(item.run, per_image["cvppp/sbd"].tolist()))
    truth = load_ground_truth(item.dataset_config, item.raw_root, predictions.split)
    images = {image.image_id: image for image in predictions.images}
    # of the prepared pictures, with what was measured on them; histories of earlier versions do not have it
    rules = PictureRules.from_reading(history["reading"]) if history.get("reading") else rules_of(item.dataset_config)
    ordered_by, image_score = image_scores(run.scores)
    image_score = {i: score for i, score in image_score.items() if i in images}
    places = choose(image_score, num_images)
    gallery = [
        gallery_item(
            f"{item.run}-gallery-{number:02d}",
            place,
            PictureOnDisk(truth.image_path(i), truth.page(i), rules),
            truth.instance_map(i),
            images[i],
        )
        for number, (place, i) in enumerate(((place, place.image_id) for place in places), start=1)
    ]
    return RunPage(
        run=item.run,
        dataset=item.run_config.dataset,
        words=in_words(run.scores),
        headlines=_headlines(run),
        summary=_summary(run, history),
        network=network_row(run, history, trained_on(history)),
        curves=tuple(learning_curves(item.run, curves)),
        grows=item.run_config.train.curriculum is not None,
        objectness_from=term_start(curves, "stop"),
        counts=tuple(counts),
        gallery=tuple(gallery),
        num_images=len(image_score),
        ordered_by=ordered_by,
        made=provenance(command, run, history, predictions),
    )


def _headlines(run: ScoredRun) -> tuple[Headline, ...]:
    """Return the metrics of `HEADLINES` that the run has."""
    metrics = run.scores.metrics
    headlines = []
    for key in (key for key in HEADLINES if key in metrics):
        unit = unit_of(key)
        value = f"{format_headline(metrics[key], unit)}{'' if unit == 'count' else ' %'}"
        spread = metrics.get(f"{key}_std")
        over = "" if spread is None else f"± {format_headline(spread, unit)}"
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
