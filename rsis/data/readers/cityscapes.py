"""Reader of Cityscapes: pictures and instance annotations in two trees, by split and city.

    leftImg8bit/<split>/<city>/<image_id>_leftImg8bit.png      the picture
    gtFine/<split>/<city>/<image_id>_gtFine_instanceIds.png    16-bit grey, one number a pixel

An image id is "<city>_<sequence>_<frame>". A number of 1000 or more is one object: its label id times 1000
plus a counter (26001 is a car). A number below 1000 is a label id: of a region without objects, or of a
group whose members were not told apart. By the official table of labels, a pixel is

- an object's, when its number is 1000 or more and its label one of the eight that have instances and are
  evaluated: person, rider, car, truck, bus, train, motorcycle, bicycle;
- ignored, when it belongs to a group of one of these eight, or when its label is left out of the official
  evaluation: void and the image's border, parking, rail track, guard rail, bridge, tunnel, pole group, and
  caravans and trailers, alone or in groups;
- background, when it has any other label, such as road, building or sky.

The images of the official test split come with an annotation in which all is void: they have no objects.
The other files in gtFine (colours, label ids, polygons) follow from or lead to this one and are not read.
"""

from pathlib import Path

import numpy as np
from cityscapesscripts.helpers.labels import labels

from rsis.config.datasets import CityscapesSplit
from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.images import read_image, to_rgb
from rsis.errors import UserError
from rsis.structures import RawSample

_PICTURE, _TRUTH = "_leftImg8bit.png", "_gtFine_instanceIds.png"
_PER_LABEL = 1000  # instance numbers of each label

_evaluated = [label for label in labels if label.hasInstances and not label.ignoreInEval]
_CLASS_OF = {label.id: class_id for class_id, label in enumerate(_evaluated, start=1)}
_REGIONS = frozenset(label.id for label in labels if label.id >= 0)
_COUNTED = frozenset(label.id for label in labels if label.hasInstances)
_LEFT_OUT = frozenset(label.id for label in labels if label.ignoreInEval)


class CityscapesReader:
    """Images of one split; image_id is the common part of the file names.

    Attributes:
        class_names: The eight evaluated classes, in the order of their label ids (24..33).
        image_ids: Sorted.

    Args:
        root: Holds leftImg8bit and gtFine.
        split: Which of their folders.
        on_missing: Told of each file of an image that is not there; by default it raises.

    Raises:
        UserError: A folder is missing, there is no image, a picture lacks its annotation or the reverse, or
            one image stands in two cities.
    """

    class_names: tuple[str, ...] = tuple(label.name for label in _evaluated)

    def __init__(self, root: Path, split: CityscapesSplit, on_missing: OnMissing = refuse) -> None:
        self._pictures = root / "leftImg8bit" / split.folder
        self._truths = root / "gtFine" / split.folder
        self._cities = _find(self._pictures, _PICTURE)
        annotated = _find(self._truths, _TRUTH)
        for image_id in sorted(self._cities.keys() ^ annotated.keys()):
            if image_id in self._cities:
                there = self._pictures / self._cities[image_id] / (image_id + _PICTURE)
                lacking = self._truths / self._cities[image_id] / (image_id + _TRUTH)
            else:
                there = self._truths / annotated[image_id] / (image_id + _TRUTH)
                lacking = self._pictures / annotated[image_id] / (image_id + _PICTURE)
            on_missing(lacking, f"{lacking}: no such file, but {there} is there; add the one or remove the other")
        self.image_ids: tuple[str, ...] = tuple(sorted(self._cities.keys() & annotated.keys()))
        self._truth_cities = annotated

    def read(self, image_id: str) -> RawSample:
        """Read one image; its objects are numbered by rising annotated number.

        Raises:
            BadSampleError: A file is damaged, the annotation is not 16-bit grey or of another size than the
                picture, or it has a number that no label allows.
        """
        picture_path = self._pictures / self._cities[image_id] / (image_id + _PICTURE)
        truth_path = self._truths / self._truth_cities[image_id] / (image_id + _TRUTH)
        image = to_rgb(read_image(picture_path), picture_path)
        ids = _read_ids(truth_path)
        if ids.shape != image.shape[:2]:
            raise BadSampleError(
                f"{truth_path}: {ids.shape[0]} x {ids.shape[1]} pixels, its picture has "
                f"{image.shape[0]} x {image.shape[1]}; restore the matching pair"
            )
        present = [int(number) for number in np.flatnonzero(np.bincount(ids.ravel()))]
        objects = [number for number in present if number // _PER_LABEL in _CLASS_OF]
        numbers = np.zeros(present[-1] + 1, np.int32)
        numbers[objects] = np.arange(1, len(objects) + 1)
        ignored = np.zeros(present[-1] + 1, bool)
        ignored[[number for number in present if _is_ignored(number)]] = True
        return RawSample(
            image=image,
            instance_map=numbers[ids],
            class_ids=np.array([_CLASS_OF[number // _PER_LABEL] for number in objects], np.int64),
            ignore_mask=ignored[ids],
            image_id=image_id,
        )


def _find(folder: Path, suffix: str) -> dict[str, str]:
    """Return the city folder of each image id that has a file with this suffix."""
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; it was to hold <city>/*{suffix}; "
            "run `rsis download DATASET`, or correct the split's folder in params.yaml"
        )
    cities: dict[str, str] = {}
    for city in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        for path in city.iterdir():
            if not path.name.endswith(suffix) or path.name.startswith("."):
                continue
            image_id = path.name.removesuffix(suffix)
            if image_id in cities:
                raise UserError(f"{path}: stands in {folder / cities[image_id]} too; expected once; remove one of them")
            cities[image_id] = city.name
    if not cities:
        raise UserError(f"{folder}: no <city>/*{suffix} in it; expected at least one; put the data there")
    return cities


def _read_ids(path: Path) -> np.ndarray:
    """Return int32 [H, W], the annotated numbers, all of which the table of labels allows."""
    image = read_image(path)
    if image.mode in ("1", "L", "P"):
        raise BadSampleError(
            f"{path}: 8 bits a pixel (mode {image.mode}), expected 16: a conversion has cut off object numbers "
            "such as 26001; restore the original file"
        )
    if image.mode != "I" and not image.mode.startswith("I;16"):
        raise BadSampleError(
            f"{path}: pixels of mode {image.mode}, expected 16-bit grey object numbers; restore the original file"
        )
    ids = np.asarray(image).astype(np.int32)  # never converted by Pillow, which may scale
    largest = _PER_LABEL * (max(_COUNTED) + 1)
    strange = [int(number) for number in (ids.min(), ids.max()) if not 0 <= number < largest]
    strange = strange or [int(n) for n in np.flatnonzero(np.bincount(ids.ravel())) if not _is_allowed(int(n))]
    if strange:
        raise BadSampleError(
            f"{path}: has the number {strange[0]}, which no Cityscapes label allows; expected a label id 0..33, or "
            "1000 times that of a class with instances plus a counter; restore the original file"
        )
    return ids


def _is_allowed(number: int) -> bool:
    return number in _REGIONS if number < _PER_LABEL else number // _PER_LABEL in _COUNTED


def _is_ignored(number: int) -> bool:
    """Whether pixels of this number are a group of an evaluated class or a label left out of the evaluation."""
    if number < _PER_LABEL:
        return number in _LEFT_OUT or number in _CLASS_OF
    return number // _PER_LABEL in _LEFT_OUT
