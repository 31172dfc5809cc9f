"""Statistics and faults of a data set's raw files, as its readers see them, for `rsis check`."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rsis.config.datasets import AnyDataset, OwnDataset
from rsis.config.sources import CityscapesSource, FolderSource
from rsis.data.download.run import check_complete
from rsis.data.readers.base import BadSampleError, OnMissing, SampleReader, notes_of
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.files.manifest import NAME, Manifest, read_manifest
from rsis.machine.pool import map_in_processes
from rsis.machine.progress import shown
from rsis.tracking.account import Account, count_annotations
from rsis.tracking.agreement import compared
from rsis.tracking.repeats import Place, places_of, repeated_pictures


@dataclass(frozen=True)
class SplitStatistics:
    """Statistics of one split. All attributes after `broken` are about the images that are not broken.

    Attributes:
        split: "train", "val" or "test".
        images: Number of images, including broken ones.
        broken: One line for each image whose files are broken, with file and fault.
        objects: Number of objects.
        fewest, most: Least and largest number of objects of an image; 0 without images.
        without_objects: Number of images without objects.
        common_size, smallest_size, largest_size: The most frequent (H, W), and those with the fewest and the most
            pixels; None without images.
        class_counts: Number of objects of each class, in the order of the class ids.
        account: The images and annotations that `rsis prepare` will use, and those that it will not.
        assumed: Number of images whose `RawSample.frame_is_assumed`.
    """

    split: str
    images: int
    broken: tuple[str, ...]
    objects: int
    fewest: int
    most: int
    without_objects: int
    common_size: tuple[int, int] | None
    smallest_size: tuple[int, int] | None
    largest_size: tuple[int, int] | None
    class_counts: Mapping[str, int]
    account: Account
    assumed: int = 0

    @property
    def mean(self) -> float:
        """Objects per readable image; 0 without images."""
        return self.objects / max(1, self.images - len(self.broken))


@dataclass(frozen=True)
class DatasetStatistics:
    """Statistics of a data set.

    Attributes:
        dataset: Its name in params.yaml.
        root: The folder of its files.
        splits: The splits that could be opened.
        missing: One line for each file or part that is missing or differs from its record in the manifest.
        notes: One line for each thing that can be used but should be known, such as a picture in two splits.
    """

    dataset: str
    root: Path
    splits: tuple[SplitStatistics, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing and no image is broken."""
        return not self.missing and not any(split.broken for split in self.splits)


@dataclass(frozen=True)
class _Facts:
    """Size and object counts of one readable image."""

    size: tuple[int, int]
    classes: Mapping[int, int]  # number of objects by class id
    left: int  # objects at the network's size
    dropped: Mapping[str, int]  # see `Account.dropped`
    frame_is_assumed: bool


def check(name: str, dataset: AnyDataset, raw_folder: Path, workers: int | None = None) -> DatasetStatistics:
    """Read all raw images of a data set, and count images, objects and classes.

    Missing files are listed in the result; all other images are still counted, also those of the same split. Files are
    compared with the manifest by size, not by content. Each image's objects are compared with those that scoring will
    read; an image with other ones counts as broken. A user's folder needs no manifest, so it can be checked before
    `rsis download`. Only a few images are in memory at a time.

    Args:
        name: The data set's name in params.yaml.
        dataset: Its section.
        raw_folder: `data/raw/NAME`, the folder of its manifest.
        workers: Number of reading processes; None chooses it.

    Raises:
        UserError: There is neither a manifest, since the data was not downloaded, nor a user's folder; or a process
            was killed.
    """
    manifest, root = _find(dataset, raw_folder)
    missing = []
    splits = []
    notes: dict[str, None] = {}
    pictures: dict[str, list[Place]] = {}
    known: set[str] = set()  # splits that share a folder lack the same files
    own = isinstance(dataset, OwnDataset)
    lenient = dataset.model_copy(update={"skip_bad": True}) if own else dataset
    for split in dataset.splits:
        lost: list[tuple[Path, str]] = []
        try:
            reader = open_split(dataset, root, split, _note_in(lost))
            used = reader if lost and not own else compared(reader, lenient, root, split, manifest)
        except UserError as error:
            missing.append(f"{split}: {error}")
        else:
            splits.append(
                _count(used, name, split, dataset.size, [text for _, text in lost if text not in known], workers)
            )
            notes.update(dict.fromkeys(notes_of(reader)))
            pictures[split] = places_of(reader)
        recorded = manifest.files if manifest else {}  # `differences` lists these below
        new = [(path, text) for path, text in lost if text not in known]
        missing += [f"{split}: {text}" for path, text in new if os.path.relpath(path, root) not in recorded]
        known |= {text for _, text in lost}
    missing += differences(manifest) if manifest else ()
    if not missing:
        try:
            check_complete(dataset, root)
        except UserError as error:
            missing.append(str(error))
    return DatasetStatistics(name, root, tuple(splits), tuple(missing), (*notes, *repeated_pictures(pictures)))


def _note_in(lost: list[tuple[Path, str]]) -> OnMissing:
    def note(path: Path, message: str) -> None:
        lost.append((path, message))

    return note


def _find(dataset: AnyDataset, raw_folder: Path) -> tuple[Manifest | None, Path]:
    """Return the manifest, if there is one, and the folder of the data."""
    source = dataset.source
    if isinstance(source, FolderSource | CityscapesSource) and not (raw_folder / NAME).exists():
        folder = source.resolve()
        if folder is not None and folder.is_dir():
            return None, folder.resolve()
    manifest = read_manifest(raw_folder)
    return manifest, manifest.root


def differences(manifest: Manifest) -> Iterator[str]:
    """Yield a line for each file in the manifest that is missing or has another size; no file is read."""
    for path, record in manifest.files.items():
        try:
            size = (manifest.root / path).stat().st_size
        except OSError:
            yield f"{manifest.root / path}: recorded by `rsis download`, not there now"
        else:
            if size != record.size:
                yield f"{manifest.root / path}: {size} bytes, recorded as {record.size}"


def _count(
    reader: SampleReader, dataset: str, split: str, size: tuple[int, int], lost: list[str], workers: int | None
) -> SplitStatistics:
    broken: list[str] = []
    assumed = 0
    sizes: Counter[tuple[int, int]] = Counter()
    counts: Counter[int] = Counter()  # images by their number of objects
    classes: Counter[int] = Counter()
    dropped: Counter[str] = Counter()
    left = 0
    found = map_in_processes(partial(_read_facts, reader, size), reader.image_ids, workers, remedy="run again")
    for facts in shown(found, f"{dataset}/{split}", len(reader.image_ids)):
        if isinstance(facts, str):
            broken.append(facts)
            continue
        sizes[facts.size] += 1
        counts[sum(facts.classes.values())] += 1
        classes.update(facts.classes)
        dropped.update(facts.dropped)
        left += facts.left
        assumed += facts.frame_is_assumed
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return SplitStatistics(
        split=split,
        images=len(reader.image_ids),
        broken=tuple(broken),
        objects=sum(classes.values()),
        fewest=min(counts, default=0),
        most=max(counts, default=0),
        without_objects=counts[0],
        common_size=sizes.most_common(1)[0][0] if sizes else None,
        smallest_size=by_area[0] if sizes else None,
        largest_size=by_area[-1] if sizes else None,
        class_counts={name: classes[class_id] for class_id, name in enumerate(reader.class_names, start=1)},
        account=Account(split, len(reader.image_ids) - len(broken), (*lost, *broken), left, dropped),
        assumed=assumed,
    )


def _read_facts(reader: SampleReader, size: tuple[int, int], image_id: str) -> _Facts | str:
    try:
        sample = reader.read(image_id)
    except BadSampleError as error:
        return str(error)
    height, width = sample.instance_map.shape
    left, dropped = count_annotations(sample, size)
    return _Facts((height, width), Counter(sample.class_ids.tolist()), left, dropped, sample.frame_is_assumed)
