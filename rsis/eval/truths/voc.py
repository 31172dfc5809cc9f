"""The ground truth of Pascal VOC 2012 and of sbdataset, the Semantic Boundaries Dataset."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from scipy.io import loadmat

from rsis.config.datasets import VocDataset, VocSplit
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth, TrueObject, once_an_image
from rsis.eval.truths.images import read_image
from rsis.files.manifest import Manifest, read_recorded
from rsis.machine.child import ChildError, InChild
from rsis.masks import encode_labels
from rsis.splits.voc import split_images

CLASS_NAMES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),  # 1 to 10
    *("diningtable", "dog", "horse", "motorbike", "person"),
    *("pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
_REMEDY = "restore it from the original data, or take the image out of the split's image lists"


class VocTruth(GroundTruth):
    """The images of a split with VOC's annotation or, for images that VOC has not annotated, with sbdataset's.

    The images are those of `rsis.splits.voc`. Void pixels, 255 in SegmentationObject or in SegmentationClass,
    belong to no object and are ignored; sbdataset has no void pixels.

    Args:
        root: Folder of the raw data.
        dataset: The folders of VOC and sbdataset.
        split: The split.
        manifest: Manifest of the raw data. If given, the bytes of each MATLAB file are compared with it, since a
            damaged file can crash the process that parses it.

    Raises:
        UserError: An image list is missing, faulty or empty. The methods raise it for a file that is missing,
            changed since the download, damaged or not of its format.
    """

    def __init__(self, root: Path, dataset: VocDataset, split: VocSplit, manifest: Manifest | None = None) -> None:
        images = split_images(root, dataset, split)
        super().__init__(images.ids, CLASS_NAMES)
        self._in_voc = images.in_voc
        self._manifest = manifest
        self._voc = root / dataset.voc
        self._sbdataset = root / dataset.sbdataset if dataset.sbdataset else self._voc

    def image_path(self, image_id: str) -> Path:
        """Return the path of the JPEG file in VOC's JPEGImages or in sbdataset's img."""
        folder = self._voc / "JPEGImages" if self._is_voc(image_id) else self._sbdataset / "img"
        return folder / f"{image_id}.jpg"

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the object numbers as annotated; 0 = background or void."""
        return self._read(image_id)[0]

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true on void pixels."""
        return self._read(image_id)[1]

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the objects in rising order of their numbers; there are no crowd regions."""
        labels, _, classes = self._read(image_id)
        return tuple(
            TrueObject(rle, classes[label], float(coco_mask.area(rle)), iscrowd=False)
            for label, rle in encode_labels(labels).items()
        )

    def _is_voc(self, image_id: str) -> bool:
        """Return whether VOC's annotation is used; it has precedence over sbdataset's."""
        masks = (self._voc / folder / f"{image_id}.png" for folder in ("SegmentationObject", "SegmentationClass"))
        return image_id in self._in_voc or any(path.exists() for path in masks)

    @once_an_image
    def _read(self, image_id: str) -> tuple[np.ndarray, np.ndarray, dict[int, int]]:
        """Return the object numbers, int32 [H, W], void = 0; the void mask, bool [H, W]; the class of each object."""
        if not self._is_voc(image_id):
            labels, classes = _read_mat(self._sbdataset / "inst" / f"{image_id}.mat", self._manifest)
            return labels, np.zeros(labels.shape, bool), classes
        path = self._voc / "SegmentationClass" / f"{image_id}.png"
        labels, pixel_classes = _read_png(self._voc / "SegmentationObject" / path.name), _read_png(path)
        if labels.shape != pixel_classes.shape:
            found = f"is {pixel_classes.shape}, but {labels.shape} in SegmentationObject"
            raise UserError(f"{path}: {found}; expected equal sizes; {_REMEDY}")
        void = (labels == 255) | (pixel_classes == 255)
        pairs = np.bincount((256 * labels + pixel_classes).ravel(), minlength=1 << 16).reshape(256, 256)
        classes = {}
        for label in map(int, np.flatnonzero(pairs[:255].any(axis=1))):
            if label == 0:
                continue
            pixels = pairs[label, :255]  # pixels of each class, without void
            main = int(pixels.argmax())
            if not 1 <= main <= 20 or pixels[main] * 2 <= pixels.sum():  # a few pixels of other classes are accepted
                found = f"has classes {np.flatnonzero(pixels).tolist()} in object {label}"
                raise UserError(f"{path}: {found}; expected most of it to be one of 1 to 20; {_REMEDY}")
            classes[label] = main
        labels[void] = 0
        return labels, void, classes


def _read_png(path: Path) -> np.ndarray:
    """Return int32 [H, W], the palette indices of a PNG file, or those of VOC's palette for a PNG file in colour."""
    image = read_image(path, _REMEDY)
    if image.mode in ("RGB", "RGBA"):
        return _indices_of_colours(np.asarray(image)[..., :3].astype(np.int32), path)
    if image.mode != "P":
        raise UserError(f"{path}: has pixels of mode {image.mode}; expected the indices of a palette; {_REMEDY}")
    return np.asarray(image).astype(np.int32)


def _indices_of_colours(colours: np.ndarray, path: Path) -> np.ndarray:
    """Return the indices of colours, int32 [H, W, 3], in VOC's palette.

    The palette spreads the bits of an index over the channels: bits 0, 3, 6 from the top of red, 1, 4, 7 of green and
    2, 5 of blue.
    """
    indices = np.zeros(colours.shape[:2], np.int32)
    expected = np.zeros_like(colours)
    for bit in range(8):
        place = 7 - bit // 3
        taken = colours[..., bit % 3] >> place & 1
        indices += taken << bit
        expected[..., bit % 3] += taken << place
    strange = np.argwhere((colours != expected).any(axis=2))
    if len(strange):
        row, column = strange[0]
        found = f"has the colour {tuple(colours[row, column].tolist())}"
        raise UserError(f"{path}: {found}; expected those of VOC's palette, or the indices of a palette; {_REMEDY}")
    return indices


def _read_mat(path: Path, manifest: Manifest | None) -> tuple[np.ndarray, dict[int, int]]:
    """Return the object numbers, int32 [H, W], and the class of each object."""
    try:
        content = _contents(path.read_bytes() if manifest is None else read_recorded(manifest, path))
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); {_REMEDY}") from error
    except ChildError as error:
        raise UserError(f"{path}: not a MATLAB file ({error}); {_REMEDY}") from error
    try:
        if isinstance(content, str):
            raise ValueError(content)
        segmentation, numbers = content
        labels = segmentation.astype(np.int32)
        if labels.ndim != 2 or (labels != segmentation).any() or labels.min(initial=0) < 0:
            raise ValueError("Segmentation is no image of whole numbers from 0")
        categories = [int(category) for category in numbers.ravel()]
        classes = {label: categories[label - 1] for label in np.unique(labels).tolist() if label}
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        expected = "GTinst with the numbers of objects in Segmentation and the class of each in Categories"
        raise UserError(f"{path}: lacks something ({error}); expected {expected}; {_REMEDY}") from error
    if not set(classes.values()) <= set(range(1, 21)):
        raise UserError(f"{path}: has classes {sorted(set(classes.values()))}; expected 1 to 20; {_REMEDY}")
    return labels, classes


def _read_struct(content: bytes) -> tuple[np.ndarray, np.ndarray] | str:
    """Return the arrays Segmentation and Categories of GTinst in the bytes of a MATLAB file, or what is lacking."""
    stream: Any = io.BytesIO(content)
    document = loadmat(stream, struct_as_record=False)
    try:
        struct = document["GTinst"].item()
        arrays = struct.Segmentation, struct.Categories
    except (KeyError, AttributeError, ValueError) as error:
        return str(error)
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in "uifb" for array in arrays):
        return "a field is not made of numbers"
    return arrays


_contents = InChild(_read_struct)  # scipy can crash on a damaged file
