"""Write the objects of pictures to a folder, in the layout that `rsis.tool.image_files` describes."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from rsis.errors import UserError
from rsis.files.atomic import atomic_path, write_json
from rsis.files.cells import as_cell
from rsis.files.durable import sweep_folder
from rsis.tool.formats.documents import TOLERANCE, yolo_data
from rsis.tool.formats.write import SUFFIX_OF, Format, needs_outlines, write_outlines
from rsis.tool.names import OutputName
from rsis.tool.pictures import PictureFile
from rsis.tool.result import OBJECT_COLUMNS, ImageResult, to_coco

DEFAULT_FORMATS: tuple[Format, ...] = ("coco", "png")
"""What is written beside overlays and tables if no format is named."""
_FRAME_MS, _LAST_MS = 400, 2000  # how long an animation shows each number of objects, and all of them
_GIF_SIDE = 65_535  # pixels: most of a side that the format can hold
_IMAGE_COLUMNS = ("image", "name", "height", "width", "count")


@dataclass(frozen=True)
class What:
    """What to write for each picture.

    Attributes:
        formats: The formats beside overlays and tables.
        tolerance: Distance in pixels up to which points of outlines are left out.
        animate: Whether to write animations.
    """

    formats: tuple[Format, ...] = DEFAULT_FORMATS
    tolerance: float = TOLERANCE
    animate: bool = False


class Outputs:
    """Writes a folder of results; see the top of `rsis.tool.image_files`.

    Args:
        folder: The folder DIR.
        what: What to write.
        class_names: Names of classes 1..K-1.
    """

    def __init__(self, folder: Path, what: What, class_names: Sequence[str]) -> None:
        self._folder, self._what, self._class_names = folder, what, class_names
        self._coco: dict[str, Any] = {"images": [], "categories": [], "annotations": []}
        self._images: list[tuple[Any, ...]] = []
        self._objects: list[tuple[Any, ...]] = []

    def refuse_existing(self, names: Sequence[OutputName]) -> None:
        """Check that no file would be replaced.

        Args:
            names: The names of each picture's files.

        Raises:
            UserError: One of the files exists already.
        """
        for path in self._all_paths(names):
            if path.exists():
                raise UserError(f"{path}: is there already; use --force to replace it, or name another --out")

    def sweep(self, names: Sequence[OutputName]) -> None:
        """Remove the temporary files of killed processes."""
        for folder in {path.parent for path in self._all_paths(names)}:
            sweep_folder(folder)

    def add(self, name: OutputName, result: ImageResult, file: PictureFile) -> None:
        """Write the files of one picture."""
        save_image(result.overlay(), self._overlay(name))
        save_formats(result, self._paths(name), self._what.tolerance, file.path)
        if self._what.animate:
            save_animation(result, self._animation(name))
        height, width = result.image.shape[:2]
        self._images.append((result.image_id, name.flat, height, width, len(result.instances)))
        self._objects += cells_of(result)
        if "coco" in self._what.formats:
            _append(self._coco, to_coco([result]))

    def finish(self) -> tuple[int, int]:
        """Write the files for all pictures together; return the numbers of pictures and of objects."""
        coco, data, images, objects = self._common()
        if "coco" in self._what.formats:
            write_json(coco, self._coco)
        if "yolo" in self._what.formats:
            with atomic_path(data) as temporary:
                content = yaml.safe_dump(yolo_data(self._class_names), allow_unicode=True, sort_keys=False)
                temporary.write_text(content, encoding="utf-8")
        write_table(images, _IMAGE_COLUMNS, self._images)
        write_table(objects, OBJECT_COLUMNS, self._objects)
        return len(self._images), len(self._objects)

    def _all_paths(self, names: Sequence[OutputName]) -> list[Path]:
        """Return the paths of all files to be written."""
        coco, data, *tables = self._common()
        found = [coco] if "coco" in self._what.formats else []
        found += [data] if "yolo" in self._what.formats else []
        for name in names:
            found += [self._overlay(name), *self._paths(name).values()]
            found += [self._animation(name)] if self._what.animate else []
        return [*found, *tables]

    def _common(self) -> tuple[Path, Path, Path, Path]:
        """Return the paths of the files for all pictures together."""
        here = self._folder
        return here / "coco.json", here / "yolo/data.yaml", here / "images.csv", here / "objects.csv"

    def _overlay(self, name: OutputName) -> Path:
        return self._folder / "overlays" / f"{name.flat}.png"

    def _animation(self, name: OutputName) -> Path:
        return self._folder / "animations" / f"{name.flat}.gif"

    def _paths(self, name: OutputName) -> dict[Format, Path]:
        """Return the path of each format's file of one picture; of coco there is none."""
        place = {"png": "instance_maps", "yolo": "yolo/labels"}
        called = {"png": name.flat}
        return {
            kind: self._folder / place.get(kind, kind) / f"{called.get(kind, name.tree)}{SUFFIX_OF[kind]}"
            for kind in self._what.formats
            if kind != "coco"
        }


def save_formats(result: ImageResult, path_of: dict[Format, Path], tolerance: float, picture: Path | None) -> None:
    """Write the objects of one picture in formats, each to its file; outlines are drawn once for all of them."""
    outlined = result.outlined(tolerance) if any(map(needs_outlines, path_of)) else None
    for kind, path in path_of.items():
        if outlined is not None and needs_outlines(kind):
            write_outlines(path, outlined, kind, picture)
        else:
            result.save(path, kind)


def cells_of(result: ImageResult) -> list[tuple[Any, ...]]:
    """Return the rows of the table of objects: scores and objectness with six decimals."""
    return [tuple(f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row) for row in result.rows()]


def _append(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Append the COCO document of one picture to that of all pictures, with new ids."""
    image, annotation = len(whole["images"]), len(whole["annotations"])
    whole["categories"] = part["categories"]
    whole["images"] += [item | {"id": image + 1} for item in part["images"]]
    whole["annotations"] += [
        item | {"id": annotation + item["id"], "image_id": image + 1} for item in part["annotations"]
    ]


def write_table(path: Path, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Write a table as CSV."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([as_cell(value) for value in row] for row in rows)


def save_image(image: Image.Image, path: Path) -> None:
    """Write an image in the format of its suffix."""
    with atomic_path(path) as temporary:
        image.save(temporary)


def _frame(result: ImageResult, last: int) -> Image.Image:
    frame = result.overlay(last=last)
    frame.thumbnail((_GIF_SIDE, _GIF_SIDE))
    return frame


def save_animation(result: ImageResult, path: Path) -> None:
    """Write a GIF in which the objects appear one by one."""
    count = len(result.instances)
    frames = (_frame(result, number) for number in range(count + 1))  # one at a time in memory
    times = [_FRAME_MS] * count + [_LAST_MS]
    with atomic_path(path) as temporary:
        next(frames).save(temporary, save_all=True, append_images=frames, duration=times, loop=0)
