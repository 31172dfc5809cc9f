"""Reader of Cityscapes: pictures and instance annotations in two trees, by split and city.

    leftImg8bit/<split>/<city>/<image_id>_leftImg8bit.png      the picture
    gtFine/<split>/<city>/<image_id>_gtFine_instanceIds.png    16-bit grey, one instance id per pixel

An image id is "<city>_<sequence>_<frame>". An instance id of 1000 or more is one object: the label id times 1000
plus a counter (26001 is a car). An instance id below 1000 is a label id: of a region without objects, or of a
group whose members were not annotated separately. By the official table of labels, a pixel is

- part of an object, when its instance id is 1000 or more and its label is one of the eight that have instances and
  are evaluated: person, rider, car, truck, bus, train, motorcycle, bicycle;
- ignored, when it belongs to a group of one of these eight, or when the official evaluation leaves its label out:
  void and the image's border, parking, rail track, guard rail, bridge, tunnel, pole group, and caravans and
  trailers, alone or in groups;
- background, when it has any other label, such as road, building or sky.

In the annotations of the official test split all pixels are void, so these images have no objects. The other files
in gtFine (colours, label ids, polygons) contain the same annotation in other forms and are not read.
"""

from pathlib import Path

import numpy as np
from cityscapesscripts.helpers.labels import labels

from rsis.config.datasets import CityscapesSplit
from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.images import read_image
from rsis.data.readers.pictures import read_picture
from rsis.errors import UserError
from rsis.structures import RawSample

_PICTURE, _TRUTH = "_leftImg8bit.png", "_gtFine_instanceIds.png"
_PER_LABEL = 1000  # instance ids of each label

_evaluated = [label for label in labels if label.hasInstances and not label.ignoreInEval]
_CLASS_OF = {label.id: class_id for class_id, label in enumerate(_evaluated, start=1)}
_REGIONS = frozenset(label.id for label in labels if label.id >= 0)
_COUNTED = frozenset(label.id for label in labels if label.hasInstances)
_LEFT_OUT = frozenset(label.id for label in labels if label.ignoreInEval)


class CityscapesReader:
    """Reader of one split; an image id is the common part of an image's file names.

    Attributes:
        class_names: The eight evaluated classes, in the order of their label ids (24..33).
        image_ids: Sorted.

    Args:
        root: Folder that contains leftImg8bit and gtFine.
        split: The split's folder in both of them.
        on_missing: Called for each missing file of an image; the default raises.

    Raises:
        UserError: A folder is missing, there is no image, a picture has no annotation, an annotation has no picture,
            or an image is in two cities.
    """

    class_names: tuple[str, ...] = tuple(label.name for label in _evaluated)

    def __init__(self, root: Path, split: CityscapesSplit, on_missing: OnMissing = refuse) -> None:
        self._pictures = root / "leftImg8bit" / split.folder
        self._truths = root / "gtFine" / split.folder
        self._cities = _find(self._pictures, _PICTURE)
        annotated = _find(self._truths, _TRUTH)
        for image_id in sorted(self._cities.keys() ^ annotated.keys()):
            if image_id in self._cities:
                present = self._pictures / self._cities[image_id] / (image_id + _PICTURE)
                missing = self._truths / self._cities[image_id] / (image_id + _TRUTH)
            else:
                present = self._truths / annotated[image_id] / (image_id + _TRUTH)
                missing = self._pictures / annotated[image_id] / (image_id + _PICTURE)
            on_missing(missing, f"{missing}: no such file, but {present} is there; add the one or remove the other")
        self.image_ids: tuple[str, ...] = tuple(sorted(self._cities.keys() & annotated.keys()))
        self._truth_cities = annotated

    def read(self, image_id: str) -> RawSample:
        """Read one image; its objects are numbered in rising order of their instance ids.

        Raises:
            BadSampleError: A file is damaged, the annotation is not 16-bit grey, differs in size from the picture, or
                has an instance id that no label allows.
        """
        picture_path = self._pictures / self._cities[image_id] / (image_id + _PICTURE)
        truth_path = self._truths / self._truth_cities[image_id] / (image_id + _TRUTH)
        picture = read_picture(picture_path)
        ids = _read_ids(truth_path)
        if picture.frame_of(ids.shape) is None:
            raise BadSampleError(
                f"{truth_path}: {ids.shape[0]} x {ids.shape[1]} pixels, its picture has "
                f"{picture.size[0]} x {picture.size[1]}; restore the matching pair"
            )
        present = [int(number) for number in np.flatnonzero(np.bincount(ids.ravel()))]
        objects = [number for number in present if number // _PER_LABEL in _CLASS_OF]
        numbers = np.zeros(present[-1] + 1, np.int32)
        numbers[objects] = np.arange(1, len(objects) + 1)
        ignored = np.zeros(present[-1] + 1, bool)
        ignored[[number for number in present if _is_ignored(number)]] = True
        return RawSample(
            image=picture.as_annotated(ids.shape),
            instance_map=numbers[ids],
            class_ids=np.array([_CLASS_OF[number // _PER_LABEL] for number in objects], np.int64),
            ignore_mask=ignored[ids],
            image_id=image_id,
            frame_is_assumed=picture.is_assumed(ids.shape),
        )


def _find(folder: Path, suffix: str) -> dict[str, str]:
    """Return the name of the city folder by image id, for all files with this suffix."""
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
                raise UserError(f"{path}: is in {folder / cities[image_id]} too; expected once; remove one of them")
            cities[image_id] = city.name
    if not cities:
        raise UserError(f"{folder}: no <city>/*{suffix} in it; expected at least one; put the data there")
    return cities


def _read_ids(path: Path) -> np.ndarray:
    """Return the instance ids, int32 [H, W], after a check against the table of labels."""
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
    ids = np.asarray(image).astype(np.int32)  # not converted by Pillow, which may scale the values
    largest = _PER_LABEL * (max(_COUNTED) + 1)
    unknown = [int(number) for number in (ids.min(), ids.max()) if not 0 <= number < largest]
    unknown = unknown or [int(n) for n in np.flatnonzero(np.bincount(ids.ravel())) if not _is_allowed(int(n))]
    if unknown:
        raise BadSampleError(
            f"{path}: has the number {unknown[0]}, which no Cityscapes label allows; expected a label id 0..33, or "
            "1000 times that of a class with instances plus a counter; restore the original file"
        )
    return ids


def _is_allowed(number: int) -> bool:
    return number in _REGIONS if number < _PER_LABEL else number // _PER_LABEL in _COUNTED


def _is_ignored(number: int) -> bool:
    """Return whether an instance id is a group of an evaluated class, or has a label that the evaluation leaves out."""
    if number < _PER_LABEL:
        return number in _LEFT_OUT or number in _CLASS_OF
    return number // _PER_LABEL in _LEFT_OUT
