"""Resizing and compression of raw samples in worker processes, in the order of the reader.

Each worker process compresses the samples that it has read and resized. Otherwise the single process that writes the
file would limit the speed, and maps would be sent between processes uncompressed, at a hundred times the size.

This module does not import torch: the worker processes import it, and torch would add seconds to their start.
"""

import zlib
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

import numpy as np

from rsis.data.readers.base import BadSampleError, SampleReader
from rsis.data.readers.images import resize_image
from rsis.machine.pool import map_in_processes
from rsis.masks import resize_map
from rsis.structures import RawSample

MAX_LABEL = int(np.iinfo(np.uint16).max)
COMPRESSION = 1  # level of gzip; higher levels take several times as long and save little


@dataclass(frozen=True)
class ResizedSample:
    """One image at the network's size.

    Attributes:
        image: uint8 [H, W, 3], RGB.
        instance_map: uint16 [H, W], 0 = background, 1..N consecutive.
        ignore_mask: bool [H, W], true on pixels without annotation.
        class_ids: int64 [N], 1..K-1, class of objects 1..N.
        image_id: Name of the image, unique in its split.
        original_size: (H, W) before resizing.
        dropped: The reason of each annotation that is not an object here, see `RawSample.dropped` and `too_small`.
    """

    image: np.ndarray
    instance_map: np.ndarray
    ignore_mask: np.ndarray
    class_ids: np.ndarray
    image_id: str
    original_size: tuple[int, int]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackedSample:
    """One image in the form in which the prepared file stores it.

    Attributes:
        image, instance_map, ignore_mask: The image's chunk of each HDF5 data set (see `pack_sample`).
        class_ids: Class of objects 1..N.
        image_id: Name of the image, unique in its split.
        original_size: (H, W) before resizing.
        dropped: The reason of each annotation that is not an object here.
    """

    image: bytes
    instance_map: bytes
    ignore_mask: bytes
    class_ids: tuple[int, ...]
    image_id: str
    original_size: tuple[int, int]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class BadSample:
    """An image whose files are broken.

    Attributes:
        image_id: Name of the image.
        message: One line that names the file and the fault.
    """

    image_id: str
    message: str


def too_small(size: tuple[int, int]) -> str:
    """Return the reason of objects that lose all their pixels when the image is resized to `size` (H, W)."""
    return f"too small at {size[0]} x {size[1]}"


def resize_sample(sample: RawSample, size: tuple[int, int]) -> ResizedSample:
    """Resize a sample to `size`.

    The image is resized bilinearly with antialiasing, the maps by nearest neighbour (`resize_map`). Objects
    that lose all their pixels are dropped and the others are renumbered 1..N in their old order. A sample that
    has the size already keeps all values.

    Args:
        sample: A sample of a reader.
        size: (H, W) of the network's input.

    Raises:
        BadSampleError: More than 65535 objects are left, which the file format cannot hold.
    """
    resized = resize_map(sample.instance_map, size)
    present = np.bincount(resized.ravel()) > 0
    present[0] = False
    labels = np.flatnonzero(present)  # the objects that have pixels left
    if len(labels) > MAX_LABEL:
        found = f"{sample.image_id}: found {len(labels)} objects"
        raise BadSampleError(f"{found}, expected at most {MAX_LABEL}; correct its annotation")
    rows, columns = sample.image.shape[:2]
    return ResizedSample(
        image=resize_image(sample.image, size),
        instance_map=(np.cumsum(present) * present).astype(np.uint16).take(resized),
        ignore_mask=resize_map(sample.ignore_mask, size),
        class_ids=sample.class_ids[labels - 1].astype(np.int64),
        image_id=sample.image_id,
        original_size=(rows, columns),
        dropped=(*sample.dropped, *[too_small(size)] * (len(sample.class_ids) - len(labels))),
    )


def pack_sample(sample: ResizedSample) -> PackedSample:
    """Return the sample's chunks: the plain bytes of the image, the maps after HDF5's filters shuffle and gzip."""
    return PackedSample(
        image=sample.image.tobytes(),
        instance_map=_shuffle_and_compress(sample.instance_map.astype("<u2")),
        ignore_mask=_shuffle_and_compress(sample.ignore_mask.view(np.uint8)),
        class_ids=tuple(sample.class_ids.tolist()),
        image_id=sample.image_id,
        original_size=sample.original_size,
        dropped=sample.dropped,
    )


def _shuffle_and_compress(values: np.ndarray) -> bytes:
    """Return the first bytes of all values, then all second bytes, ..., compressed in the zlib format."""
    planes = values.reshape(-1).view(np.uint8).reshape(-1, values.itemsize).T
    return zlib.compress(planes.tobytes(), COMPRESSION)


def packed_samples(
    reader: SampleReader, size: tuple[int, int], workers: int | None
) -> Generator[PackedSample | BadSample]:
    """Yield each sample of a reader, resized to `size` and packed, in the order of `reader.image_ids`.

    Few samples are in memory at a time, even with a slow consumer. Close the generator (`contextlib.closing`)
    to stop the processes early.

    Args:
        reader: Must be picklable unless `workers` is 1.
        size: (H, W) of the network's input.
        workers: Number of processes that read and resize; 1 or less works in this process, None chooses it.

    Raises:
        UserError: A worker process was killed.
    """
    remedy = "run again with fewer --workers"
    yield from map_in_processes(partial(_convert, reader, size), reader.image_ids, workers, remedy=remedy)


def _convert(reader: SampleReader, size: tuple[int, int], image_id: str) -> PackedSample | BadSample:
    try:
        return pack_sample(resize_sample(reader.read(image_id), size))
    except BadSampleError as error:
        return BadSample(image_id, str(error))
