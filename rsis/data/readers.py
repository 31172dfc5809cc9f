"""The reader of a split, chosen by the data set's format."""

from pathlib import Path

from rsis.config import CocoDataset, CocoSplit, CvpppDataset, CvpppSplit
from rsis.data.coco import CocoReader
from rsis.data.cvppp import CvpppReader
from rsis.data.samples import SampleReader
from rsis.errors import UserError


def open_split(dataset: CvpppDataset | CocoDataset, root: Path, split: str) -> SampleReader:
    """Return the reader of one split.

    Args:
        dataset: Its section of params.yaml.
        root: Folder that the paths of the split are relative to (`Manifest.root`).
        split: "train", "val" or "test".

    Raises:
        UserError: The data set has no such split, or the split's files are missing or contradict each other.
    """
    splits: dict[str, CvpppSplit | CocoSplit] = {str(name): section for name, section in dataset.splits.items()}
    if split not in splits:
        raise UserError(f"splits: no split {split!r}; the data set has {', '.join(splits)}; name one of them")
    chosen = splits[split]
    if isinstance(chosen, CvpppSplit):
        return CvpppReader(root / chosen.folder, chosen.take)
    return CocoReader(root / chosen.annotations, root / chosen.images)
