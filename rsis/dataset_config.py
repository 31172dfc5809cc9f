"""The data sets of params.yaml: where their raw files come from, their format, their splits."""

import os
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from rsis.own_split import MapsSplit, MasksSplit
from rsis.section import Count, Epoch, Section, Size, Split
from rsis.split_share import SharedSplit


class _Source(Section):
    """Where raw files come from.

    Attributes:
        generated: Whether the project makes the images itself, so that scores on them are no benchmark's.
    """

    generated: ClassVar[bool] = False


class PlantSource(_Source):
    """Rosette plants made by `rsis.data.synthetic`, written in the CVPPP layout."""

    generated: ClassVar[bool] = True
    kind: Literal["plants"]
    seed: int
    image_size: Size
    training: Count
    testing: Count
    leaves: tuple[Count, Count]


class SceneSource(_Source):
    """Everyday scenes made by `rsis.data.scenes`, written in the layout of VOC 2012 and of sbdataset.

    `train` and `val` are the sizes of VOC's image sets. sbdataset has that many images more, and annotates
    VOC's a second time, as the real one does.
    """

    generated: ClassVar[bool] = True
    kind: Literal["scenes"]
    seed: int
    image_size: Size
    train: Count
    val: Count
    sbdataset: Epoch
    objects: tuple[Count, Count]


class StreetSource(_Source):
    """Street scenes made by `rsis.data.streets`, written in the Cityscapes layout."""

    generated: ClassVar[bool] = True
    kind: Literal["streets"]
    seed: int
    image_size: Size
    train: Count
    val: Count
    test: Count
    objects: tuple[Count, Count]


class FolderSource(_Source):
    """A folder of the user's that is read where it stands and never changed.

    The environment variable named by `env`, when set, replaces `path`. `obtain` is told to a user who has
    not got the folder yet. For a data set in the CVPPP format the folder may hold the HDF5 files (*.h5) of the
    LSC 2017 in place of PNG files; `rsis download` writes the folders that the splits name out of them.
    """

    kind: Literal["folder"]
    path: str
    env: str | None = None
    obtain: str | None = None

    def resolve(self) -> Path:
        """Return the folder in use now."""
        return Path(os.environ.get(self.env or "") or self.path).expanduser()


def _is_address(text: str) -> str:
    try:
        pieces = urlsplit(text)
        whole = pieces.scheme in ("http", "https") and bool(pieces.hostname)
    except ValueError:
        whole = False
    if not whole:
        raise ValueError("expected an address that begins with http:// or https:// and a host")
    return text


Address = Annotated[str, AfterValidator(_is_address)]


class Archive(Section):
    """One file to fetch: `urls` are tried in turn, and the file must have these bytes.

    Attributes:
        urls: The first that answers is used; mirrors follow.
        size: Bytes.
        checksum: "md5:..." or "sha256:...", hexadecimal.
        unpack: Whether it is a tar or zip archive to unpack into the data set's folder; else it is put there.
    """

    urls: Annotated[tuple[Address, ...], Field(min_length=1)]
    size: Count | None = None
    checksum: Annotated[str, Field(pattern="^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")]
    unpack: bool = True


FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$")]


class ArchiveSource(_Source):
    """Files on the web that anyone may fetch, by the names they get; unpacked in this order."""

    kind: Literal["archives"]
    files: Annotated[dict[FileName, Archive], Field(min_length=1)]


class CityscapesSource(_Source):
    """Cityscapes: a folder that is there already, or the official packages fetched with an account.

    `path` (or the variable named by `env`) is used when one is named. Otherwise `packages` are fetched with the
    official downloader's own session, by the credentials in its file or in CITYSCAPES_USERNAME and
    CITYSCAPES_PASSWORD.
    """

    kind: Literal["cityscapes"]
    path: str | None = None
    env: str | None = None
    packages: Annotated[tuple[FileName, ...], Field(min_length=1)]
    server: Address = "https://www.cityscapes-dataset.com"

    def resolve(self) -> Path | None:
        """Return the folder in use now, or None when none is named."""
        named = os.environ.get(self.env or "") or self.path
        return Path(named).expanduser() if named else None


Source = Annotated[
    PlantSource | SceneSource | StreetSource | FolderSource | ArchiveSource | CityscapesSource,
    Field(discriminator="kind"),
]


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
