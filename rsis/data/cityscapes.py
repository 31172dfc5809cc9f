"""Reader of Cityscapes."""

from pathlib import Path

from rsis.dataset_config import CityscapesSplit
from rsis.structures import RawSample


class CityscapesReader:
    """TODO."""

    class_names: tuple[str, ...] = ()
    image_ids: tuple[str, ...] = ()

    def __init__(self, root: Path, split: CityscapesSplit) -> None:
        raise NotImplementedError

    def read(self, image_id: str) -> RawSample:
        """TODO."""
        raise NotImplementedError
