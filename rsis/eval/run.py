"""The stage `score`: all metrics of a run from its prediction file and the raw annotations."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import pandas as pd

from rsis.config.datasets import AnyDataset
from rsis.config.runs import Scorer as ScorerName
from rsis.config.runs import ScoreSection
from rsis.errors import UserError
from rsis.eval.mistakes import tables_of
from rsis.eval.one_pass import ImageScores, MeasureImage, check_size, measure_all
from rsis.eval.scorers.base import Scorer
from rsis.eval.scorers.coco import CocoScorer
from rsis.eval.scorers.cvppp import CvpppScorer
from rsis.eval.scorers.voc import VocScorer
from rsis.eval.scores import CURVE_COLUMNS, ScorerResult, Scores
from rsis.eval.truths.base import GroundTruth, ReadOnce
from rsis.eval.truths.open import load_ground_truth
from rsis.files.digests import sha256_of
from rsis.files.manifest import Manifest
from rsis.machine.extras import require
from rsis.prediction_file import ImagePrediction, PredictionFile, read_predictions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """The expected run, data set, split and checkpoint of a prediction file.

    Attributes:
        run: Name of the run.
        dataset: Name of its data set.
        split: Name of the split; None accepts any.
        own: Whether `split` is the run's own split, for which `rsis predict` needs no option.
        model: The run's checkpoint; None, or a path where no file is, accepts predictions of any checkpoint.
    """

    run: str
    dataset: str
    split: str | None
    own: bool = True
    model: Path | None = None

    def check(self, path: Path, predictions: PredictionFile) -> None:
        """Raise UserError if the prediction file at `path` belongs to another run, data set, split or checkpoint."""
        pairs = [("run", predictions.run, self.run), ("data set", predictions.dataset, self.dataset)]
        if self.split is not None:
            pairs.append(("split", predictions.split, self.split))
        command = f"rsis predict {self.run}" + ("" if self.own else f" --split {self.split}")
        for what, found, expected in pairs:
            if found != expected:
                raise UserError(
                    f"{path}: has predictions of {what} {found!r}, expected {expected!r}; run `{command}`, or name a "
                    f"file of that {what} with --predictions"
                )
        if self.model is not None and self.model.is_file() and sha256_of(self.model) != predictions.checkpoint:
            raise UserError(
                f"{path}: has predictions of checkpoint {predictions.checkpoint[:12]!r}, which {self.model} is not; "
                f"run `{command}`"
            )


def score_run(
    predictions_path: Path,
    dataset: AnyDataset,
    root: Path,
    section: ScoreSection,
    manifest: Manifest | None = None,
    origin: Origin | None = None,
    workers: int | None = None,
) -> Scores:
    """Score a prediction file with the scorers that `section` names, in one pass over its images.

    With `dataset.skip_bad`, images may have no prediction, since the preparation may have left them out. Such images
    are not scored, and the protocol lists them.

    Args:
        predictions_path: The prediction file.
        dataset: The data set's section of params.yaml.
        root: Folder of the raw data.
        section: The scorers and their rules.
        manifest: Manifest of the raw data, to check files with (see `load_ground_truth`).
        origin: The expected run, data set, split and checkpoint of the predictions; None accepts any.
        workers: Number of processes that compare masks; None chooses it (see `map_in_processes`), 1 uses this process
            alone. The scores do not depend on it, nor on the order of the images.

    Raises:
        UserError: Predictions or annotations are missing or malformed, belong to another run, data set, split or
            checkpoint, or do not have the same images, sizes and classes, or a scorer's package is not installed.
    """
    if "cityscapes" in section.scorers:
        require("scorer cityscapes", "cityscapesscripts")
    predictions = read_predictions(predictions_path)
    if origin is not None:
        origin.check(predictions_path, predictions)
    truth = ReadOnce(load_ground_truth(dataset, root, predictions.split, manifest))
    left_out = check_images(predictions_path, predictions, truth, dataset.skip_bad)
    images = in_order(predictions.images, truth)
    scorers = {name: _scorer(name, truth, predictions.class_names, section) for name in section.scorers}
    work = MeasureImage(predictions_path, predictions.class_names, truth, list(scorers.values()), section)
    measured = measure_all(work, images, workers)
    image_ids = [image.image_id for image in images]
    results: dict[str, ScorerResult] = {
        name: scorer.combine(image_ids, [image.by_scorer[n] for image in measured])
        for n, (name, scorer) in enumerate(scorers.items())
    }
    per_image, per_class = _count_objects(image_ids, measured, truth)
    metrics: dict[str, float] = {}
    for result in results.values():
        metrics |= result.metrics
        per_image = per_image.merge(result.per_image, on="image_id", validate="one_to_one")
        per_class = per_class.merge(result.per_class, on="class_name", validate="one_to_one")
    versions = {name: result.version for name, result in results.items()}
    objects, masks, steps = tables_of([image.rows for image in measured])
    protocol = _protocol(predictions, left_out, int(per_image["objects"].sum()), versions, section)
    return Scores(metrics, per_image, per_class, objects, _join_curves(results), protocol, masks, steps)


def in_order(images: Iterable[ImagePrediction], truth: GroundTruth) -> list[ImagePrediction]:
    """Return predicted images in the order of the ground truth, so that no score depends on their order in a file."""
    position = {image_id: number for number, image_id in enumerate(truth.image_ids)}
    return sorted(images, key=lambda image: position[image.image_id])


def _scorer(name: ScorerName, truth: GroundTruth, class_names: Sequence[str], rules: ScoreSection) -> Scorer[Any]:
    match name:
        case "cvppp":
            return CvpppScorer(truth, class_names, rules)
        case "coco":
            return CocoScorer(truth, class_names, rules)
        case "voc":
            return VocScorer(truth, class_names, rules)
        case "cityscapes":
            from rsis.eval.scorers.cityscapes import CityscapesScorer  # its package is optional

            return CityscapesScorer(truth, class_names, rules)
        case _:
            assert_never(name)


def _protocol(
    predictions: PredictionFile, left_out: list[str], objects: int, versions: dict[str, str], rules: ScoreSection
) -> dict[str, Any]:
    """Return what the figures are of and by which rules they came about."""
    return {
        "dataset": predictions.dataset,
        "split": predictions.split,
        "run": predictions.run,
        "checkpoint": predictions.checkpoint,
        "images": len(predictions.images),
        "left_out": left_out,
        "objects": objects,
        "scorers": versions,
        "rules": rules.model_dump(mode="json", exclude={"scorers"}),
        "predict": predictions.parameters,
    }


def _join_curves(results: dict[str, ScorerResult]) -> pd.DataFrame:
    curves = [result.curve.assign(scorer=name) for name, result in results.items() if result.curve is not None]
    return pd.concat([pd.DataFrame(columns=list(CURVE_COLUMNS), dtype=object), *curves], ignore_index=True)


def check_images(path: Path, predictions: PredictionFile, truth: GroundTruth, skip_bad: bool) -> list[str]:
    """Check that a prediction file and the ground truth have the same images and classes.

    Args:
        path: The prediction file, for the error message.
        predictions: Its content.
        truth: Ground truth of the same split.
        skip_bad: Whether images may have no prediction.

    Returns:
        The ids of the images without a prediction.

    Raises:
        UserError: The images or the classes differ, or there is no prediction at all.
    """
    predicted = dict.fromkeys(image.image_id for image in predictions.images)  # keeps their order
    annotated = set(truth.image_ids)
    unknown = [image_id for image_id in predicted if image_id not in annotated]
    missing = [image_id for image_id in truth.image_ids if image_id not in predicted]
    if not predicted or unknown or (missing and not skip_bad):
        odd = f"{unknown[0]!r} is not in the ground truth" if unknown else f"{missing[0]!r} has no prediction"
        raise UserError(
            f"{path}: predictions are of other images than the ground truth ({odd}); run `rsis predict RUN` again"
            + (", or set skip_bad of the data set if its preparation left that image out" if not unknown else "")
        )
    if missing:
        logger.warning("%d images have no prediction and are left out, the first is %s", len(missing), missing[0])
    if sorted(predictions.class_names) != sorted(truth.class_names):
        raise UserError(
            f"{path}: has classes {list(predictions.class_names)}, the ground truth {list(truth.class_names)}; "
            "prepare, train and predict again with the classes of the annotation"
        )
    return missing


def check_sizes(path: Path, predictions: PredictionFile, truth: GroundTruth) -> None:
    """Raise UserError if an image of the prediction file `path` does not have the size of its annotation."""
    for image in predictions.images:
        check_size(path, image, truth)


def _count_objects(
    image_ids: Sequence[str], measured: Sequence[ImageScores], truth: GroundTruth
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return tables of the number of true objects per image and per class, without crowd regions."""
    per_image = pd.DataFrame(
        {"image_id": image_id, "objects": len(image.class_ids), "predicted": image.predicted}
        for image_id, image in zip(image_ids, measured, strict=True)
    )
    in_class = Counter(class_id for image in measured for class_id in image.class_ids)
    counts = [in_class[class_id] for class_id in range(1, len(truth.class_names) + 1)]
    return per_image, pd.DataFrame({"class_name": list(truth.class_names), "objects": counts})
