"""The data sets of params.yaml: their format, their splits, their size."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsis.config.sources import Source
from rsis.config.types import Count, Epoch, Section, Size, Split
from rsis.splits.exports import ExportSplit
from rsis.splits.own import MapsSplit, MasksSplit
from rsis.splits.share import SharedSplit


class CvpppSplit(Section):
    """Plants of one folder in the CVPPP layout."""

    folder: str
    """Folder of the PNG files, relative to the source. Of the .h5 files of LSC 2017: "training/A1", "testing/A1" and so
    on."""
    take: tuple[Epoch, Count] | None = None
    """Positions by sorted id, from the first up to before the second; null for all."""
    labels: bool = True
    """Whether there are label maps. With false, as in the challenge's testing folders, the pictures can be predicted
    on, but not scored."""


class CocoSplit(SharedSplit):
    """A COCO instance JSON and the folder that its file names are relative to; of its images perhaps a share."""

    annotations: str
    """The JSON file, relative to the source."""
    images: str
    """Folder that its file names are relative to, itself relative to the source."""


class VocSplit(SharedSplit):
    """Images of VOC 2012 and of sbdataset, united; where both annotate an image, VOC's annotation counts."""

    image_sets: tuple[str, ...] = ()
    """Of VOC: names of files in ImageSets/Segmentation, without .txt."""
    sbdataset: tuple[str, ...] = ()
    """Of sbdataset: names of its image lists, train and val."""
    exclude: tuple[str, ...] = ()
    """Image sets of VOC whose images are left out, whoever annotates them."""

    @model_validator(mode="after")
    def _takes_some(self) -> Self:
        if not self.image_sets and not self.sbdataset:
            raise ValueError("image_sets and sbdataset are both empty; name an image set in one of them")
        return self


class CityscapesSplit(Section):
    """One of the folders train, val, test under leftImg8bit and gtFine."""

    folder: str
    """Name of the folder under leftImg8bit and gtFine: train, val or test."""


class _Dataset(Section):
    source: Source
    """Where the raw files come from, by `kind`."""
    size: Size
    """Height and width, in pixels, that the network sees; images are resized to it."""
    skip_bad: bool = False
    """Whether to leave out images whose files are broken and, of the formats of own data, those that lack a file."""
    max_pixels: Count | None = None
    """Most pixels of a picture. A larger one is an error, since a small file can hold one that fills the memory; null
    stands for 178956970."""


class OwnDataset(_Dataset):
    """Of the formats of users' own data: how their pictures are read."""

    intensity: tuple[float, float] | None = None
    """Pixel values that become 0 and 255, for pictures of more than 8 bits or of floats; values beyond them are cut
    off. Those of 8 bits stay as they are. null: the 0.1th and the 99.9th percentile of the pictures that train, which
    `rsis prepare` measures. The checkpoint has them too, for new pictures."""
    channels: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)] | None = None
    """Which channels of a picture become red, green and blue, counted from 1: [1, 2, 3] or [2, 1] or, for grey, [1]. In
    a TIFF file without channels its pages are taken as channels. null: colours as they are, or up to three channels."""
    page: Count | None = None
    """Which page of each TIFF stack to use, counted from 1. null: each page is a picture of its own, where its instance
    map has as many pages."""
    annotated: Literal["upright", "stored"] = "upright"
    """Of photos whose EXIF orientation says that they are turned: whether annotations were drawn on the picture as
    viewers and annotation tools show it (upright), or on its pixels as they lie in the file (stored). It is asked only
    where the size of the annotation fits both."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.intensity is not None and self.intensity[0] >= self.intensity[1]:
            raise ValueError("intensity: the first number becomes black and must be below the second")
        return self


class CvpppDataset(_Dataset):
    """A data set in the CVPPP folder layout; one class, "leaf"."""

    format: Literal["cvppp"]
    """A folder of plantNNN_rgb.png and plantNNN_label.png, as in the CVPPP challenge; one class, leaf."""
    splits: dict[Split, CvpppSplit]
    """Which images train, validate and test."""
    plants: dict[str, Count] | None = None
    """How many plants a folder must have, such as {training/A1: 128}. Its labels must then be consecutive and agree
    with the counts in A1.csv, where that is there; null checks nothing."""


class CocoDataset(OwnDataset):
    """A data set as COCO instance JSON."""

    format: Literal["coco"]
    """COCO instance JSON; the classes are the categories of train, and those of val and test by their names."""
    splits: dict[Split, CocoSplit]
    """Which images train, validate and test."""
    crowd: Literal["ignore", "object"] = "ignore"
    """What annotations with iscrowd are: ignore takes them for groups whose pixels do not count, as COCO does; object
    for objects like all others. CVAT exports brush masks, and supervision objects of several parts, with iscrowd."""


class VocDataset(_Dataset):
    """Pascal VOC 2012 and the Semantic Boundaries Dataset; twenty classes."""

    format: Literal["voc"]
    """Pascal VOC 2012, perhaps with the Semantic Boundaries Dataset (sbdataset); twenty classes."""
    voc: str
    """Folder of VOC, relative to the source, with JPEGImages, SegmentationObject and so on."""
    sbdataset: str | None = None
    """Folder of sbdataset, relative to the source, with img, inst, train.txt and so on; null without it."""
    splits: dict[Split, VocSplit]
    """Which images train, validate and test."""


class CityscapesDataset(_Dataset):
    """Cityscapes; its eight classes that have instances."""

    format: Literal["cityscapes"]
    """Cityscapes, with its eight classes that have instances."""
    splits: dict[Split, CityscapesSplit]
    """Which images train, validate and test."""


class MapsDataset(OwnDataset):
    """Somebody's own data: a picture and an instance map of equal names; one class."""

    format: Literal["maps"]
    """Yours: a picture and an instance map of equal names, a number for each object and 0 elsewhere; one class."""
    class_name: str = "object"
    """Of every object."""
    classes: Annotated[dict[str, int], Field(min_length=1)] | None = None
    """Of maps with a map of classes beside each (key class_maps of a split): the number of each class in it, by its
    name, such as {cat: 1, dog: 2}; of maps in colours the number is 65536 red + 256 green + blue. Then
    `class_name` is of no object."""
    ignore_value: int | None = None
    """Number of the pixels that are not annotated, such as 255 or 65535: neither object nor background, so that they
    teach nothing. null: all are annotated. Other numbers below 1 are background. Of maps in colours the number is 65536
    red + 256 green + blue."""
    splits: dict[Split, MapsSplit]
    """Which images train, validate and test."""


class MasksDataset(OwnDataset):
    """Somebody's own data: a folder for each picture, with a mask for each object; one class."""

    format: Literal["masks"]
    """Yours: a folder for each picture, with the picture in images/ and a mask for each object in masks/; one class."""
    class_name: str = "object"
    """Of every object."""
    splits: dict[Split, MasksSplit]
    """Which images train, validate and test."""


class ExportDataset(OwnDataset):
    """Somebody's own data as an annotation tool saves or exports it, but for COCO JSON."""

    format: Literal["yolo", "labelme", "cvat", "labelstudio", "via", "geojson", "imagej"]
    """Yours, as a tool saves or exports it: yolo is YOLO's segmentation text, labelme LabelMe's JSON, cvat "CVAT for
    images" as XML, labelstudio Label Studio's JSON, via the VGG Image Annotator's JSON, geojson QuPath's GeoJSON,
    imagej ROI files of ImageJ and Fiji."""
    classes: Annotated[tuple[str, ...], Field(min_length=1)] = ("object",)
    """Names of the classes, for yolo in the order of its numbers from 0. Objects of other classes are an error; objects
    without a class are of the only one."""
    class_key: str | None = None
    """Of via: which attribute of a region names its class; null: no region does."""
    numbered_labels: bool = False
    """Of labelme: whether labels end in the number of the object, as cat-1 and cat-2 in early versions of LabelMe, so
    that the class is cat; false takes each label as a class."""
    splits: dict[Split, ExportSplit]
    """Which images train, validate and test."""

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: a name occurs twice; give each class its own")
        if self.numbered_labels and self.format != "labelme":
            raise ValueError("numbered_labels: is a key of the format labelme alone; remove it")
        if self.class_key is not None and self.format != "via":
            raise ValueError("class_key: is a key of the format via alone; remove it")
        return self


AnyDataset = CvpppDataset | CocoDataset | VocDataset | CityscapesDataset | MapsDataset | MasksDataset | ExportDataset
Dataset = Annotated[AnyDataset, Field(discriminator="format")]
