"""The stage `download`: raw data is generated, fetched from the web, or used where the user has it.

Fetched archives stay in `data/raw/.archives/NAME`. So when the folder of a data set was removed (DVC does so before it
runs a stage again), its archives are unpacked again and not fetched a second time. The folder of the archives may be
deleted at any time to save space.
"""

import logging
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, assert_never

from rsis.config.datasets import AnyDataset, CvpppDataset
from rsis.config.sources import ArchiveSource, CityscapesSource, FolderSource, PlantSource, SceneSource, StreetSource
from rsis.data.download.fetch import fetch
from rsis.data.download.first_download import FirstDownloads
from rsis.data.download.lsc_hdf5 import extract_lsc, find_lsc_files
from rsis.data.download.record import record_of
from rsis.data.download.relevant import has_lists, relevant_files
from rsis.data.download.unpack import unpack
from rsis.data.readers.cvppp import CvpppReader
from rsis.data.readers.open import on_lost, open_split
from rsis.errors import UserError
from rsis.files import paths
from rsis.files.atomic import atomic_folder, check_replaceable
from rsis.files.digests import sha256_of
from rsis.files.manifest import Manifest, read_manifest, verify, write_manifest
from rsis.machine.extras import require

_FORMAT_OF = {"plants": "cvppp", "scenes": "voc", "streets": "cityscapes", "cityscapes": "cityscapes"}
_log = logging.getLogger(__name__)


def download(name: str, dataset: AnyDataset, folder: Path) -> Manifest:
    """Generate, fetch or check the raw data of a data set, and record its files in `folder/MANIFEST.json`.

    Nothing is done when unchanged data from the same source is already there. New data replaces the old data when it
    is complete and all its splits can be opened.

    Args:
        name: The data set's name in params.yaml.
        dataset: The data set's section of params.yaml.
        folder: `data/raw/NAME`; replaced as a whole.

    Returns:
        The manifest; its `root` is the folder of the data.

    Raises:
        UserError: The user's folder or a file of a split is missing or faulty, a file cannot be fetched or
            unpacked, the package that reads the format is not installed, the source does not fit the format, or
            `folder` contains files that rsis did not write.
    """
    folder = folder.resolve()
    source = dataset.source
    made = _FORMAT_OF.get(source.kind, dataset.format)
    if made != dataset.format:
        raise UserError(
            f"datasets.{name}: format is {dataset.format}, a source of kind {source.kind} makes {made}; correct one"
        )
    if dataset.format == "cityscapes":
        require("format cityscapes", "cityscapesscripts")  # before 12 GB are fetched
    match source:
        case FolderSource():
            return _use_folder(name, dataset, source, folder)
        case CityscapesSource():
            there = source.resolve()
            if there is not None:
                if not there.is_dir():
                    raise UserError(explain_missing_folder(name, source, there))
                return _adopt(name, dataset, there.resolve(), folder)
            return _make(
                name, dataset, folder, record_of(source), partial(_fetch_cityscapes, source, archives_of(folder))
            )
        case ArchiveSource():
            fill = partial(_fetch_archives, name, source, archives_of(folder), _checksums(folder))
            return _make(name, dataset, folder, record_of(source), fill)
        case PlantSource() | SceneSource() | StreetSource():
            return _make(name, dataset, folder, record_of(source), _generator(source))
        case _:
            assert_never(source)


def explain_missing_folder(name: str, source: FolderSource | CityscapesSource, folder: Path) -> str:
    """Return an error message of one line about a missing user's folder, with the remedy."""
    key = f"datasets.{name}.source.path"
    if isinstance(source, CityscapesSource):
        variable = f" or the environment variable {source.env}" if source.env else ""
        return f"{folder}: no such folder; correct {key}{variable}, or remove it to fetch the packages"
    obtain = " ".join((source.obtain or f"the data set {name} was to be there").split()).rstrip(".;")
    variable = f" or set the environment variable {source.env}" if source.env else ""
    return f"{folder}: no such folder; {obtain}; put it there, or correct {key}{variable}"


def check_complete(dataset: AnyDataset, root: Path) -> None:
    """Check that each split can be opened and, in the CVPPP layout, that the folders are complete (key `plants`).

    Raises:
        UserError: A file or folder is missing or faulty; the message names it.
    """
    for split in dataset.splits:
        # images that lack a file are not reported here: the preparation reports those that it leaves out
        open_split(dataset, root, split, on_lost(dataset, lambda *_: None, skip_bad=dataset.skip_bad))
    if isinstance(dataset, CvpppDataset):
        for folder, plants in (dataset.plants or {}).items():
            labels = all(split.labels for split in dataset.splits.values() if split.folder == folder)
            CvpppReader(root / folder, labels=labels).check(plants)


def _generator(source: PlantSource | SceneSource | StreetSource) -> Callable[[Path], None]:
    """Return what writes the source's files into a folder."""
    match source:
        case PlantSource():
            from rsis.data.synthetic.plants import dataset as plants

            return partial(plants.write_plants, source=source)
        case SceneSource():
            from rsis.data.synthetic.scenes import dataset as scenes

            return partial(scenes.write_scenes, source=source)
        case StreetSource():
            from rsis.data.synthetic.streets import dataset as streets

            return partial(streets.write_streets, source=source)
        case _:
            assert_never(source)


def _make(
    name: str, dataset: AnyDataset, folder: Path, record: dict[str, Any], fill: Callable[[Path], None]
) -> Manifest:
    """Call `fill` to write the data into `folder`, unless unchanged data with the same record is there."""
    kept = _unchanged(folder, folder, record)
    if kept is not None:
        return kept
    check_replaceable(folder, "download")  # before hours of fetching
    with atomic_folder(folder, "download") as temporary:
        fill(temporary)
        check_complete(dataset, temporary)
        manifest = write_manifest(temporary, name, temporary, record)
    _log.info("%s: %d files made in %s", name, len(manifest.files), folder)
    return read_manifest(folder)


def _use_folder(name: str, dataset: AnyDataset, source: FolderSource, folder: Path) -> Manifest:
    """Record the user's folder, or convert the HDF5 files of the LSC that it contains."""
    root = source.resolve().resolve()
    if not root.is_dir():
        raise UserError(explain_missing_folder(name, source, root))
    if isinstance(dataset, CvpppDataset):
        wanted = sorted({split.folder for split in dataset.splits.values()})
        files = find_lsc_files(root)
        if files and not any((root / part).is_dir() for part in wanted):
            record = {
                **source.model_dump(mode="json", include={"kind"}),
                "hdf5": {path.name: sha256_of(path) for path in files},
                "folders": wanted,
            }
            return _make(name, dataset, folder, record, partial(extract_lsc, files, wanted))
    return _adopt(name, dataset, root, folder)


def _adopt(name: str, dataset: AnyDataset, root: Path, folder: Path) -> Manifest:
    """Check the user's folder and record its files, without a copy."""
    if root.is_relative_to(folder) or paths.output_beside(root) is not None:  # an environment variable may name it
        raise UserError(
            f"{root}: your data lies where rsis writes, and would be replaced; move it elsewhere and correct "
            f"datasets.{name}.source"
        )
    check_complete(dataset, root)
    record = dataset.source.model_dump(mode="json")
    kept = _unchanged(folder, root, record)
    relevant = relevant_files(dataset, root)
    if kept is not None and kept.only == relevant:
        return kept
    with atomic_folder(folder, "download") as temporary:
        manifest = write_manifest(temporary, name, root, record, relevant, lists=has_lists(dataset))
    _log.info("%s: recorded %d files of %s", name, len(manifest.files), root)
    return manifest


def _fetch_archives(dataset: str, source: ArchiveSource, archives: Path, checksums: Path, target: Path) -> None:
    first = FirstDownloads(checksums, dataset)
    for name, archive in source.files.items():
        fetch(first.complete(name, archive), archives / name, remedy=first.remedy(name, archive))
    for name, archive in source.files.items():
        if archive.unpack:
            _log.info("unpacking %s", archives / name)
            unpack(archives / name, target, archive.max_unpacked)
        else:
            shutil.copyfile(archives / name, target / name)
    first.record(source, archives)


def _fetch_cityscapes(source: CityscapesSource, archives: Path, target: Path) -> None:
    """Fetch the missing packages, then unpack all; packages that the user put there are checked by the unpacking."""
    from rsis.data.download.cityscapes_account import find_packages, log_in

    missing = [name for name in source.packages if not (archives / name).is_file()]
    if missing:
        with log_in(source.server) as session:
            for name, package in find_packages(session, source.server, missing).items():
                fetch(package, archives / name, session)
    for name in source.packages:
        _log.info("unpacking %s", archives / name)
        unpack(archives / name, target)


def archives_of(folder: Path) -> Path:
    """Return the folder that keeps the fetched archives of the data set in `folder`."""
    return folder.parent / ".archives" / folder.name


def _checksums(folder: Path) -> Path:
    return folder.parent / ".checksums" / f"{folder.name}.json"


def _unchanged(folder: Path, root: Path, record: dict[str, Any]) -> Manifest | None:
    """Return the manifest in `folder` if it has this source and its files are unchanged, otherwise None."""
    try:
        manifest = read_manifest(folder)
        if manifest.root != root or manifest.source != record:
            return None
        verify(manifest)
    except UserError:  # whatever is wrong, the data is made again
        return None
    return manifest
