"""Reader of Pascal VOC 2012 and the Semantic Boundaries Dataset."""

from pathlib import Path

from rsis.dataset_config import VocDataset, VocSplit
from rsis.structures import RawSample


class VocReader:
    """TODO."""

    class_names: tuple[str, ...] = ()
    image_ids: tuple[str, ...] = ()

    def __init__(self, root: Path, dataset: VocDataset, split: VocSplit) -> None:
        raise NotImplementedError

    def read(self, image_id: str) -> RawSample:
        """TODO."""
        raise NotImplementedError
