"""Comparison of the two readings of the annotations, that of training and that of scoring, image by image.

`rsis.data.readers` and `rsis.eval.truths` share no code, so that a bug in one shows. A difference between them would
otherwise show after the training, as a bad score or as a refusal of `rsis score`.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rsis.config.datasets import AnyDataset, CvpppDataset, OwnDataset
from rsis.config.sources import FolderSource
from rsis.config.types import Split
from rsis.data.readers.base import BadSampleError, SampleReader
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.open import load_ground_truth
from rsis.files.manifest import Manifest
from rsis.masks import bands
from rsis.structures import RawSample

_ADVICE = "correct that annotation, or leave the image out with skip_bad: true"


class ComparedReader:
    """A reader that compares each sample with the ground truth which scoring will read.

    Args:
        reader: The reader of a split.
        truth: The ground truth of the same split.

    Attributes:
        class_names, image_ids: Those of the reader.

    Raises:
        UserError: Their classes differ.
    """

    def __init__(self, reader: SampleReader, truth: GroundTruth) -> None:
        if sorted(reader.class_names) != sorted(truth.class_names):  # scoring finds classes by name
            raise UserError(
                f"training reads the classes {', '.join(reader.class_names)}, scoring {', '.join(truth.class_names)}; "
                "correct the annotations"
            )
        self._reader, self._truth = reader, truth
        self._known = frozenset(truth.image_ids)
        self.class_names: tuple[str, ...] = reader.class_names
        self.image_ids: tuple[str, ...] = reader.image_ids

    def read(self, image_id: str) -> RawSample:
        """Return the reader's sample.

        Raises:
            BadSampleError: A file of the image is broken, scoring cannot read its annotation, or reads other objects.
        """
        sample = self._reader.read(image_id)
        try:
            fault = self._difference(sample) if image_id in self._known else "scoring does not know the image"
        except UserError as error:
            raise BadSampleError(f"{error} (training accepts it, scoring does not)") from error
        if fault:
            raise BadSampleError(f"{self._path(image_id)}: {fault}; {_ADVICE}")
        return sample

    def _path(self, image_id: str) -> Path | str:
        return self._truth.image_path(image_id) if image_id in self._known else image_id

    def _difference(self, sample: RawSample) -> str:
        """Return what differs between a sample and the truth; empty if nothing does."""
        expected = self._truth.instance_map(sample.image_id)
        if expected.shape != sample.instance_map.shape:
            sizes = " and ".join(f"{height} x {width}" for height, width in (sample.instance_map.shape, expected.shape))
            return f"training and scoring read {sizes} pixels"
        # a background pixel of one reading that is an object's in the other counts as a pair too
        pairs = _pairs(sample.instance_map, expected)
        objects, true_objects = (len(np.unique(column[column != 0])) for column in pairs.T)
        if objects != true_objects:
            return f"training reads {objects} objects, scoring {true_objects}"
        del expected  # classes are read from the file again
        if len(pairs) != objects:
            return f"training and scoring disagree on the pixels of {objects} objects"
        return self._difference_of_classes(sample)

    def _difference_of_classes(self, sample: RawSample) -> str:
        names, true_names = self.class_names, self._truth.class_names
        read = Counter(names[class_id - 1] for class_id in sample.class_ids.tolist())
        annotations = self._truth.annotations(sample.image_id)
        scored = Counter(true_names[item.class_id - 1] for item in annotations if not item.iscrowd)
        hidden = sample.dropped.count("hidden by others")
        if read - scored or (scored - read).total() != hidden:
            return f"training reads {_listed(read)}, scoring {_listed(scored)}"
        return ""


def comparison_of(dataset: AnyDataset) -> Callable[[SampleReader, Path, str, Manifest], SampleReader]:
    """Return the function that wraps the readers of `rsis prepare`.

    A user's own annotations are compared. Those of a benchmark that was downloaded with its checksums, or drawn, are
    not: `rsis check` and the tests do that, and it would take half the time of the preparation again.
    """
    own = isinstance(dataset, OwnDataset) or isinstance(dataset.source, FolderSource)

    def wrap(reader: SampleReader, root: Path, split: str, manifest: Manifest) -> SampleReader:
        return compared(reader, dataset, root, split, manifest) if own else reader

    return wrap


def compared(
    reader: SampleReader, dataset: AnyDataset, root: Path, split: str, manifest: Manifest | None = None
) -> SampleReader:
    """Return a reader that compares each sample with the ground truth; the reader itself for a split without truth.

    Args:
        reader: The reader of the split.
        dataset: The data set's section of params.yaml.
        root: Folder that the paths of the split are relative to.
        split: "train", "val" or "test".
        manifest: Manifest of the raw data, if there is one.

    Raises:
        UserError: Scoring refuses the split, or reads other classes.
    """
    name: Split = split  # type: ignore[assignment]
    if isinstance(dataset, CvpppDataset) and not dataset.splits[name].labels:
        return reader
    return ComparedReader(reader, load_ground_truth(dataset, root, name, manifest))


def _pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return int64 [P, 2], each pair of numbers that occurs at the same pixel, but (0, 0)."""
    shift = np.int64(1) << 32
    found = [np.unique(first[rows].astype(np.int64) * shift + second[rows].astype(np.int64)) for rows in bands(first)]
    joined = np.unique(np.concatenate([np.zeros(1, np.int64), *found]))
    pairs: np.ndarray = np.column_stack([joined // shift, joined % shift])[joined != 0]
    return pairs


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "no object"
