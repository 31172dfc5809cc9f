"""One pass over the images of a prediction file, which measures all that the stage `score` computes.

Each annotation is read once. The measurements are in the order of the images, so the scores do not depend on the number
of processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsis.config.runs import ScoreSection
from rsis.errors import UserError
from rsis.eval.detections import without_ignored
from rsis.eval.mistakes import ImageRows, judge_image
from rsis.eval.scorers.base import Scorer
from rsis.eval.truths.base import GroundTruth
from rsis.machine.pool import map_in_processes
from rsis.prediction_file import ImagePrediction


@dataclass(frozen=True)
class ImageScores:
    """The measurements of one image.

    Attributes:
        class_ids: Class of each true object, without crowd regions.
        predicted: Number of predicted masks.
        rows: Rows of the tables of objects, masks and steps.
        by_scorer: The measurement of each scorer, in the order of the scorers.
    """

    class_ids: tuple[int, ...]
    predicted: int
    rows: ImageRows
    by_scorer: tuple[Any, ...]


class MeasureImage:
    """Function that measures one image; it is sent once to each worker process.

    Args:
        path: The prediction file, for error messages.
        class_names: Names of its classes.
        truth: The ground truth, which should keep its answers for an image (`ReadOnce`).
        scorers: The scorers.
        rules: The run's section `score`.
    """

    def __init__(
        self,
        path: Path,
        class_names: Sequence[str],
        truth: GroundTruth,
        scorers: Sequence[Scorer[Any]],
        rules: ScoreSection,
    ) -> None:
        self._path, self._class_names, self._truth = path, tuple(class_names), truth
        self._scorers, self._rules = tuple(scorers), rules

    def __call__(self, image: ImagePrediction) -> ImageScores:
        """Measure the image; raise UserError if its annotation is malformed or has another size."""
        check_size(self._path, image, self._truth)
        cleaned = without_ignored(image, self._truth) if self._rules.remove_ignored else image
        return ImageScores(
            class_ids=tuple(item.class_id for item in self._truth.annotations(image.image_id) if not item.iscrowd),
            predicted=len(cleaned.instances),
            rows=judge_image(cleaned, self._class_names, self._truth),
            by_scorer=tuple(scorer.measure(image if scorer.handles_ignored else cleaned) for scorer in self._scorers),
        )

    @property
    def fewest(self) -> int:
        """Number of images whose measurement takes as long as the start of a process."""
        return min((scorer.fewest for scorer in self._scorers), default=Scorer.fewest)


def measure_all(work: MeasureImage, images: Sequence[ImagePrediction], workers: int | None) -> list[ImageScores]:
    """Return the measurements of images, in their order; they do not depend on `workers` (see `map_in_processes`)."""
    return list(map_in_processes(work, images, workers, fewest=work.fewest))


def check_size(path: Path, image: ImagePrediction, truth: GroundTruth) -> None:
    """Raise UserError if an image of the prediction file `path` does not have the size of its annotation."""
    expected = truth.size(image.image_id)
    if image.size != expected:
        raise UserError(
            f"{path}: {image.image_id!r} is predicted at size {image.size}, its annotation is {expected}; run "
            "`rsis prepare DATASET`, then `rsis predict RUN` again"
        )
