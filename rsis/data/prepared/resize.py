"""Raw samples brought to the network's size and packed for the file, by several processes, in the reader's order.

What is resized is compressed where it was read: the one process that writes would otherwise set the pace of
all, and arrays that compress to hundredths would travel between processes in full.

No torch here: the worker processes import this module, and torch would take them seconds.
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
COMPRESSION = 1  # level of gzip: higher ones take several times as long and save little


@dataclass(frozen=True)
class ResizedSample:
    """One image at the network's size.

    Attributes:
        image: uint8 [H, W, 3], RGB.
        instance_map: uint16 [H, W], 0 = background, 1..N consecutive.
        ignore_mask: bool [H, W], true where the annotation says nothing.
        class_ids: int64 [N], 1..K-1, class of objects 1..N.
        image_id: Name of the image, unique in its split.
        original_size: (H, W) before resizing.
    """

    image: np.ndarray
    instance_map: np.ndarray
    ignore_mask: np.ndarray
    class_ids: np.ndarray
    image_id: str
    original_size: tuple[int, int]


@dataclass(frozen=True)
class PackedSample:
    """One image as it goes into the prepared file.

    Attributes:
        image, instance_map, ignore_mask: The chunk of each data set, as HDF5 stores it (`pack_sample`).
        class_ids: Class of objects 1..N.
        image_id: Name of the image, unique in its split.
        original_size: (H, W) before resizing.
    """

    image: bytes
    instance_map: bytes
    ignore_mask: bytes
    class_ids: tuple[int, ...]
    image_id: str
    original_size: tuple[int, int]


@dataclass(frozen=True)
class BadSample:
    """An image whose files are broken.

    Attributes:
        image_id: Name of the image.
        message: One line that names the file and the fault.
    """

    image_id: str
    message: str


def resize_sample(sample: RawSample, size: tuple[int, int]) -> ResizedSample:
    """Bring a sample to `size`.

    The image is resized bilinearly with antialiasing, the maps by nearest neighbour (`resize_map`). Objects
    that lose all their pixels are dropped and the others renumbered 1..N in their old order. A sample that
    has the size already keeps every value.

    Args:
        sample: What a reader gives.
        size: (H, W) of the network's input.

    Raises:
        BadSampleError: More than 65535 objects are left, which the file format cannot hold.
    """
    resized = resize_map(sample.instance_map, size)
    present = np.bincount(resized.ravel()) > 0
    present[0] = False
    labels = np.flatnonzero(present)  # of 1..N, those that are left
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
    )


def pack_sample(sample: ResizedSample) -> PackedSample:
    """Turn a sample into chunks: the image's plain bytes, the maps' through HDF5's filters shuffle and gzip."""
    return PackedSample(
        image=sample.image.tobytes(),
        instance_map=_shuffle_and_compress(sample.instance_map.astype("<u2")),
        ignore_mask=_shuffle_and_compress(sample.ignore_mask.view(np.uint8)),
        class_ids=tuple(sample.class_ids.tolist()),
        image_id=sample.image_id,
        original_size=sample.original_size,
    )


def _shuffle_and_compress(values: np.ndarray) -> bytes:
    """Return all first bytes of the values, then all second ones, ..., in the format of zlib."""
    planes = values.reshape(-1).view(np.uint8).reshape(-1, values.itemsize).T
    return zlib.compress(planes.tobytes(), COMPRESSION)


def packed_samples(reader: SampleReader, size: tuple[int, int], workers: int) -> Generator[PackedSample | BadSample]:
    """Yield every sample of a reader at `size`, packed, in the order of `reader.image_ids`.

    Few samples are in memory at a time, however slow the consumer. Close the generator (`contextlib.closing`)
    to stop the processes early.

    Args:
        reader: Must be picklable when `workers` is above 1.
        size: (H, W) of the network's input.
        workers: Processes to read and resize with; 1 or less works in this process.

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
