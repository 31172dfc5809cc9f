"""Bringing raw data to its place: generated plants are made there, a user's folder is checked and recorded."""

import contextlib
import logging
from pathlib import Path
from typing import Any

from rsis.data.readers import open_split
from rsis.data.synthetic import GENERATOR_VERSION, write_plants
from rsis.dataset_config import AnyDataset, CvpppDataset, FolderSource, PlantSource
from rsis.errors import UserError
from rsis.files import atomic_folder
from rsis.manifest import NAME, Manifest, read_manifest, verify, write_manifest

log = logging.getLogger(__name__)


def download(name: str, dataset: AnyDataset, folder: Path) -> Manifest:
    """Make or check the raw data of a data set, and record its files in `folder/MANIFEST.json`.

    Data that is there and unchanged, from the same source, is left alone.

    Args:
        name: The data set's name in params.yaml.
        dataset: Its section.
        folder: `data/raw/NAME`; replaced as a whole, after the new one is complete.

    Returns:
        The manifest, whose `root` is where the data lies.

    Raises:
        UserError: The user's folder or a split's files are missing, the source and format do not fit, or
            `folder` holds files that are not a former download's.
    """
    folder = folder.resolve()
    if isinstance(dataset.source, PlantSource):
        return _generate(name, dataset, dataset.source, folder)
    return _adopt(name, dataset, dataset.source, folder)


def _generate(name: str, dataset: AnyDataset, source: PlantSource, folder: Path) -> Manifest:
    """Make the plants, unless the same ones are there."""
    if not isinstance(dataset, CvpppDataset):
        raise UserError(f"datasets.{name}: format is {dataset.format}, a synthetic source makes cvppp; correct one")
    record = {**source.model_dump(mode="json"), "generator": GENERATOR_VERSION}
    kept = _unchanged(folder, folder, record)
    if kept is not None:
        return kept
    _check_replaceable(folder)
    with atomic_folder(folder) as temporary:
        write_plants(temporary, source)
        _open_splits(dataset, temporary)
        write_manifest(temporary, name, temporary, record)
    log.info("%s: made %d plants in %s", name, source.training + source.testing, folder)
    return read_manifest(folder)


def _adopt(name: str, dataset: AnyDataset, source: FolderSource, folder: Path) -> Manifest:
    """Check the user's folder and record its files; they are read where they lie."""
    root = source.resolve().resolve()
    if not root.is_dir():
        change = f"datasets.{name}.source.path" + (
            f" or set the environment variable {source.env}" if source.env else ""
        )
        raise UserError(f"{root}: no such folder; put the data set {name} there, or correct {change}")
    _open_splits(dataset, root)
    record = source.model_dump(mode="json")
    kept = _unchanged(folder, root, record)
    if kept is not None:
        return kept
    if root == folder:
        return write_manifest(folder, name, root, record)
    _check_replaceable(folder)
    with atomic_folder(folder) as temporary:
        manifest = write_manifest(temporary, name, root, record)
    log.info("%s: recorded %d files of %s", name, len(manifest.files), root)
    return manifest


def _unchanged(folder: Path, root: Path, record: dict[str, Any]) -> Manifest | None:
    """Return the manifest in `folder` when it is of this source and its files are as they were."""
    try:
        manifest = read_manifest(folder)
        if manifest.root != root or manifest.source != record:
            return None
        verify(manifest)
    except UserError:  # whatever is wrong with it, it is made anew
        return None
    return manifest


def _check_replaceable(folder: Path) -> None:
    """Refuse to replace a folder that holds anything but a former download."""
    if not folder.exists() or (folder.is_dir() and {path.name for path in folder.iterdir()} <= {NAME}):
        return
    with contextlib.suppress(UserError):
        manifest = read_manifest(folder)
        if manifest.root == folder and manifest.source.get("kind") == "plants":
            return
    raise UserError(f"{folder}: holds files that `rsis download` did not make; move them away, then run again")


def _open_splits(dataset: AnyDataset, root: Path) -> None:
    """Raise UserError when the files of a split are missing or contradict each other."""
    for split in dataset.splits:
        open_split(dataset, root, split)
