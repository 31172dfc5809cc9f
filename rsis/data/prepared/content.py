"""The check of a prepared file when it is opened: types, shapes, sums and ranges, before anything large is read.

The values of images and maps are not looked at here, since that takes as long as reading them all;
`PreparedSplit.read` checks those of the image that it reads.
"""

import json
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from rsis.data.prepared.resize import MAX_LABEL
from rsis.data.prepared.writer import SCHEMA_VERSION
from rsis.data.readers.rules import PictureRules
from rsis.files.hdf5 import own_dataset

IMAGE_DATASETS = {"images": np.uint8, "instance_maps": np.uint16, "ignore_masks": np.uint8}
FAULTS = (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError, OverflowError)
"""What h5py and the checks raise for files of wrong content."""
_LONGEST_SIDE = 8192  # pixels, as in params.yaml
_MOST_PIXELS = 2**30  # of a raw image
_WHOLE_FILE = 2**50  # bytes: images and maps are read one at a time


@dataclass(frozen=True)
class Tables:
    """All of a prepared file but the images and maps.

    Attributes:
        attributes: As stored.
        class_names: Names of classes 1..K-1.
        size: (H, W) of the prepared images.
        source_digest: Digest of the raw data's manifest.
        reading: Keys of the data set by which its files were read, see `rsis.data.prepared.writer`.
        made_from: What params.yaml said of the split when it was prepared; empty for a file of an earlier version.
        image_ids: Name of each image, in file order.
        original_sizes: (H, W) of each raw image.
        ends: int64 [n], sum of the numbers of objects up to each image.
        class_ids: int64 [M], 1..K-1.
    """

    attributes: dict[str, Any]
    class_names: tuple[str, ...]
    size: tuple[int, int]
    source_digest: str
    reading: dict[str, Any]
    made_from: dict[str, Any]
    image_ids: tuple[str, ...]
    original_sizes: tuple[tuple[int, int], ...]
    ends: np.ndarray
    class_ids: np.ndarray


def read_tables(file: h5py.File) -> Tables:
    """Read and check an open prepared file of this schema version.

    Raises:
        ValueError: The content is not as `rsis.data.prepared.writer` documents it; the message says what was found
            and what was expected. Other exceptions of `FAULTS` for damaged files.
    """
    attributes = dict(file.attrs)
    if (version := attributes.get("schema_version")) != SCHEMA_VERSION:
        raise ValueError(f"schema version {version}, expected {SCHEMA_VERSION}")
    class_names = _class_names(_text(attributes, "class_names"))
    size = _size(attributes.get("size"))
    count = _check_images(file, size)
    ids = own_dataset(file, "image_ids")
    _expect(ids.shape == (count,) and h5py.check_string_dtype(ids.dtype) is not None, f"text [{count}]", ids)
    image_ids = tuple(ids.asstr()[:].tolist())
    if len(set(image_ids)) != count:
        raise ValueError("image_ids has a name twice, expected each once")
    sizes = _integers(file, "original_sizes", (count, 2), 1, 2**31 - 1)
    if sizes.prod(axis=1).max() > _MOST_PIXELS:
        raise ValueError(
            f"original_sizes has {sizes[sizes.prod(axis=1).argmax()].tolist()}, expected pixels of a picture"
        )
    numbers = _integers(file, "num_instances", (count,), 0, MAX_LABEL)
    class_ids = _integers(file, "class_ids", (int(numbers.sum()),), 1, len(class_names))
    return Tables(
        attributes=attributes,
        class_names=class_names,
        size=size,
        source_digest=_text(attributes, "source_digest"),
        reading=_reading(attributes),
        made_from=_json_object(attributes, "made_from"),
        image_ids=image_ids,
        original_sizes=tuple((height, width) for height, width in sizes.tolist()),
        ends=np.cumsum(numbers),
        class_ids=class_ids,
    )


def image_datasets(file: h5py.File) -> tuple[h5py.Dataset, ...]:
    """Return images, instance_maps and ignore_masks of an open file."""
    return tuple(own_dataset(file, name, most_bytes=_WHOLE_FILE) for name in IMAGE_DATASETS)


def _check_images(file: h5py.File, size: tuple[int, int]) -> int:
    """Check type, shape and chunks of images and maps; return the number of images."""
    images, *maps = image_datasets(file)
    count: int = images.shape[0] if images.shape else 0
    for dataset, kind in zip((images, *maps), IMAGE_DATASETS.values(), strict=True):
        shape = (count, *size, 3) if dataset is images else (count, *size)
        fits = count > 0 and dataset.shape == shape and dataset.dtype == kind and dataset.chunks == (1, *shape[1:])
        _expect(fits, f"{np.dtype(kind)} {list(shape)} in a chunk for each image", dataset)
    if images.id.get_storage_size() != images.nbytes:
        raise ValueError(f"images holds {images.id.get_storage_size()} bytes, expected {images.nbytes}")
    return count


def _integers(file: h5py.File, name: str, shape: tuple[int, ...], least: int, most: int) -> np.ndarray:
    """Return int64 values of this shape within least..most."""
    dataset = own_dataset(file, name)
    _expect(dataset.shape == shape and dataset.dtype.kind in "iu", f"integers {list(shape)}", dataset)
    values: np.ndarray = dataset[...].astype(np.int64)
    if values.size and not (values.min() >= least and values.max() <= most):
        raise ValueError(f"{name} has values {values.min()} to {values.max()}, expected {least} to {most}")
    return values


def _expect(fits: bool, expected: str, dataset: h5py.Dataset) -> None:
    if not fits:
        found = f"{dataset.dtype} {list(dataset.shape)}" + (f" in chunks {dataset.chunks}" if dataset.chunks else "")
        raise ValueError(f"{dataset.name.strip('/')} is {found}, expected {expected}")


def _text(attributes: dict[str, Any], name: str) -> str:
    value = attributes.get(name)
    if not isinstance(value, str):
        raise ValueError(f"attribute {name} is {_brief(value)}, expected text")
    return value


def _reading(attributes: dict[str, Any]) -> dict[str, Any]:
    reading = _json_object(attributes, "reading")
    PictureRules.from_reading(reading)  # raises a ValueError for other types
    return reading


def _json_object(attributes: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an attribute, empty if it is absent."""
    text = _text(attributes, name) if name in attributes else "{}"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"attribute {name} is no JSON ({_brief(error)})") from error
    if not isinstance(value, dict):
        raise ValueError(f"attribute {name} is {_brief(value)}, expected a JSON object")
    return value


def _class_names(text: str) -> tuple[str, ...]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"attribute class_names is no JSON ({_brief(error)})") from error
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"attribute class_names is {_brief(names)}, expected a list of names")
    return tuple(names)


def _size(value: Any) -> tuple[int, int]:
    sides = np.asarray(value)
    if sides.shape != (2,) or sides.dtype.kind not in "iu" or not 1 <= sides.min() <= sides.max() <= _LONGEST_SIDE:
        raise ValueError(f"attribute size is {_brief(value)}, expected height and width, 1 to {_LONGEST_SIDE}")
    return int(sides[0]), int(sides[1])


def _brief(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
