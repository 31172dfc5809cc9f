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
    """Where raw files come from.

    Attributes:
        generated: Whether the project makes the images itself, so that scores on them are no benchmark's.
    """

    generated: ClassVar[bool] = False


class PlantSource(_Source):
    """Rosette plants made by `rsis.data.synthetic.plants.dataset`, written in the CVPPP layout."""

    generated: ClassVar[bool] = True
    kind: Literal["plants"]
    seed: Seed
    image_size: DrawnSize
    training: Count
    testing: Count
    leaves: ObjectRange


class SceneSource(_Source):
    """Everyday scenes made by `rsis.data.synthetic.scenes.dataset`, written in the layout of VOC 2012 and of sbdataset.

    `train` and `val` are the sizes of VOC's image sets. sbdataset has that many images more, and annotates
    VOC's a second time, as the real one does.
    """

    generated: ClassVar[bool] = True
    kind: Literal["scenes"]
    seed: Seed
    image_size: DrawnSize
    train: Count
    val: Count
    sbdataset: Epoch
    objects: ObjectRange


class StreetSource(_Source):
    """Street scenes made by `rsis.data.synthetic.streets.dataset`, written in the Cityscapes layout."""

    generated: ClassVar[bool] = True
    kind: Literal["streets"]
    seed: Seed
    image_size: DrawnSize
    train: Count
    val: Count
    test: Count
    objects: ObjectRange


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

    The environment variable named by `env`, when set, replaces `path`. `obtain` is told to a user who has
    not got the folder yet. For a data set in the CVPPP format the folder may hold the HDF5 files (*.h5) of the
    LSC 2017 in place of PNG files; `rsis download` writes the folders that the splits name out of them.
    """

    kind: Literal["folder"]
    path: OwnFolder
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
        checksum: "md5:..." or "sha256:...", hexadecimal. None = that of the first download, which later ones must
            have (`rsis.data.download.first_download`).
        unpack: Whether it is a tar or zip archive to unpack into the data set's folder; else it is put there.
    """

    urls: Annotated[tuple[Address, ...], Field(min_length=1)]
    size: Count | None = None
    checksum: Annotated[str, Field(pattern="^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")] | None = None
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
    path: OwnFolder | None = None
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
