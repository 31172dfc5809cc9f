"""The manifest of a raw data set: MANIFEST.json, the list of its files with their digests, by `rsis download`.

The manifest lies in `data/raw/NAME`. An example with two files:

    {
      "dataset": "plants",
      "files": {
        "testing/A1/A1.csv": {"sha256": "77b4...", "size": 19},
        "testing/A1/plant001_rgb.png": {"sha256": "0c5f...", "size": 21853}
      },
      "root": ".",
      "schema_version": 1,
      "source": {"kind": "plants", "seed": 1}
    }

`root` is "." for data that lies beside the manifest. For a user's folder it is relative to the manifest when that
folder lies in the project (so that the project may be moved), and absolute otherwise.
`source` repeats the data set's source section of params.yaml. `files` is sorted by path; a path is
relative to the root and has forward slashes. Not listed are hidden files and folders, the files that file managers
leave behind, READMEs (a corrected README does not make a different data set) and MANIFEST.json itself. The manifest of
a user's folder has two more keys:

      "only": [".jpg", ".png", "train.json"],
      "lists": true

Files with none of these suffixes or paths belong to no data set and are not listed either. With `lists`, annotation
files name the images, so a file that was added after the download changes nothing.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from rsis.errors import UserError
from rsis.files.atomic import LITTER, read_json, write_json
from rsis.files.digests import sha256_of
from rsis.files.tree import files_below

NAME = "MANIFEST.json"
SCHEMA_VERSION: Final = 1
_READMES = frozenset({"readme", "readme.md", "readme.txt", "readme.rst"})


@dataclass(frozen=True)
class FileRecord:
    """Size and digest of a file at the time of the download.

    Attributes:
        size: Size in bytes.
        sha256: SHA-256 of the bytes, in hexadecimal.
    """

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of a raw data set.

    Attributes:
        dataset: Name of the data set in params.yaml.
        root: Absolute path of the folder that contains the files.
        files: Record of each file by its path relative to `root`, sorted.
        source: The data set's source section of params.yaml at the time of the download.
        only: Suffixes and paths of the files that count; None for all.
        lists: Whether a file that was added after the download belongs to no image.
    """

    dataset: str
    root: Path
    files: Mapping[str, FileRecord]
    source: Mapping[str, Any]
    only: tuple[str, ...] | None = None
    lists: bool = False

    @property
    def digest(self) -> str:
        """One SHA-256 over all records, in hexadecimal: equal for equal files, whatever `root` is."""
        lines = (f"{path}\0{record.size}\0{record.sha256}\n" for path, record in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class _Content:
    """The content of the JSON file."""

    schema_version: Literal[1]
    dataset: str
    root: str
    source: dict[str, Any]
    files: dict[str, FileRecord]
    only: tuple[str, ...] | None = None
    lists: bool = False


def write_manifest(
    folder: Path,
    dataset: str,
    root: Path,
    source: Mapping[str, Any] | None = None,
    only: tuple[str, ...] | None = None,
    *,
    lists: bool = False,
) -> Manifest:
    """Hash the files under `root` and write `folder/MANIFEST.json`.

    Args:
        folder: Folder that the manifest is written into; may be `root` itself.
        dataset: Name of the data set.
        root: Folder of the data.
        source: The source section of params.yaml, as JSON values.
        only: Suffixes in lower case, and paths relative to `root`, of the files that count; None for all.
        lists: Whether a file that is added later belongs to no image.

    Raises:
        UserError: `root` is no folder, contains no file that counts or cannot be read, a file's name is not UTF-8, or
            `folder` cannot be written.
    """
    folder, root = folder.resolve(), root.resolve()
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; it was to hold the data set {dataset}; correct the path")
    try:
        files = {
            path: FileRecord((root / path).stat().st_size, sha256_of(root / path)) for path in _list_files(root, only)
        }
    except OSError as error:
        raise _cannot_read(Path(error.filename or root), error) from error
    if not files:
        raise UserError(f"{root}: the folder is empty; it was to hold the data set {dataset}; put the data there")
    content = _Content(
        schema_version=SCHEMA_VERSION,
        dataset=dataset,
        root=_root_from(folder, root),
        source=dict(source or {}),
        files=files,
        only=only,
        lists=lists,
    )
    further = ("only", "lists") if only is None else ()
    write_json(folder / NAME, {key: value for key, value in asdict(content).items() if key not in further})
    return Manifest(dataset, root, files, content.source, only, lists)


def _root_from(folder: Path, root: Path) -> str:
    """Return the text that names `root` in the manifest of `folder`."""
    project = Path.cwd().resolve()
    if root == folder or (folder.is_relative_to(project) and root.is_relative_to(project)):
        return Path(os.path.relpath(root, folder)).as_posix()
    return str(root)


def read_manifest(folder: Path) -> Manifest:
    """Read `folder/MANIFEST.json`.

    Raises:
        UserError: The manifest is missing or is not of this schema version.
    """
    content = read_json(folder / NAME, _Content, f"run `rsis download {folder.name}`")
    root = (folder / content.root).resolve()
    return Manifest(content.dataset, root, content.files, content.source, content.only, content.lists)


def verify(manifest: Manifest) -> None:
    """Check that the data has not changed since the manifest was written.

    Raises:
        UserError: A file is missing, has another size or other bytes, or was added; the message names the first.
    """
    advice = _advice(manifest)
    try:
        for name, record in sorted(manifest.files.items()):
            path = manifest.root / name
            if not path.is_file():
                raise UserError(f"{path}: missing, {advice}")
            size = path.stat().st_size
            if size != record.size:
                raise UserError(f"{path}: {size} bytes, recorded as {record.size}; {advice}")
            if sha256_of(path) != record.sha256:
                raise UserError(f"{path}: its bytes differ from those recorded; {advice}")
        listed = () if manifest.lists else _list_files(manifest.root, manifest.only)
        added = sorted(set(listed) - set(manifest.files))
    except OSError as error:
        raise _cannot_read(Path(error.filename or manifest.root), error) from error
    if added:
        raise UserError(f"{manifest.root / added[0]}: not recorded, {advice.replace('restore', 'remove')}")


def read_recorded(manifest: Manifest, path: Path) -> bytes:
    """Return the bytes of one file under the manifest's root, after a check of size and digest.

    Raises:
        UserError: The file is missing, has another size or other bytes, or is not recorded.
    """
    advice = _advice(manifest)
    record = manifest.files.get(Path(os.path.relpath(path, manifest.root)).as_posix())
    if record is None:
        raise UserError(f"{path}: not recorded, {advice.replace('restore', 'remove')}")
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing, {advice}") from error
    except OSError as error:
        raise _cannot_read(path, error) from error
    if len(content) != record.size:
        raise UserError(f"{path}: {len(content)} bytes, recorded as {record.size}; {advice}")
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise UserError(f"{path}: its bytes differ from those recorded; {advice}")
    return content


def _advice(manifest: Manifest) -> str:
    return f"changed since download; restore it, or run `rsis download {manifest.dataset}` again to accept it"


def _list_files(root: Path, only: tuple[str, ...] | None = None) -> list[str]:
    """Return the sorted relative paths of the files under `root` that are data (see `files_below`)."""
    return [path for path in files_below(root) if path != NAME and not _is_no_data(path) and _counts(path, only)]


def _counts(path: str, only: tuple[str, ...] | None) -> bool:
    return only is None or path in only or Path(path).suffix.lower() in only


def _is_no_data(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in LITTER or name.lower() in _READMES


def _cannot_read(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot read ({error.strerror or error}); make it readable, then run again")
