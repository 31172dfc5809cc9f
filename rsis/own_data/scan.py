"""Find the annotation files of a user's folder by their content; each file is opened once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

from PIL import Image

from rsis.files.tree import files_below
from rsis.own_data.facts import AnnotationFile
from rsis.own_data.json_facts import facts_of
from rsis.own_data.json_kinds import kind_of_json
from rsis.own_data.other_kinds import kind_of_other
from rsis.own_data.xml_kinds import read_xml

_COCO_KEYS = {"images", "annotations", "categories"}


@dataclass(frozen=True)
class Scan:
    """The files of a folder.

    Attributes:
        folder: The user's folder.
        files: Paths of all files, relative to it, sorted.
        annotations: The annotation files of each form, in the order of `files`.
        broken: Path and fault of each JSON or XML file that cannot be read.
        partial: What is missing in each file that is almost a COCO JSON.
    """

    folder: Path
    files: tuple[str, ...]
    annotations: Mapping[str, tuple[AnnotationFile, ...]]
    broken: tuple[tuple[str, str], ...]
    partial: tuple[str, ...]

    def of(self, kind: str) -> tuple[AnnotationFile, ...]:
        """Return the annotation files of a form."""
        return self.annotations.get(kind, ())

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        """Paths of the files with the extension of an image format, sorted."""
        known = Image.registered_extensions()
        return tuple(path for path in self.files if PurePosixPath(path).suffix.lower() in known)

    @cached_property
    def known(self) -> frozenset[str]:
        """The paths of all files, for a fast search."""
        return frozenset(self.files)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Paths of the pictures without the extension, in one Unicode form."""
        return frozenset(normalize("NFC", PurePosixPath(path).with_suffix("").as_posix()) for path in self.pictures)

    def has_picture(self, stem: str) -> bool:
        """Return whether there is a picture of this path without its extension."""
        return normalize("NFC", stem) in self.stems


def scan(folder: Path) -> Scan:
    """Look into the files of a folder and of the folders below it.

    Raises:
        UserError: A folder cannot be read, or a name is not UTF-8.
    """
    files = tuple(files_below(folder))
    annotations: dict[str, list[AnnotationFile]] = {}
    broken: list[tuple[str, str]] = []
    partial: list[str] = []
    for relative in files:
        suffix = PurePosixPath(relative).suffix.lower()
        found, fault = None, ""
        if suffix in (".json", ".geojson"):
            found, fault = _read_json(folder / relative, relative, partial)
        elif suffix == ".xml":
            found, fault = read_xml(folder / relative, relative)
        else:
            found = kind_of_other(folder, relative)
        if found is not None:
            annotations.setdefault(found.kind, []).append(found)
        if fault:
            broken.append((relative, fault))
    whole = {kind: tuple(items) for kind, items in annotations.items()}
    return Scan(folder, files, whole, tuple(broken), tuple(partial))


def _read_json(path: Path, relative: str, partial: list[str]) -> tuple[AnnotationFile | None, str]:
    """Return what is in a JSON file, None if it holds no annotations, and what is wrong with it."""
    content, fault = _load(path)
    if fault:
        return (AnnotationFile(relative, "labelbox"), "") if _is_ndjson(path) else (None, fault)
    kind = kind_of_json(content)
    if not kind and isinstance(content, dict) and len(lacking := _COCO_KEYS - content.keys()) == 1:
        partial.append(f"{path}: {lacking.pop()!r} is missing; add it")
    return (AnnotationFile(relative, kind, facts_of(kind, content)) if kind else None), ""


def _load(path: Path) -> tuple[Any, str]:
    """Return the content of a JSON file, or what is wrong with it."""
    try:
        return json.loads(path.read_bytes()), ""
    except OSError as error:
        return None, f"{path}: cannot read ({error.strerror or error}); make it readable"
    except UnicodeDecodeError as error:
        return None, f"{path}: byte {error.start} is not {error.encoding}; save the file as UTF-8"
    except ValueError as error:
        return None, f"{path}: not valid JSON ({error}); restore the file, or export it again"
    except RecursionError:
        return None, f"{path}: nested too deeply for annotations; restore the file, or export it again"


def _is_ndjson(path: Path) -> bool:
    """Return whether a file has a JSON document in each line, as Labelbox exports it."""
    try:
        with path.open("rb") as file:
            return kind_of_json(json.loads(file.readline(1 << 22))) == "labelbox"
    except (OSError, ValueError, RecursionError):
        return False
