"""The stage `prepare`: from verified raw data to the prepared files of all splits."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rsis.config.datasets import AnyDataset, OwnDataset
from rsis.data.prepared.writer import SplitOrigin, SplitSummary, write_split
from rsis.data.readers.base import OnMissing, SampleReader
from rsis.data.readers.measure import measure_intensity
from rsis.data.readers.open import on_lost, open_split, reading_of
from rsis.files.atomic import atomic_folder, check_replaceable
from rsis.files.manifest import Manifest, read_manifest, verify

_log = logging.getLogger(__name__)


def _as_it_is(reader: SampleReader, *_: object) -> SampleReader:
    return reader


def prepare(
    name: str,
    dataset: AnyDataset,
    raw_folder: Path,
    processed_folder: Path,
    *,
    skip_bad: bool,
    workers: int | None,
    wrap: Callable[[SampleReader, Path, str, Manifest], SampleReader] = _as_it_is,
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
        workers: Number of processes that read and resize; None chooses it.
        wrap: Given the reader of a split, the folder of the raw data, the split and the manifest, returns the reader to
            use: for example one that compares each sample with the ground truth.

    Returns:
        The images and annotations of each split that are used and that are not.

    Raises:
        UserError: The raw data differs from its manifest, a split has no readable image, an image is broken or lacks
            a file and is not left out, or the files cannot be written.
    """
    check_replaceable(processed_folder, "prepare")  # before minutes of reading
    manifest = read_manifest(raw_folder)
    verify(manifest)
    written, dataset = dataset, _with_intensity(name, dataset, manifest.root)
    summaries: dict[str, SplitSummary] = {}
    with atomic_folder(processed_folder, "prepare") as folder:
        for split in dataset.splits:
            missing: list[str] = []
            note_missing = on_lost(dataset, _note_in(missing), skip_bad=skip_bad)
            reader = wrap(open_split(dataset, manifest.root, split, note_missing), manifest.root, split, manifest)
            origin = SplitOrigin(name, split, manifest.digest, reading_of(dataset), section_of(written, split))
            path = folder / f"{split}.h5"
            summary = write_split(reader, path, dataset.size, origin, skip_bad=skip_bad, workers=workers)
            # splits that share a folder lack the same files: each is counted once
            known = {message for earlier in summaries.values() for message in earlier.left_out}
            lost = [message for message in missing if message not in known]
            summaries[split] = replace(summary, left_out=(*lost, *summary.left_out))
    for message in (message for summary in summaries.values() for message in summary.left_out):
        _log.warning("left out: %s", message)
    return summaries


def _note_in(missing: list[str]) -> OnMissing:
    def note(_: Path, message: str) -> None:
        missing.append(message)

    return note


def _with_intensity(name: str, dataset: AnyDataset, root: Path) -> AnyDataset:
    """Return the data set with its key `intensity`, measured if that is null and there are deep pictures."""
    if not isinstance(dataset, OwnDataset) or dataset.intensity is not None:
        return dataset
    measured = measure_intensity(dataset, root)
    if measured is None:
        return dataset
    low, high = measured
    _log.info("%s: pictures of more than 8 bits; their values %g to %g become 0 to 255", name, low, high)
    return dataset.model_copy(update={"intensity": measured})


def section_of(dataset: AnyDataset, split: str) -> dict[str, Any]:
    """Return what params.yaml says of one split, as JSON values: the keys that the prepared file depends on.

    Of the source, neither the server nor how to get the data is part of it. Keys that only decide whether the
    preparation ends with an error are left out.
    """
    section = dataset.model_dump(mode="json", exclude={"skip_bad", "plants", "splits", "max_pixels"})
    source = section["source"]
    for key in ("env", "obtain", "server"):
        source.pop(key, None)
    for archive in source.get("files", {}).values():
        for key in ("urls", "size", "max_unpacked"):
            archive.pop(key, None)
    splits: dict[str, Any] = dataset.model_dump(mode="json", include={"splits"})["splits"]
    return {**section, "split": splits[split]}
