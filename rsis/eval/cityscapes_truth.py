"""The truth of Cityscapes."""

from pathlib import Path

from rsis.dataset_config import CityscapesSplit
from rsis.eval.ground_truth import GroundTruth


class CityscapesTruth(GroundTruth):
    """TODO."""

    def __init__(self, root: Path, split: CityscapesSplit) -> None:
        raise NotImplementedError
