"""The data sets of params.yaml: their format, their splits, their size."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsis.config.sources import Source
from rsis.config.types import Count, Epoch, Section, Size, Split
from rsis.splits.own import MapsSplit, MasksSplit
from rsis.splits.share import SharedSplit


class CvpppSplit(Section):
    """Plants of one folder in the CVPPP layout.

    Attributes:
        folder: Holds the PNG files. Of LSC 2017 HDF5 files: "training/A1", "testing/A1" and so on.
        take: Positions `take[0]..take[1]-1` by sorted id; None for all.
        labels: False for the challenge's testing folders, which have pictures alone: they can be predicted on,
            not scored.
    """

    folder: str
    take: tuple[Epoch, Count] | None = None
    labels: bool = True


class CocoSplit(SharedSplit):
    """A COCO instance JSON and the folder that its file names are relative to; of its images perhaps a share."""

    annotations: str
    images: str


class VocSplit(SharedSplit):
    """Images of VOC 2012 and of sbdataset, united; where both annotate an image, VOC's annotation counts.

    Attributes:
        image_sets: Of VOC: names of files in ImageSets/Segmentation.
        sbdataset: Of sbdataset: names of its image lists (train, val).
        exclude: Image sets of VOC whose images are left out, whoever annotates them.
    """

    image_sets: tuple[str, ...] = ()
    sbdataset: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _takes_some(self) -> Self:
        if not self.image_sets and not self.sbdataset:
            raise ValueError("image_sets and sbdataset are both empty; name an image set in one of them")
        return self


class CityscapesSplit(Section):
    """One of the folders train, val, test under leftImg8bit and gtFine."""

    folder: str


class _Dataset(Section):
    source: Source
    size: Size
    skip_bad: bool = False


class CvpppDataset(_Dataset):
    """A data set in the CVPPP folder layout; one class, "leaf".

    Attributes:
        plants: How many plants a folder must have, such as {training/A1: 128}. Such a folder must also have
            consecutive labels and, where A1.csv is there, its counts. None = nothing is checked.
    """

    format: Literal["cvppp"]
    splits: dict[Split, CvpppSplit]
    plants: dict[str, Count] | None = None


class CocoDataset(_Dataset):
    """A data set as COCO instance JSON."""

    format: Literal["coco"]
    splits: dict[Split, CocoSplit]


class VocDataset(_Dataset):
    """Pascal VOC 2012 and the Semantic Boundaries Dataset; twenty classes.

    Attributes:
        voc: Folder of VOC within the raw data, with JPEGImages, SegmentationObject, ...
        sbdataset: Folder of sbdataset within it, with img, inst, train.txt, ...; None = without.
    """

    format: Literal["voc"]
    voc: str
    sbdataset: str | None = None
    splits: dict[Split, VocSplit]


class CityscapesDataset(_Dataset):
    """Cityscapes; its eight classes that have instances."""

    format: Literal["cityscapes"]
    splits: dict[Split, CityscapesSplit]


class MapsDataset(_Dataset):
    """Somebody's own data: a picture and an instance map of equal names; one class."""

    format: Literal["maps"]
    class_name: str = "object"
    splits: dict[Split, MapsSplit]


class MasksDataset(_Dataset):
    """Somebody's own data: a folder for each picture, with a mask for each object; one class."""

    format: Literal["masks"]
    class_name: str = "object"
    splits: dict[Split, MasksSplit]


AnyDataset = CvpppDataset | CocoDataset | VocDataset | CityscapesDataset | MapsDataset | MasksDataset
Dataset = Annotated[AnyDataset, Field(discriminator="format")]
VARIANTS = {"plants", "scenes", "streets", "folder", "archives", "cityscapes", "cvppp", "coco", "voc"} | {
    "maps",
    "masks",
}
"""Names of the variants above, which pydantic puts into the path of an error."""
