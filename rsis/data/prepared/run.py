"""From a verified raw tree to prepared files, all splits of a data set or none."""

import logging
from pathlib import Path

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
    """Check a raw tree against its manifest and write `<split>.h5` for each split.

    What stood at `processed_folder` is replaced when all splits are complete, and stays otherwise.

    Args:
        name: The data set's name in params.yaml.
        dataset: Its format, splits and image size.
        raw_folder: Folder of the manifest.
        processed_folder: Where the files go.
        skip_bad: Leave out images whose files are broken instead of stopping; of somebody's own data those that lack a
            file as well (`rsis.data.readers.open.on_lost`).
        workers: Processes that read and resize.

    Returns:
        What each split holds.

    Raises:
        UserError: The raw tree differs from its manifest, a split has no readable image, an image is broken or lacks
            a file and is not left out, or the files cannot be written.
    """
    check_replaceable(processed_folder)  # before minutes of reading
    manifest = read_manifest(raw_folder)
    verify(manifest)
    summaries: dict[str, SplitSummary] = {}
    lost: dict[str, None] = {}  # once each: splits that share a folder all meet the same files
    with atomic_folder(processed_folder) as folder:
        for split in dataset.splits:
            note = on_lost(dataset, lambda _, message: lost.update({message: None}), skip_bad=skip_bad)
            reader = open_split(dataset, manifest.root, split, note)
            origin = SplitOrigin(name, split, manifest.digest)
            path = folder / f"{split}.h5"
            summary = write_split(reader, path, dataset.size, origin, skip_bad=skip_bad, workers=workers)
            _log.info("%s/%s: %d images, %d objects", name, split, summary.images, summary.objects)
            summaries[split] = summary
    for message in lost:
        _log.warning("left out: %s", message)
    return summaries
