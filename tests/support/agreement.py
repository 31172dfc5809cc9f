"""Comparison of the two readings of a data set: the reader that trains, and the truth that scores."""

from pathlib import Path
from typing import Any

import numpy as np

from rsis.config.datasets import CocoDataset, ExportDataset, MapsDataset, MasksDataset
from rsis.data.readers.open import open_split
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import decode_rle, relabel
from rsis.structures import RawSample

SOURCE = {"kind": "folder", "path": "unused"}


def maps(**keys: Any) -> MapsDataset:
    """Return a data set of images/ and labels/ with one split, train."""
    split = {"images": "images", "maps": "labels"}
    return MapsDataset.model_validate(
        {"format": "maps", "source": SOURCE, "size": (32, 32), "splits": {"train": split}, **keys}
    )


def masks(**keys: Any) -> MasksDataset:
    """Return a data set of a folder for each picture with one split, train."""
    return MasksDataset.model_validate(
        {"format": "masks", "source": SOURCE, "size": (32, 32), "splits": {"train": {}}, **keys}
    )


def coco(**keys: Any) -> CocoDataset:
    """Return a data set of train.json and images/ with one split, train."""
    split = {"annotations": "train.json", "images": "images"}
    return CocoDataset.model_validate(
        {"format": "coco", "source": SOURCE, "size": (32, 32), "splits": {"train": split}, **keys}
    )


def read_both(dataset: CocoDataset | MapsDataset | MasksDataset | ExportDataset, root: Path) -> dict[str, RawSample]:
    """Return the samples of the split train by id; size, objects and ignored pixels are those of the truth."""
    reader, truth = open_split(dataset, root, "train"), load_ground_truth(dataset, root, "train")
    assert set(reader.image_ids) == set(truth.image_ids)
    samples = {}
    for image_id in reader.image_ids:
        sample = samples[image_id] = reader.read(image_id)
        assert truth.size(image_id) == sample.image.shape[:2] == sample.instance_map.shape
        assert np.array_equal(relabel(truth.instance_map(image_id)), sample.instance_map)
        assert np.array_equal(truth.ignore_mask(image_id), sample.ignore_mask)
        objects = [item for item in truth.annotations(image_id) if not item.iscrowd]
        drawn = np.zeros(sample.instance_map.shape, bool)
        for item in objects:
            drawn |= decode_rle(item.rle)
        assert np.array_equal(drawn, sample.instance_map > 0)
        assert len(objects) - sample.dropped.count("hidden by others") == sample.instance_map.max(initial=0)
    return samples
