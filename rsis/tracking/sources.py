"""The availability of each data set's raw data: the table of `rsis check --all`.

    there      the data is on this machine; the images of each split are counted from the lists of files
    generated  the project generates the data when it is needed
    to fetch   `rsis download` can fetch the data without further action of the user
    missing    the user has to obtain the data first; the line says how, and where to put it
    broken     the data is on this machine but not complete; the line has the first fault

Only lists of files and their sizes are read, no image, so this is quick for any number of images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from rsis.config.datasets import AnyDataset, CityscapesDataset, CvpppDataset
from rsis.config.sources import ArchiveSource, CityscapesSource, FolderSource, PlantSource, SceneSource, StreetSource
from rsis.data.download.lsc_hdf5 import find_lsc_files
from rsis.data.download.run import archives_of, explain_missing_folder
from rsis.data.readers.open import on_lost, open_split
from rsis.errors import UserError
from rsis.files.manifest import NAME, read_manifest
from rsis.machine.extras import EXTRA_OF, missing_of
from rsis.tracking.check import differences

NOTE = "`rsis check --all` was shown\n"  # always the same: DVC records the output of the stage
LOOKED_AT = "looked at: lists of files and their sizes, no picture; `rsis check DATASET` reads them all"
_CITYSCAPES = "cityscapesscripts"
_INSTALL = f'{_CITYSCAPES} is missing; pip install "rsis[{EXTRA_OF[_CITYSCAPES]}]"'
State = Literal["there", "generated", "to fetch", "missing", "broken"]


@dataclass(frozen=True)
class SourceStatus:
    """The availability of one data set's raw data.

    Attributes:
        dataset: Its name in params.yaml.
        state: See the top of this file.
        text: Details, in one line.
    """

    dataset: str
    state: State
    text: str


def look(name: str, dataset: AnyDataset, raw_folder: Path) -> SourceStatus:
    """Return the availability of a data set's raw data; nothing is changed or downloaded.

    Args:
        name: The data set's name in params.yaml.
        dataset: Its section.
        raw_folder: `data/raw/NAME`, the folder of its manifest after a download.
    """
    try:
        state, text = _look(name, dataset, raw_folder)
    except UserError as error:
        state, text = "broken", str(error)
    return SourceStatus(name, state, text)


def table_of(statuses: Sequence[SourceStatus]) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Return the heading and the rows of the table, with a row for each data set."""
    rows: list[tuple[str, str, str]] = []
    explained: dict[str, str] = {}  # first data set with each explanation: those of one source have the same
    for status in statuses:
        text = status.text
        if status.state == "missing":
            first = explained.setdefault(text.replace(f"datasets.{status.dataset}.", ""), status.dataset)
            text = text if first == status.dataset else f"as {first}"
        rows.append((status.dataset, status.state, text))
    return ["data set", "state", ""], rows


def _look(name: str, dataset: AnyDataset, raw_folder: Path) -> tuple[State, str]:
    source = dataset.source
    there = source.resolve() if isinstance(source, FolderSource | CityscapesSource) else None
    if (raw_folder / NAME).exists():
        manifest = read_manifest(raw_folder)
        if there is None or manifest.root in (there.resolve(), raw_folder.resolve()):
            for fault in differences(manifest):
                raise UserError(fault)
            return "there", _count(dataset, manifest.root)
    if there is not None and isinstance(source, FolderSource | CityscapesSource):
        if not there.is_dir():
            return "missing", explain_missing_folder(name, source, there)
        return "there", _look_into(name, dataset, there)
    match source:
        case ArchiveSource():
            return "to fetch", _archives(source, archives_of(raw_folder))
        case CityscapesSource():
            return _cityscapes(name, source, archives_of(raw_folder))
        case PlantSource():
            return "generated", _pictures(source.training + source.testing, source.image_size)
        case SceneSource():
            return "generated", _pictures(source.train + source.val + source.sbdataset, source.image_size)
        case StreetSource():
            return "generated", _pictures(source.train + source.val + source.test, source.image_size)
    raise AssertionError(f"no such source: {source}")


def _look_into(name: str, dataset: AnyDataset, folder: Path) -> str:
    """Describe the content of a user's folder that no manifest describes."""
    if isinstance(dataset, CvpppDataset):
        files = find_lsc_files(folder)
        if files and not any((folder / split.folder).is_dir() for split in dataset.splits.values()):
            return f"{len(files)} .h5 files in {_shown(folder)}, which `rsis download {name}` writes out"
    return _count(dataset, folder)


def _count(dataset: AnyDataset, root: Path) -> str:
    """Count the images of each split.

    Raises:
        UserError: A split does not open.
    """
    if isinstance(dataset, CityscapesDataset) and missing_of(_CITYSCAPES):
        return f"in {_shown(root)}, not counted: {_INSTALL}"
    lost = on_lost(dataset, lambda *_: None, skip_bad=dataset.skip_bad)
    counts = {split: len(open_split(dataset, root, split, lost).image_ids) for split in dataset.splits}
    return f"{', '.join(f'{split} {count}' for split, count in counts.items())} images in {_shown(root)}"


def _archives(source: ArchiveSource, folder: Path) -> str:
    if all((folder / name).is_file() for name in source.files):
        return f"fetched before, to be unpacked from {_shown(folder)}"
    hosts = dict.fromkeys(urlsplit(archive.urls[0]).hostname or "?" for archive in source.files.values())
    return f"{_size([archive.size for archive in source.files.values()])} from {', '.join(hosts)}"


def _cityscapes(name: str, source: CityscapesSource, folder: Path) -> tuple[State, str]:
    if all((folder / package).is_file() for package in source.packages):
        return "to fetch", f"fetched before, to be unpacked from {_shown(folder)}"
    if missing_of(_CITYSCAPES):
        return "missing", _INSTALL
    from rsis.data.download.cityscapes_account import PASSWORD, REGISTER, USERNAME, find_credentials

    try:
        where = find_credentials()[0]
    except UserError:
        named = f"set {source.env}" if source.env else f"correct datasets.{name}.source.path"
        return "missing", (
            f"needs an account: register at {REGISTER}, then set {USERNAME} and {PASSWORD}, or {named} to name a "
            "folder that holds the data"
        )
    return "to fetch", f"{len(source.packages)} packages from {urlsplit(source.server).hostname}, with {where}"


def _size(sizes: Sequence[int | None]) -> str:
    known, unknown = [size for size in sizes if size is not None], sizes.count(None)
    pieces = [f"{sum(known) / 1e6:.0f} MB" if sum(known) < 1e9 else f"{sum(known) / 1e9:.1f} GB"] if known else []
    if unknown:
        pieces.append(f"{unknown} file{'s' if unknown > 1 else ''} of unknown size")
    return " and ".join(pieces)


def _pictures(number: int, size: tuple[int, int]) -> str:
    return f"{number} pictures of {size[0]} x {size[1]} pixels"


def _shown(path: Path) -> str:
    """Return a path, relative to the working directory if it is inside it."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
