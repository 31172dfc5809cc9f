"""What all scorers have in common: each measures one image after the other, then combines the measurements of all.

The stage `score` goes over the images once (`rsis.eval.one_pass`): for each it calls `measure` of every scorer, in a
worker process if there are many images, and at the end `combine` of every scorer in its own process.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from rsis.config.runs import ScoreSection
from rsis.eval.scores import ScorerResult
from rsis.eval.truths.base import GroundTruth
from rsis.prediction_file import ImagePrediction

Measurement = TypeVar("Measurement")


class Scorer(ABC, Generic[Measurement]):
    """A scorer of a prediction file; it is sent once to each worker process.

    Attributes:
        handles_ignored: Whether it has rules of its own for pixels that the annotation ignores, and gets the masks as
             they were predicted, whatever `remove_ignored` of the run's section says.
        fewest: Number of images whose measurement takes as long as the start of a process.

    Args:
        truth: The ground truth of all images. For the image that is measured, its answers cost nothing a second time.
        class_names: Names of the classes of the predictions, perhaps in another order than those of `truth`.
        rules: The run's section `score`.
    """

    handles_ignored: ClassVar[bool] = False
    fewest: ClassVar[int] = 32

    def __init__(self, truth: GroundTruth, class_names: Sequence[str], rules: ScoreSection) -> None:
        self.truth, self.class_names, self.rules = truth, tuple(class_names), rules

    @abstractmethod
    def measure(self, image: ImagePrediction) -> Measurement:
        """Return all that the result needs of one image; picklable, and small: the measurements of all are kept.

        Args:
            image: The predictions of an image of `truth`, in the same size.

        Raises:
            UserError: An annotation cannot be read.
        """

    @abstractmethod
    def combine(self, image_ids: Sequence[str], measured: Sequence[Measurement]) -> ScorerResult:
        """Return the result for all images.

        Args:
            image_ids: Names of the images that were measured, at least one.
            measured: Their measurements, in the same order.
        """
