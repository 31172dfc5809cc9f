"""The stage `prepare`: from verified raw data to the prepared files of all splits."""

import logging
from pathlib import Path

from rsis.config.datasets import AnyDataset, CocoDataset, MapsDataset, MasksDataset
from rsis.data.prepared.writer import SplitOrigin, SplitSummary, write_split
from rsis.data.readers.measure import measure_intensity
from rsis.data.readers.open import on_lost, open_split, reading_of
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
    check_replaceable(processed_folder)  # before minutes of reading
    manifest = read_manifest(raw_folder)
    verify(manifest)
    dataset = _with_intensity(name, dataset, manifest.root)
    summaries: dict[str, SplitSummary] = {}
    missing: dict[str, None] = {}  # messages without repetition: splits that share a folder lack the same files
    with atomic_folder(processed_folder) as folder:
        for split in dataset.splits:
            note_missing = on_lost(dataset, lambda _, message: missing.update({message: None}), skip_bad=skip_bad)
            reader = open_split(dataset, manifest.root, split, note_missing)
            origin = SplitOrigin(name, split, manifest.digest, reading_of(dataset))
            path = folder / f"{split}.h5"
            summary = write_split(reader, path, dataset.size, origin, skip_bad=skip_bad, workers=workers)
            _log.info("%s/%s: %d images, %d objects", name, split, summary.images, summary.objects)
            summaries[split] = summary
    for message in missing:
        _log.warning("left out: %s", message)
    return summaries


def _with_intensity(name: str, dataset: AnyDataset, root: Path) -> AnyDataset:
    """Return the data set with its key `intensity`, measured if that is null and there are deep pictures."""
    if not isinstance(dataset, CocoDataset | MapsDataset | MasksDataset) or dataset.intensity is not None:
        return dataset
    measured = measure_intensity(dataset, root)
    if measured is None:
        return dataset
    low, high = measured
    _log.info("%s: pictures of more than 8 bits; their values %g to %g become 0 to 255", name, low, high)
    return dataset.model_copy(update={"intensity": measured})
