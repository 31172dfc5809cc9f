"""The truth of Pascal VOC 2012 and the Semantic Boundaries Dataset."""

from pathlib import Path

from rsis.dataset_config import VocDataset, VocSplit
from rsis.eval.ground_truth import GroundTruth


class VocTruth(GroundTruth):
    """TODO."""

    def __init__(self, root: Path, dataset: VocDataset, split: VocSplit) -> None:
        raise NotImplementedError
