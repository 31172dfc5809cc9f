"""The stage `prepare`: from verified raw data to the prepared files of all splits."""

import logging
from pathlib import Path
from typing import Any

from rsis.config.datasets import AnyDataset
from rsis.data.prepared.writer import SplitOrigin, SplitSummary, write_split
from rsis.data.readers.open import on_lost, open_split
from rsis.files.atomic import atomic_folder, check_replaceable
from rsis.files.manifest import read_manifest, verify

_log = logging.getLogger(__name__)


def prepare(
    name: str,
    dataset: AnyDataset,
    raw_folder: Path,
    processed_folder: Path,
    *,
    skip_bad: bool,
    workers: int,
) -> dict[str, SplitSummary]:
    """Check raw data against its manifest and write `<split>.h5` for each split.

    An old `processed_folder` is replaced when all splits are complete; after an error it is unchanged.

    Args:
        name: The data set's name in params.yaml.
        dataset: The data set's section of params.yaml.
        raw_folder: Folder of the manifest.
        processed_folder: Folder that the files are written into.
        skip_bad: Leave out images whose files are broken, instead of raising. In a user's data set, images that lack a
            file are left out too (see `rsis.data.readers.open.on_lost`).
        workers: Number of processes that read and resize.

    Returns:
        The numbers of images and objects of each split.

    Raises:
        UserError: The raw data differs from its manifest, a split has no readable image, an image is broken or lacks
            a file and is not left out, or the files cannot be written.
    """
    check_replaceable(processed_folder, "prepare")  # before minutes of reading
    manifest = read_manifest(raw_folder)
    verify(manifest)
    summaries: dict[str, SplitSummary] = {}
    missing: dict[str, None] = {}  # messages without repetition: splits that share a folder lack the same files
    with atomic_folder(processed_folder, "prepare") as folder:
        for split in dataset.splits:
            note_missing = on_lost(dataset, lambda _, message: missing.update({message: None}), skip_bad=skip_bad)
            reader = open_split(dataset, manifest.root, split, note_missing)
            origin = SplitOrigin(name, split, manifest.digest, section_of(dataset, split))
            path = folder / f"{split}.h5"
            summary = write_split(reader, path, dataset.size, origin, skip_bad=skip_bad, workers=workers)
            summaries[split] = summary
    for message in missing:
        _log.warning("left out: %s", message)
    return summaries


def section_of(dataset: AnyDataset, split: str) -> dict[str, Any]:
    """Return what params.yaml says of one split, as JSON values: the keys that the prepared file depends on.

    Of the source, neither the server nor how to get the data is part of it. Keys that only decide whether the
    preparation ends with an error are left out.
    """
    section = dataset.model_dump(mode="json", exclude={"skip_bad", "plants", "splits"})
    source = section["source"]
    for key in ("env", "obtain", "server"):
        source.pop(key, None)
    for archive in source.get("files", {}).values():
        archive.pop("urls", None)
    splits: dict[str, Any] = dataset.model_dump(mode="json", include={"splits"})["splits"]
    return {**section, "split": splits[split]}
