"""Where the raw files of a data set come from: the key `source` of a data set in params.yaml."""

import os
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from rsis.config.types import Count, Epoch, Section, Seed
from rsis.files import paths

DrawnSide = Annotated[int, Field(ge=16, le=4096)]  # pixels; on fewer nothing can be told apart
DrawnSize = tuple[DrawnSide, DrawnSide]  # (H, W)


def _rises(numbers: tuple[int, int]) -> tuple[int, int]:
    if numbers[0] > numbers[1]:
        raise ValueError("the first is the least and the second the most; exchange them")
    return numbers


Objects = Annotated[int, Field(ge=1, le=250)]  # the files of the layouts number objects in 8 bits
ObjectRange = Annotated[tuple[Objects, Objects], AfterValidator(_rises)]


class _Source(Section):
    """Where raw files come from."""

    generated: ClassVar[bool] = False
    """Whether the project makes the images itself, so that scores on them are no benchmark's."""


class PlantSource(_Source):
    """Rosette plants made by `rsis.data.synthetic.plants.dataset`, written in the CVPPP layout."""

    generated: ClassVar[bool] = True
    kind: Literal["plants"]
    """Rosette plants, drawn here in the CVPPP layout."""
    seed: Seed
    """Of the pictures: the same seed draws the same ones."""
    image_size: DrawnSize
    """Height and width, in pixels."""
    training: Count
    """Plants in the folder training/A1."""
    testing: Count
    """Plants in the folder testing/A1."""
    leaves: ObjectRange
    """Least and most leaves of a plant."""


class SceneSource(_Source):
    """Everyday scenes made by `rsis.data.synthetic.scenes.dataset`, in the layout of VOC 2012 and of sbdataset."""

    generated: ClassVar[bool] = True
    kind: Literal["scenes"]
    """Everyday scenes, drawn here in the layout of VOC 2012 and sbdataset."""
    seed: Seed
    """Of the pictures: the same seed draws the same ones."""
    image_size: DrawnSize
    """Height and width, in pixels."""
    train: Count
    """Images in VOC's image set train."""
    val: Count
    """Images in VOC's image set val."""
    sbdataset: Epoch
    """Images that sbdataset has beside those of VOC, which it annotates a second time, as the real one does."""
    objects: ObjectRange
    """Least and most objects of an image."""


class StreetSource(_Source):
    """Street scenes made by `rsis.data.synthetic.streets.dataset`, written in the Cityscapes layout."""

    generated: ClassVar[bool] = True
    kind: Literal["streets"]
    """Streets, drawn here in the layout of Cityscapes."""
    seed: Seed
    """Of the pictures: the same seed draws the same ones."""
    image_size: DrawnSize
    """Height and width, in pixels."""
    train: Count
    """Images in the folder train."""
    val: Count
    """Images in the folder val."""
    test: Count
    """Images in the folder test."""
    objects: ObjectRange
    """Least and most objects of an image."""


def _is_outside(folder: str) -> str:
    """Refuse a folder that a stage writes into, since DVC and the stages replace those as a whole."""
    output = paths.output_beside(Path(folder).expanduser())
    if output is not None:
        raise ValueError(
            f"found {folder!r}, but rsis writes {output} and replaces what stands there; move your files to a folder "
            "of another place or name, then correct the path"
        )
    return folder


OwnFolder = Annotated[str, AfterValidator(_is_outside)]


class FolderSource(_Source):
    """A folder of the user's that is read where it stands and never changed.

    Of HDF5 files of the LSC 2017 in it, `rsis download` writes the folders that the splits name.
    """

    kind: Literal["folder"]
    """A folder of yours, read where it stands and never changed. For the format cvppp it may hold the .h5 files of LSC
    2017 in place of PNG files."""
    path: OwnFolder
    """The folder; a relative path begins in the folder where `rsis` runs."""
    env: str | None = None
    """Name of an environment variable that, when set, replaces `path`."""
    obtain: str | None = None
    """How to get the data; it is shown where the folder is missing."""

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
    """One file to fetch (`rsis.data.download.first_download` remembers a checksum that is not given)."""

    urls: Annotated[tuple[Address, ...], Field(min_length=1)]
    """Addresses, tried in turn: the first that answers is used. Put a mirror of yours first."""
    size: Count | None = None
    """Bytes; null when they are not known."""
    checksum: Annotated[str, Field(pattern="^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")] | None = None
    """Written as "md5:..." or "sha256:...", hexadecimal. With null, later downloads must have the bytes of the
    first one."""
    unpack: bool = True
    """Whether to unpack it, a tar or zip archive, into the data set's folder; otherwise it is put there as it is."""
    max_unpacked: Count | None = None
    """Most bytes that it is unpacked to, since a small archive can fill the disk; null is 100 times its size and 100
    megabytes."""


FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$")]


class ArchiveSource(_Source):
    """Files on the web that anyone may fetch, by the names they get; unpacked in this order."""

    kind: Literal["archives"]
    """Files on the web that anyone may fetch."""
    files: Annotated[dict[FileName, Archive], Field(min_length=1)]
    """What to fetch, by the names that the files get; unpacked in this order."""


class CityscapesSource(_Source):
    """Cityscapes: a folder that is there already, or the official packages fetched with an account."""

    kind: Literal["cityscapes"]
    """Cityscapes: a folder that is there already, or the official packages, fetched with an account."""
    path: OwnFolder | None = None
    """The folder that is there; with null, and no `env`, the packages are fetched."""
    env: str | None = None
    """Name of an environment variable that, when set, replaces `path`."""
    packages: Annotated[tuple[FileName, ...], Field(min_length=1)]
    """Names of the packages to fetch, with the account in the official downloader's file or in the environment
    variables CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD."""
    server: Address = "https://www.cityscapes-dataset.com"
    """Address of the official server."""

    def resolve(self) -> Path | None:
        """Return the folder in use now, or None when none is named."""
        named = os.environ.get(self.env or "") or self.path
        return Path(named).expanduser() if named else None


Source = Annotated[
    PlantSource | SceneSource | StreetSource | FolderSource | ArchiveSource | CityscapesSource,
    Field(discriminator="kind"),
]
