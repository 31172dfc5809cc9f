"""Write the objects of one picture to one file of any format."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import tifffile
from PIL import Image

from rsis.errors import UserError
from rsis.files.atomic import atomic_path, write_json
from rsis.tool.formats.documents import Outlined, geojson_document, labelme_document, yolo_text
from rsis.tool.formats.imagej import roi_set
from rsis.tool.names import text_of

Format: TypeAlias = Literal["coco", "yolo", "labelme", "png", "tiff", "imagej", "geojson"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIX_OF: dict[Format, str] = {
    "coco": ".json", "yolo": ".txt", "labelme": ".json", "png": ".png", "tiff": ".tif", "imagej": ".zip",
    "geojson": ".geojson",
}  # fmt: skip
_FORMAT_OF: Mapping[str, Format] = {suffix: name for name, suffix in SUFFIX_OF.items() if name != "labelme"} | {
    ".tiff": "tiff"
}
_MOST_OBJECTS = 65_535  # of a map of 16 bits


def format_of(path: Path, name: str | None) -> Format:
    """Return the format of a file to write: that of the name, or without one that of the suffix; .json is COCO.

    Raises:
        UserError: There is no such format, or the suffix is of none.
    """
    if name is not None:
        return known_format(name)
    kind = _FORMAT_OF.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: no format has this suffix; name one of {', '.join(FORMATS)} as format")
    return kind


def known_format(name: str) -> Format:
    """Return the format of this name.

    Raises:
        UserError: There is none.
    """
    for known in FORMATS:
        if known == name:
            return known
    raise UserError(f"format {name!r}: unknown; expected one of {', '.join(FORMATS)}")


def write_outlines(path: Path, outlined: Outlined, kind: Format, picture: Path | None = None) -> None:
    """Write the outlines of a picture's objects to a file.

    Args:
        path: The file.
        outlined: The objects.
        kind: yolo, labelme, imagej or geojson.
        picture: The picture's file, to which the JSON of LabelMe refers; None takes the name in `image_id`.

    Raises:
        UserError: The file cannot be written, or the picture is too large for the format.
    """
    match kind:
        case "yolo":
            _write(path, yolo_text(outlined).encode())
        case "labelme":
            write_json(path, labelme_document(outlined, _relative(picture or Path(outlined.image_id), path.parent)))
        case "imagej":
            _write(path, roi_set(outlined))
        case "geojson":
            write_json(path, geojson_document(outlined))
        case _:
            raise AssertionError(f"{kind} has no outlines")


def map_of(instance_map: np.ndarray, image_id: str) -> np.ndarray:
    """Return an instance map of 16 bits.

    Raises:
        UserError: There are more objects than 16 bits have numbers.
    """
    objects = int(instance_map.max(initial=0))
    if objects > _MOST_OBJECTS:
        found = f"{image_id}: {objects} objects; an instance map of 16 bits holds {_MOST_OBJECTS}"
        raise UserError(f"{found}; use smaller pictures, or --format coco")
    return instance_map.astype(np.uint16, copy=False)


def write_map(path: Path, instance_map: np.ndarray, kind: Format) -> None:
    """Write an instance map, uint16 [H, W], as png or tiff."""
    with atomic_path(path) as temporary:
        if kind == "png":
            Image.fromarray(instance_map).save(temporary, "PNG")
        else:
            tifffile.imwrite(temporary, instance_map, compression="zlib", photometric="minisblack")


def needs_outlines(kind: Format) -> bool:
    """Whether a format has outlines, not pixels."""
    return kind in ("yolo", "labelme", "imagej", "geojson")


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _relative(picture: Path, folder: Path) -> str:
    """Return the path of a picture as seen from a folder, with forward slashes; of no file, the name as it is."""
    if not picture.exists():
        return text_of(picture)
    # ".." leads out of the folder that a link points to
    return text_of(Path(os.path.relpath(picture.absolute(), folder.resolve())))
