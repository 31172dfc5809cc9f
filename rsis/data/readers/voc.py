"""Reader of Pascal VOC 2012 and of sbdataset, the Semantic Boundaries Dataset, which annotates more of its images.

    <voc>/JPEGImages/2007_000032.jpg           the picture
    <voc>/SegmentationObject/2007_000032.png   palette PNG: 0 = background, 1..254 = one object each, 255 = void
    <voc>/SegmentationClass/2007_000032.png    palette PNG: the class 1..20 of each object's pixels, 255 = void
    <sbdataset>/img/2008_000003.jpg            the picture
    <sbdataset>/inst/2008_000003.mat           see `rsis.data.readers.sbdataset`

An image that both annotate is VOC's: its masks are finer and have void borders. The PNG files are read as
indices and never converted, since the palette's colours mean nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rsis.config.datasets import VocDataset, VocSplit
from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.images import read_image, to_rgb
from rsis.data.readers.sbdataset import read_sbdataset
from rsis.errors import UserError
from rsis.masks import relabel
from rsis.splits.voc import split_images
from rsis.structures import RawSample

VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
VOID = 255


class VocReader:
    """Images of one split; image_id is the file name without its suffix, such as 2007_000032.

    Attributes:
        class_names: VOC's twenty, in its order.
        image_ids: Sorted (see `rsis.splits.voc`); images without objects are among them.

    Args:
        root: Folder that the paths of the data set are relative to.
        dataset: Where VOC and sbdataset are within it.
        split: Which images.
        on_missing: Told of each file of an image that is not there; by default it raises.

    Raises:
        UserError: A folder or an image list is missing or faulty, the split has no image, or an image lacks
            its picture or its annotation.
    """

    class_names: tuple[str, ...] = VOC_CLASSES

    def __init__(self, root: Path, dataset: VocDataset, split: VocSplit, on_missing: OnMissing = refuse) -> None:
        images = split_images(root, dataset, split)
        self._voc = root / dataset.voc
        self._sbdataset = root / (dataset.sbdataset or "")  # only used when the split takes images of it
        # one listing of each folder: a look at each file takes minutes on a network disk
        masks = (self._voc / "SegmentationObject", self._voc / "SegmentationClass")
        stems = {folder: _stems(folder, ".png") for folder in masks}
        self._by_voc = images.in_voc | set().union(*stems.values()).intersection(images.ids)
        incomplete = set()
        for image_id in images.ids:
            for path in self._files(image_id):
                if path.parent not in stems:
                    stems[path.parent] = _stems(path.parent, path.suffix)
                if image_id not in stems[path.parent]:
                    message = (
                        f"{path}: no such file, but an image list of the split has {image_id}; "
                        "restore the file, or take the image out of the list"
                    )
                    on_missing(path, message)
                    incomplete.add(image_id)
        self.image_ids: tuple[str, ...] = tuple(image_id for image_id in images.ids if image_id not in incomplete)

    def read(self, image_id: str) -> RawSample:
        """Read one image and its objects, numbered in the order of their numbers in the annotation.

        `ignore_mask` is true where either PNG of VOC is void; an annotation of sbdataset has no void.

        Raises:
            BadSampleError: A file is damaged, a PNG is no palette image, sizes differ, or an object has no
                class, several, or one outside the class list.
        """
        picture_path, *annotation_paths = self._files(image_id)
        image = to_rgb(read_image(picture_path), picture_path)
        if image_id in self._by_voc:
            objects, classes = (_read_indices(path) for path in annotation_paths)
            _check_size(classes, annotation_paths[1], image)
            _check_size(objects, annotation_paths[0], image)
            ignore_mask = (objects == VOID) | (classes == VOID)
            class_ids = np.array(list(_classes_of(objects, classes, annotation_paths[1])), np.int64)
        else:
            objects, class_ids = read_sbdataset(annotation_paths[0], len(VOC_CLASSES))
            _check_size(objects, annotation_paths[0], image)
            ignore_mask = np.zeros(objects.shape, bool)
        return RawSample(
            image=image,
            instance_map=relabel(np.where(ignore_mask, 0, objects)),
            class_ids=class_ids,
            ignore_mask=ignore_mask,
            image_id=image_id,
        )

    def _files(self, image_id: str) -> tuple[Path, ...]:
        """Return the picture and the annotation of an image: VOC's objects and classes, or sbdataset's file."""
        if image_id in self._by_voc:
            folders = {"JPEGImages": ".jpg", "SegmentationObject": ".png", "SegmentationClass": ".png"}
            return tuple(self._voc / folder / f"{image_id}{suffix}" for folder, suffix in folders.items())
        return self._sbdataset / "img" / f"{image_id}.jpg", self._sbdataset / "inst" / f"{image_id}.mat"


def _stems(folder: Path, suffix: str) -> set[str]:
    """Return the names of the folder's files of one kind, without the suffix."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise UserError(
            f"{folder}: cannot list the folder ({error.strerror}); run `rsis download DATASET`, or correct params.yaml"
        ) from error
    return {name.removesuffix(suffix) for name in names if name.endswith(suffix)}


def _read_indices(path: Path) -> np.ndarray:
    """Return the palette indices of a PNG, uint8 [H, W]."""
    image = read_image(path)
    if image.mode != "P":
        raise BadSampleError(
            f"{path}: pixels of mode {image.mode}, expected palette indices, which a mask converted to colour or grey "
            "has lost; restore the original file"
        )
    return np.asarray(image)


def _check_size(annotation: np.ndarray, path: Path, image: np.ndarray) -> None:
    if annotation.shape != image.shape[:2]:
        found, expected = (" x ".join(map(str, size)) for size in (annotation.shape, image.shape[:2]))
        raise BadSampleError(f"{path}: {found} pixels, its picture has {expected}; restore the matching files")


def _classes_of(objects: np.ndarray, classes: np.ndarray, path: Path) -> Iterator[int]:
    """Yield the class of each object in rising order of their numbers: the one that most of its pixels have.

    Void pixels do not count. An object more than half of another class or of none means that the two files do
    not belong together; stray pixels do not.

    Args:
        objects: uint8 [H, W], object numbers.
        classes: uint8 [H, W], classes of pixels.
        path: The file of `classes`, for the errors.
    """
    pairs = np.bincount(objects.ravel().astype(np.intp) * (VOID + 1) + classes.ravel(), minlength=(VOID + 1) ** 2)
    counts_of = pairs.reshape(VOID + 1, VOID + 1)  # pixels of each object number and class
    unknown = np.flatnonzero(counts_of.any(axis=0))
    unknown = unknown[(unknown > len(VOC_CLASSES)) & (unknown != VOID)]
    if len(unknown):
        raise BadSampleError(
            f"{path}: class {unknown[0]} in it, expected 0 to {len(VOC_CLASSES)} or {VOID} for void; restore the file"
        )
    for number in np.flatnonzero(counts_of.any(axis=1)):
        if number in (0, VOID):
            continue
        counts = counts_of[number, :VOID]  # of each class, void aside
        best = int(counts.argmax())
        if best == 0 or 2 * counts[best] <= counts.sum():
            text = " and ".join(map(str, np.flatnonzero(counts))) or "void alone"
            raise BadSampleError(
                f"{path}: object {number} has class {text}, expected most of it to be one of 1 to "
                f"{len(VOC_CLASSES)}; restore the file, or the one in SegmentationObject"
            )
        yield best
