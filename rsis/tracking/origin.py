"""What raw files and prepared files were made from, compared with params.yaml as it is now.

`rsis download` records the source of the raw files in their manifest, `rsis prepare` the data set's section in the
prepared files. Either may be edited afterwards, and a project may be moved or copied. A stage calls `check_source` or
`check_prepared` before it uses what stands there, so that old data is never used in silence.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rsis.config.datasets import AnyDataset
from rsis.config.sources import CityscapesSource, FolderSource
from rsis.data.download.lsc_hdf5 import find_lsc_files
from rsis.data.download.record import record_of
from rsis.data.download.run import explain_missing_folder
from rsis.data.prepared.file import PreparedSplit
from rsis.data.prepared.run import section_of
from rsis.errors import UserError
from rsis.files.manifest import NAME, Manifest, read_manifest

_NO_FOLDER = (None, "")


def check_source(name: str, dataset: AnyDataset, raw_folder: Path, *, needed: bool = True) -> Manifest:
    """Check that the raw files are those of the source in params.yaml, and return their manifest.

    Args:
        name: The data set's name in params.yaml.
        dataset: Its section.
        raw_folder: `data/raw/NAME`, the folder of its manifest.
        needed: Whether the raw files are about to be read. Otherwise their folder may be gone.

    Raises:
        UserError: The manifest is missing or of another source, or the folder is gone although it is needed.
    """
    manifest = read_manifest(raw_folder)
    source = dataset.source
    there = source.resolve() if isinstance(source, FolderSource | CityscapesSource) else None
    again = f"run `rsis download {name}`, then `rsis prepare {name}`"
    if there is None:
        different = _first_difference(manifest.source, record_of(source))
        if manifest.source and different is not None:
            key, then, now = different
            raise UserError(f"{raw_folder}: made with source.{key} {then}, but params.yaml has {now}; {again}")
    elif not needed and not there.is_dir() and manifest.source == record_of(source):
        pass  # of the same source, and not on this machine
    elif manifest.root != there.resolve() and not _is_written_out(manifest, raw_folder, there):
        assert isinstance(source, FolderSource | CityscapesSource)
        if not there.is_dir():
            raise UserError(explain_missing_folder(name, source, there))
        raise UserError(
            f"{raw_folder}: lists the files of {manifest.root}, but the source of {name} is {there.resolve()}; {again}"
        )
    elif needed and not manifest.root.is_dir():
        assert isinstance(source, FolderSource | CityscapesSource)
        raise UserError(explain_missing_folder(name, source, there))
    return manifest


def check_prepared(
    name: str, dataset: AnyDataset, raw_folder: Path, processed_folder: Path, splits: Iterable[str]
) -> None:
    """Check that prepared files were made from the present raw files with the present section of params.yaml.

    Args:
        name: The data set's name in params.yaml.
        dataset: Its section.
        raw_folder: `data/raw/NAME`; may have been deleted to save space.
        processed_folder: `data/processed/NAME`.
        splits: The splits that are about to be used. A split that neither params.yaml nor the folder has is ignored
            if it is "val": there are trainings without validation.

    Raises:
        UserError: A split is missing, or is made from something else; the message names it and what to run.
    """
    there = (raw_folder / NAME).is_file()  # users may have deleted the raw files to save space
    manifest = check_source(name, dataset, raw_folder, needed=False) if there else None
    again = f"run `rsis prepare {name}`"
    for split in splits:
        path = processed_folder / f"{split}.h5"
        if split not in dataset.splits:
            if split == "val" and not path.exists():
                continue
            known = ", ".join(dataset.splits)
            remedy = again if split == "val" else "choose one of these by --split or predict.split, or add it"
            raise UserError(f"datasets.{name}.splits: has {known}, but no {split}; {remedy}")
        prepared = PreparedSplit(path)
        if manifest is not None and prepared.source_digest != manifest.digest:
            raise UserError(f"{path}: made from other files than those that {raw_folder / NAME} lists; {again}")
        then, now = dict(prepared.made_from), section_of(dataset, split)
        if manifest is not None:  # the files are the same, wherever they are
            then.pop("source", None)
        different = _first_difference(then, {key: now.get(key) for key in then})
        if different is not None:
            key, found, expected = different
            raise UserError(f"{path}: made with {key} {found}, but params.yaml has {expected}; {again}")


def _is_written_out(manifest: Manifest, raw_folder: Path, there: Path) -> bool:
    """Return whether the raw files were written out from the HDF5 files that are in the user's folder."""
    written = manifest.source.get("hdf5")
    if not isinstance(written, dict) or manifest.root != raw_folder.resolve():
        return False
    return not there.is_dir() or set(written) == {path.name for path in find_lsc_files(there)}


def _first_difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return the first key whose values differ, as a path, and both values as text; None if all are equal."""
    for key in sorted({*then, *now}):
        old, new = then.get(key), now.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            inner = _first_difference(old, new)
            assert inner is not None
            return f"{key}.{inner[0]}", *inner[1:]
        return key, _shown(old), _shown(new)
    return None


def _shown(value: Any) -> str:
    text = "none" if value in _NO_FOLDER else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
