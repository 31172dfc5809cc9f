"""The pictures to click on: of a folder, of the network's own test split, or of the data that comes with RSIS."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from rsis.config.params import load_params
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.open import open_split
from rsis.data.readers.outline_reader import OutlineReader
from rsis.data.readers.own import MapsReader, MasksReader
from rsis.data.readers.rules import PLAIN, PictureRules
from rsis.errors import UserError
from rsis.files import paths
from rsis.files.manifest import read_manifest
from rsis.tool.pictures import PictureFile, find_pictures, read_picture

Examples = list[tuple[Path, Image.Image]]
"""Pictures, and a small image of each."""
_MOST, _SMALL = 6, (160, 160)
_OURS = Path("examples/nuclei")


def examples_of(folder: Path) -> Examples:
    """Return up to six pictures of a folder, from all over it.

    Raises:
        UserError: There is no such folder, or no picture in it.
    """
    return _small(_spread(find_pictures([folder])), PLAIN)


def examples_for(dataset: str, rules: PictureRules) -> Examples:
    """Return up to six pictures for a network.

    They are those of its data set's test split, if params.yaml here has the data set with pictures in files of their
    own; else those of examples/nuclei, if the folder is here; else none.

    Args:
        dataset: Name of the data set.
        rules: How its pictures are read.
    """
    try:
        found = _small(_spread(_tested(dataset)), rules)
    except UserError:  # no params.yaml, or its data is not here: then other pictures do as well
        found = []
    return found or (examples_of(_OURS) if _OURS.is_dir() else [])


def _tested(dataset: str) -> list[Path]:
    section = load_params().dataset(dataset)
    split = "test" if "test" in section.splits else next(reversed(section.splits))
    reader = open_split(section, read_manifest(paths.raw_folder(dataset)).root, split, lambda _, __: None)
    if not isinstance(reader, OutlineReader | MapsReader | MasksReader):
        return []
    found = [reader.picture_of(image_id) for image_id in reader.image_ids]
    return [path for path, page in found if page is None and path.suffix.lower() != ".json"]


def _spread(files: list[Path]) -> list[Path]:
    return files[:: max(1, len(files) // _MOST)][:_MOST]


def _small(files: Iterable[Path], rules: PictureRules) -> Examples:
    found = []
    for path in files:
        try:
            small = Image.fromarray(read_picture(PictureFile(path), rules).image)
        except BadSampleError:  # predict-images says so; here another picture does as well
            continue
        small.thumbnail(_SMALL)
        found.append((path, small))
    return found
