"""Scores of a prediction file by one scorer, for tests of the scorers."""

from rsis.config.runs import ScoreSection
from rsis.eval.scorers.base import Scorer
from rsis.eval.scores import ScorerResult
from rsis.eval.truths.base import GroundTruth
from rsis.machine.pool import map_in_processes
from rsis.prediction_file import PredictionFile


def score_by(
    scorer: type[Scorer], predictions: PredictionFile, truth: GroundTruth, rules: ScoreSection, workers: int = 1
) -> ScorerResult:
    """Measure each image, then combine the measurements, with the masks as they were predicted."""
    made = scorer(truth, predictions.class_names, rules)
    measured = list(map_in_processes(made.measure, predictions.images, workers))
    return made.combine([image.image_id for image in predictions.images], measured)
