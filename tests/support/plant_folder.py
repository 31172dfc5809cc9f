"""A small generated data set in the CVPPP layout, for tests of code that handles whole data sets."""

from pathlib import Path
from typing import Any

from rsis.config.datasets import CvpppDataset
from rsis.data.synthetic.plants.dataset import write_plants

PLANTS: dict[str, Any] = {
    "kind": "plants",
    "seed": 2,
    "image_size": (24, 24),
    "training": 3,
    "testing": 1,
    "leaves": (2, 3),
}
PLANT_SPLITS = {"train": {"folder": "training/A1", "take": (0, 2)}, "test": {"folder": "testing/A1"}}


def plant_section(source: dict[str, Any], splits: dict[str, Any] = PLANT_SPLITS) -> CvpppDataset:
    return CvpppDataset.model_validate({"format": "cvppp", "source": source, "size": (24, 24), "splits": splits})


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def write_plant_folder(folder: Path) -> Path:
    """Make `folder` and write the plants into it, as a user's data set."""
    folder.mkdir()
    source = plant_section(PLANTS).source
    assert source.kind == "plants"
    write_plants(folder, source)
    return folder
