r"""The prepared file: one HDF5 per split, images and maps at the network's size.

`write_split` writes the file as a whole; `rsis.data.prepared.file.PreparedSplit` reads it. Equal input gives equal
bytes, with any number of processes. Schema version 1, for n images of H x W with M objects in total:

    attribute       type          meaning
    schema_version  int           1
    dataset, split  text          names in params.yaml
    class_names     JSON list     class i of `class_ids` is entry i - 1
    source_digest   text          digest of the raw data's manifest
    size            int [2]       H, W
    skipped         JSON list     image ids left out because their files are broken
    reading         JSON object   keys of the data set by which its files were read, where they are not the default:
                                  intensity, channels, page, annotated, ignore_value; absent if none
    made_from       JSON          what params.yaml says of the split (`rsis.data.prepared.run.section_of`)

    data set        type          shape         meaning
    images          uint8         [n, H, W, 3]  RGB; one chunk per image, not compressed
    instance_maps   uint16        [n, H, W]     0 = background, 1..N consecutive; one gzip chunk per image
    ignore_masks    uint8         [n, H, W]     1 on pixels without annotation; one gzip chunk per image
    num_instances   int32         [n]           N of each image
    class_ids       int32         [M]           1..K-1; first those of image 0, then those of image 1, ...
    image_ids       UTF-8         [n]
    original_sizes  int32         [n, 2]        H, W of the raw image

Image i has `class_ids[s : s + num_instances[i]]`, where s is the sum of `num_instances[:i]`; entry j of these is the
class of object j + 1. Example: two plants with 3 and 2 leaves, raw size 500 x 530, prepared at 400 x 400 (output of
h5dump, shortened):

    HDF5 "val.h5" { GROUP "/" {
      ATTRIBUTE "schema_version" { DATA { 1 } }
      ATTRIBUTE "dataset" { DATA { "cvppp" } }             ATTRIBUTE "split" { DATA { "val" } }
      ATTRIBUTE "class_names" { DATA { "[\"leaf\"]" } }    ATTRIBUTE "skipped" { DATA { "[\"plant097\"]" } }
      ATTRIBUTE "source_digest" { DATA { "5d9c..." } }     ATTRIBUTE "size" { DATA { 400, 400 } }
      DATASET "images" { H5T_STD_U8LE  ( 2, 400, 400, 3 ) }
      DATASET "instance_maps" { H5T_STD_U16LE  ( 2, 400, 400 ) }
      DATASET "ignore_masks" { H5T_STD_U8LE  ( 2, 400, 400 ) }
      DATASET "num_instances" { DATA { 3, 2 } }            DATASET "class_ids" { DATA { 1, 1, 1, 1, 1 } }
      DATASET "image_ids" { DATA { "plant096", "plant098" } }
      DATASET "original_sizes" { DATA { 500, 530, 500, 530 } } } }
"""

import contextlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rsis.data.prepared.resize import COMPRESSION, BadSample, PackedSample, packed_samples
from rsis.data.readers.base import BadSampleError, SampleReader
from rsis.errors import UserError
from rsis.files.atomic import atomic_path
from rsis.machine.progress import shown

SCHEMA_VERSION = 1
_IMAGE_DATASETS: dict[str, dict[str, Any]] = {
    "images": {"dtype": np.uint8},
    "instance_maps": {"dtype": np.uint16, "compression": "gzip", "compression_opts": COMPRESSION, "shuffle": True},
    "ignore_masks": {"dtype": np.uint8, "compression": "gzip", "compression_opts": COMPRESSION, "shuffle": True},
}


@dataclass(frozen=True)
class SplitOrigin:
    """The origin of a prepared split, recorded in its file.

    Attributes:
        dataset: Name of the data set in params.yaml.
        split: "train", "val" or "test".
        source_digest: Digest of the raw data's manifest.
        reading: Keys by which the files are read (`rsis.data.readers.open.reading_of`).
        made_from: What params.yaml says of the split, as JSON values; see `rsis.data.prepared.run.section_of`.
    """

    dataset: str
    split: str
    source_digest: str
    reading: Mapping[str, Any] = field(default_factory=dict)
    made_from: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitSummary:
    """The images and annotations of a prepared split that are used, and those that are not.

    Attributes:
        images: Number of images written.
        objects: Number of objects written, in all images together.
        left_out: One line for each image that is left out, because its files are broken (the prepared file lists
            their ids) or missing.
        dropped: Number of annotations of written images that are not objects, by reason.
    """

    images: int
    objects: int
    left_out: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


def write_split(
    reader: SampleReader,
    path: Path,
    size: tuple[int, int],
    origin: SplitOrigin,
    *,
    skip_bad: bool = False,
    workers: int | None = 1,
) -> SplitSummary:
    """Resize all samples of a reader and write them to `path`, in the reader's order.

    Args:
        reader: Must be picklable unless `workers` is 1.
        path: The file; an old one stays until the new one is complete.
        size: (H, W) of the network's input.
        origin: Recorded in the file.
        skip_bad: Leave out broken samples, with a warning and an entry in the file, instead of raising.
        workers: Number of processes that read and resize; None chooses it.

    Raises:
        BadSampleError: A sample's files are broken and `skip_bad` is false.
        UserError: The split has no images, all its images are broken, or the file cannot be written.
    """
    where = f"datasets.{origin.dataset}.splits.{origin.split}"
    total = len(reader.image_ids)
    if total == 0:
        raise UserError(f"{where}: has no images, expected at least one; correct it or the raw data")
    with atomic_path(path) as temporary, _Sink(temporary, "w+") as sink:
        with (
            h5py.File(sink, "w", libver=("v110", "v110")) as file,
            contextlib.closing(packed_samples(reader, size, workers)) as samples,
        ):
            _create_image_datasets(file, total, size)
            tracked = shown(samples, f"{origin.dataset}/{origin.split}", total)
            summary = _fill(file, sink, tracked, skip_bad)
            _write_attributes(file, reader.class_names, size, origin)
        sink.check()
        if summary.images == 0:
            raise UserError(f"{where}: all {total} images are broken; restore those that the warnings name")
    return summary


class _Sink(io.FileIO):
    """A file whose writes never raise; `check` raises the first error.

    When HDF5 cannot write the last blocks of a file, it cannot close it, and the process ends with a segmentation
    fault. So errors such as a full disk are hidden from HDF5 and raised here.
    """

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.failure = self.failure or error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure


def _create_image_datasets(file: h5py.File, count: int, size: tuple[int, int]) -> None:
    for name, options in _IMAGE_DATASETS.items():
        shape = (count, *size, 3) if name == "images" else (count, *size)
        file.create_dataset(name, shape, chunks=(1, *shape[1:]), maxshape=shape, track_times=False, **options)


def _fill(file: h5py.File, sink: _Sink, samples: Iterable[PackedSample | BadSample], skip_bad: bool) -> SplitSummary:
    class_ids: list[int] = []
    num_instances: list[int] = []
    image_ids: list[str] = []
    original_sizes: list[tuple[int, int]] = []
    skipped: dict[str, str] = {}  # message by image id
    dropped: Counter[str] = Counter()
    for sample in samples:
        if isinstance(sample, BadSample):
            if not skip_bad:
                raise BadSampleError(sample.message)
            skipped[sample.image_id] = sample.message
            continue
        row = len(image_ids)
        # the chunks are already in HDF5's stored form, so its filters are bypassed
        file["images"].id.write_direct_chunk((row, 0, 0, 0), sample.image)
        file["instance_maps"].id.write_direct_chunk((row, 0, 0), sample.instance_map)
        file["ignore_masks"].id.write_direct_chunk((row, 0, 0), sample.ignore_mask)
        dropped.update(sample.dropped)
        class_ids.extend(sample.class_ids)
        num_instances.append(len(sample.class_ids))
        image_ids.append(sample.image_id)
        original_sizes.append(sample.original_size)
        sink.check()
    for name in _IMAGE_DATASETS:
        file[name].resize(len(image_ids), axis=0)
    file.create_dataset("num_instances", data=np.array(num_instances, np.int32), track_times=False)
    file.create_dataset("class_ids", data=np.array(class_ids, np.int32), track_times=False)
    file.create_dataset("image_ids", data=image_ids, dtype=h5py.string_dtype(), track_times=False)
    file.create_dataset("original_sizes", data=np.array(original_sizes, np.int32), track_times=False)
    file.attrs["skipped"] = json.dumps(list(skipped))
    return SplitSummary(len(image_ids), len(class_ids), tuple(skipped.values()), dropped)


def _write_attributes(
    file: h5py.File, class_names: tuple[str, ...], size: tuple[int, int], origin: SplitOrigin
) -> None:
    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["dataset"] = origin.dataset
    file.attrs["split"] = origin.split
    file.attrs["class_names"] = json.dumps(class_names)
    file.attrs["source_digest"] = origin.source_digest
    file.attrs["made_from"] = json.dumps(origin.made_from, sort_keys=True)
    file.attrs["size"] = size
    if origin.reading:
        file.attrs["reading"] = json.dumps(origin.reading, sort_keys=True)
