"""Reader of Pascal VOC 2012 and of sbdataset, the Semantic Boundaries Dataset, which annotates more images of VOC.

    <voc>/JPEGImages/2007_000032.jpg           the picture
    <voc>/SegmentationObject/2007_000032.png   palette PNG: 0 = background, 1..254 = one object each, 255 = void
    <voc>/SegmentationClass/2007_000032.png    palette PNG: the class 1..20 of each object's pixels, 255 = void
    <sbdataset>/img/2008_000003.jpg            the picture
    <sbdataset>/inst/2008_000003.mat           see `rsis.data.readers.sbdataset`

For an image that both annotate, VOC's annotation is used: its masks are finer and have void borders. The PNG files are
read as palette indices and not converted, since the palette's colours have no meaning. PNG files in colour, as CVAT
writes them, are read by the colours of VOC's own palette.
"""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rsis.config.datasets import VocDataset, VocSplit
from rsis.data.readers.base import BadSampleError, OnMissing, refuse
from rsis.data.readers.images import read_image
from rsis.data.readers.pictures import Picture, read_picture
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
    """Reader of one split; an image id is the file name without its extension, such as 2007_000032.

    Attributes:
        class_names: The twenty classes of VOC, in VOC's order.
        image_ids: Sorted (see `rsis.splits.voc`), including the images without objects.

    Args:
        root: Folder that the paths of the data set are relative to.
        dataset: The folders of VOC and sbdataset.
        split: The split.
        on_missing: Called for each missing file of an image; the default raises.

    Raises:
        UserError: A folder or an image list is missing or faulty, the split has no image, or an image lacks
            its picture or its annotation.
    """

    class_names: tuple[str, ...] = VOC_CLASSES

    def __init__(self, root: Path, dataset: VocDataset, split: VocSplit, on_missing: OnMissing = refuse) -> None:
        images = split_images(root, dataset, split)
        self._voc = root / dataset.voc
        self._sbdataset = root / (dataset.sbdataset or "")  # only used when the split has images of sbdataset
        # each folder is listed once: a check of each file would take minutes on a network disk
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
        """Read one image; its objects are numbered in rising order of their numbers in the annotation.

        `ignore_mask` is true where one of VOC's two PNG files is void. Annotations of sbdataset have no void.

        Raises:
            BadSampleError: A file is damaged, a PNG is neither a palette image nor in VOC's colours, the sizes differ,
                no class has the majority of an object's pixels, or a class is not in the class list.
        """
        picture_path, *annotation_paths = self._files(image_id)
        picture = read_picture(picture_path)
        if image_id in self._by_voc:
            objects, classes = (_read_indices(path) for path in annotation_paths)
            _check_size(classes, annotation_paths[1], picture)
            _check_size(objects, annotation_paths[0], picture)
            if objects.shape != classes.shape:  # a turned picture has two sizes
                found, other = (" x ".join(map(str, array.shape)) for array in (classes, objects))
                raise BadSampleError(
                    f"{annotation_paths[1]}: {found} pixels, {other} in SegmentationObject; restore the matching files"
                )
            ignore_mask = (objects == VOID) | (classes == VOID)
            class_ids = np.array(list(_classes_of(objects, classes, annotation_paths[1])), np.int64)
        else:
            objects, class_ids = read_sbdataset(annotation_paths[0], len(VOC_CLASSES))
            _check_size(objects, annotation_paths[0], picture)
            ignore_mask = np.zeros(objects.shape, bool)
        return RawSample(
            image=picture.as_annotated(objects.shape),
            instance_map=relabel(np.where(ignore_mask, 0, objects)),
            class_ids=class_ids,
            ignore_mask=ignore_mask,
            image_id=image_id,
            frame_is_assumed=picture.is_assumed(objects.shape),
        )

    def _files(self, image_id: str) -> tuple[Path, ...]:
        """Return the paths of an image: the picture, then VOC's objects and classes or sbdataset's file."""
        if image_id in self._by_voc:
            folders = {"JPEGImages": ".jpg", "SegmentationObject": ".png", "SegmentationClass": ".png"}
            return tuple(self._voc / folder / f"{image_id}{suffix}" for folder, suffix in folders.items())
        return self._sbdataset / "img" / f"{image_id}.jpg", self._sbdataset / "inst" / f"{image_id}.mat"


def _stems(folder: Path, suffix: str) -> set[str]:
    """Return the names of the folder's files with a suffix, without that suffix."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise UserError(
            f"{folder}: cannot list the folder ({error.strerror}); run `rsis download DATASET`, or correct params.yaml"
        ) from error
    return {name.removesuffix(suffix) for name in names if name.endswith(suffix)}


def _read_indices(path: Path) -> np.ndarray:
    """Return the palette indices of a PNG, uint8 [H, W]; for one in colour the indices of its colours in VOC's palette.

    Raises:
        BadSampleError: It is neither, or has a colour that VOC's palette lacks.
    """
    image = read_image(path)
    if image.mode in ("RGB", "RGBA"):
        codes = np.asarray(image.convert("RGB")).astype(np.int32) @ (65536, 256, 1)
        palette = _voc_palette().astype(np.int32) @ (65536, 256, 1)
        order = np.argsort(palette)
        places = np.searchsorted(palette[order], codes).clip(max=255)
        indices: np.ndarray = order[places].astype(np.uint8)
        strange = codes[palette[indices] != codes]
        if strange.size:
            colour = tuple(int(strange[0]) >> shift & 255 for shift in (16, 8, 0))
            raise BadSampleError(
                f"{path}: colour {colour}, expected the colours of VOC's palette, or palette indices; export the masks "
                "with VOC's colours, or restore the original file"
            )
        return indices
    if image.mode != "P":
        raise BadSampleError(
            f"{path}: pixels of mode {image.mode}, expected palette indices, which a mask converted to grey has lost; "
            "restore the original file"
        )
    return np.asarray(image)


@functools.cache
def _voc_palette() -> np.ndarray:
    """Return the 256 colours of VOC's palette, uint8 [256, 3]: bits 0, 3 and 6 of an index make red, and so on."""
    palette = np.zeros((256, 3), np.uint8)
    for index in range(256):
        for bit in range(8):
            palette[index, bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
    return palette


def _check_size(annotation: np.ndarray, path: Path, picture: Picture) -> None:
    if picture.frame_of(annotation.shape) is None:
        found, expected = (" x ".join(map(str, size)) for size in (annotation.shape, picture.size))
        raise BadSampleError(f"{path}: {found} pixels, its picture has {expected}; restore the matching files")


def _classes_of(objects: np.ndarray, classes: np.ndarray, path: Path) -> Iterator[int]:
    """Yield the class of each object, in rising order of the object numbers.

    An object has the class of the majority of its pixels; void pixels do not count. A few pixels of other classes are
    accepted. Without a majority for a class 1..20, the two files do not belong together.

    Args:
        objects: uint8 [H, W], object number of each pixel.
        classes: uint8 [H, W], class of each pixel.
        path: The file of `classes`, for the error messages.

    Raises:
        BadSampleError: An object has no such majority, or a class is unknown.
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
        counts = counts_of[number, :VOID]  # pixels of each class, without void
        best = int(counts.argmax())
        if best == 0 or 2 * counts[best] <= counts.sum():
            text = " and ".join(map(str, np.flatnonzero(counts))) or "void alone"
            raise BadSampleError(
                f"{path}: object {number} has class {text}, expected most of it to be one of 1 to "
                f"{len(VOC_CLASSES)}; restore the file, or the one in SegmentationObject"
            )
        yield best
