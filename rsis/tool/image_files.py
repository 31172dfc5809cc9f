"""Write the objects found in pictures to files: overlays, instance maps, COCO JSON and tables.

    DIR/overlays/<name>.png         the picture with its objects coloured and numbered in predicted order
    DIR/instance_maps/<name>.png    16-bit grey: the object's number at each pixel, 0 = background
    DIR/animations/<name>.gif       the objects appear one by one (with --animate)
    DIR/coco.json                   all pictures as one COCO instance document (`rsis.tool.result.to_coco`)
    DIR/images.csv                  image, name, height, width, count
    DIR/objects.csv                 image, number, class, score, objectness, area, top, left, bottom, right, step

<name> is the picture's file name without its suffix; folder names are added if two pictures have the same one
(`rsis.tool.names`). Of a TIFF stack each page is a picture: page 3 of stack.tif is the image stack.tif#3, and its
<name> stack_3. Text in the tables that begins with = + - or @ has an apostrophe before it, since spreadsheets would run
it as a formula.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.depth import DARK
from rsis.errors import UserError
from rsis.files.atomic import atomic_path, write_json
from rsis.files.cells import as_cell
from rsis.files.durable import sweep_folder
from rsis.machine.lock import alone_in
from rsis.machine.progress import shown
from rsis.tool.names import output_names
from rsis.tool.pictures import find_pages
from rsis.tool.predictor import RSIS
from rsis.tool.result import ImageResult, Instance, to_coco
from rsis.tool.tiles import Tiling

_FRAME_MS, _LAST_MS = 400, 2000  # how long an animation shows each number of objects, and all of them
_GIF_SIDE = 65_535  # pixels: most of a side that the format can hold
_IMAGE_COLUMNS = ("image", "name", "height", "width", "count")
_OBJECT_COLUMNS = (
    "image", "number", "class", "score", "objectness", "area", "top", "left", "bottom", "right", "step",
)  # fmt: skip


@dataclass(frozen=True)
class Written:
    """The result of `write_results`.

    Attributes:
        images: Number of pictures that were processed.
        objects: Number of objects found in them.
        skipped: One line for each file that could not be read.
        notes: One line for each property of the pictures that is probably a mistake.
    """

    images: int
    objects: int
    skipped: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Outputs:
    """Writes a folder of results; see the top of this module.

    Args:
        folder: The folder DIR.
        animate: Whether to write animations.
    """

    def __init__(self, folder: Path, *, animate: bool) -> None:
        self._folder, self._animate = folder, animate
        self._coco: dict[str, Any] = {"images": [], "categories": [], "annotations": []}
        self._images: list[tuple[Any, ...]] = []
        self._objects: list[tuple[Any, ...]] = []

    def refuse_existing(self, names: Sequence[str]) -> None:
        """Check that no file would be replaced.

        Args:
            names: The <name> of each picture.

        Raises:
            UserError: One of the files exists already.
        """
        for path in (path for name in (*names, None) for path in self._paths(name)):
            if path.exists():
                raise UserError(f"{path}: is there already; use --force to replace it, or name another --out")

    def sweep(self) -> None:
        """Remove the temporary files of killed processes."""
        for folder in {path.parent for name in ("", None) for path in self._paths(name)}:
            sweep_folder(folder)

    def add(self, name: str, result: ImageResult) -> None:
        """Write the files of one picture."""
        overlay, instance_map, *animation = self._paths(name)
        _save(result.overlay(), overlay)
        _save(_as_16_bit(result), instance_map)
        for path in animation:
            _save_animation(result, path)
        height, width = result.image.shape[:2]
        self._images.append((result.image_id, name, height, width, len(result.instances)))
        self._objects += [_row(result.image_id, item) for item in result.instances]
        _append(self._coco, to_coco([result]))

    def finish(self) -> Written:
        """Write the files for all pictures together."""
        coco, images, objects = self._paths(None)
        write_json(coco, self._coco)
        _write_table(images, _IMAGE_COLUMNS, self._images)
        _write_table(objects, _OBJECT_COLUMNS, self._objects)
        return Written(len(self._images), len(self._objects), ())

    def _paths(self, name: str | None) -> list[Path]:
        """Return the paths of the files of one picture; with None, those for all pictures together."""
        if name is None:
            return [self._folder / file for file in ("coco.json", "images.csv", "objects.csv")]
        paths = [self._folder / "overlays" / f"{name}.png", self._folder / "instance_maps" / f"{name}.png"]
        return [*paths, self._folder / "animations" / f"{name}.gif"] if self._animate else paths


def write_results(
    model: RSIS,
    sources: Sequence[Path],
    folder: Path,
    *,
    force: bool = False,
    animate: bool = False,
    batch_size: int | None = None,
    tiling: Tiling | None = None,
    full_size: bool = False,
    progress: bool = False,
    **thresholds: float | None,
) -> Written:
    """Find the objects of pictures and write them to a folder.

    Args:
        model: The network.
        sources: Files, folders, patterns (`rsis.tool.pictures.find_pictures`); files inside `folder` are left out.
        folder: The folder DIR.
        force: Whether to replace existing files of these names; other files in the folder are never changed.
        animate: Whether to write animations.
        batch_size: See `RSIS.predict`.
        tiling: How to cut pictures into tiles; None does not cut them.
        full_size: Whether pictures, or tiles, keep their size, see `RSIS.predict`.
        progress: Whether to show a progress bar.
        **thresholds: See `RSIS.predict`.

    Raises:
        UserError: There are no pictures, none of them can be read, a file exists already, another process writes to
            the folder, or the disk is full.
    """
    model.read_out(**thresholds)  # raises for a wrong threshold before anything is written
    own = folder.resolve()
    rules = model.info.pictures
    files = [file for file in find_pages(sources, rules) if own not in file.path.resolve().parents]
    if not files:
        raise UserError(f"{folder}: all pictures lie in the folder to write to; name another --out")
    names = dict(zip(files, output_names([(file.path, file.page) for file in files]), strict=True))
    outputs = Outputs(folder, animate=animate)
    if not force:
        outputs.refuse_existing(list(names.values()))
    with alone_in(folder):
        outputs.sweep()
        if not force:
            outputs.refuse_existing(list(names.values()))  # again: another process may just have ended
        skipped = []
        dark: list[tuple[str, int]] = []  # image_id and brightest value
        results = model.stream(files, batch_size=batch_size, tiling=tiling, full_size=full_size, **thresholds)
        for file, result in zip(files, shown(results, "predict", len(files), wanted=progress), strict=True):
            if isinstance(result, BadSampleError):
                skipped.append(str(result))
            else:
                outputs.add(names[file], result)
                brightest = int(result.image.max(initial=0))
                dark += [(result.image_id, brightest)] if brightest < DARK else []
        if len(skipped) == len(files):
            raise UserError(f"{skipped[0]}; of {len(files)} files none could be read, nothing was written")
        written = outputs.finish()
    return Written(written.images, written.objects, tuple(skipped), _dark_note(dark))


def save_picture_files(result: ImageResult, folder: Path, name: str) -> list[Path]:
    """Write overlay, instance map, COCO JSON, table and animation of one picture to a folder; return their paths."""
    paths = [folder / f"{name}_{what}" for what in ("overlay.png", "instances.png", "coco.json", "objects.csv")]
    animation = folder / f"{name}_objects.gif"
    _save(result.overlay(), paths[0])
    _save(_as_16_bit(result), paths[1])
    write_json(paths[2], result.to_coco())
    _write_table(paths[3], _OBJECT_COLUMNS, [_row(result.image_id, item) for item in result.instances])
    _save_animation(result, animation)
    return [*paths, animation]


def _as_16_bit(result: ImageResult) -> Image.Image:
    return Image.fromarray(result.to_instance_map().astype(np.uint16))


def _dark_note(dark: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """Return the line about pictures in which hardly anything can be seen."""
    if not dark:
        return ()
    pictures = "1 picture is" if len(dark) == 1 else f"{len(dark)} pictures are"
    found = f"{pictures} almost black (the first: {dark[0][0]}, no pixel above {dark[0][1]} of 255)"
    return (f"{found}; scale their values to the whole range, and predict again",)


def _row(image_id: str, item: Instance) -> tuple[Any, ...]:
    return (
        image_id, item.number, item.class_name, f"{item.score:.6f}", f"{item.objectness:.6f}", item.area, *item.box,
        item.step,
    )  # fmt: skip


def _append(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Append the COCO document of one picture to that of all pictures, with new ids."""
    image, annotation = len(whole["images"]), len(whole["annotations"])
    whole["categories"] = part["categories"]
    whole["images"] += [item | {"id": image + 1} for item in part["images"]]
    whole["annotations"] += [
        item | {"id": annotation + item["id"], "image_id": image + 1} for item in part["annotations"]
    ]


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([as_cell(value) for value in row] for row in rows)


def _save(image: Image.Image, path: Path) -> None:
    with atomic_path(path) as temporary:
        image.save(temporary)


def _frame(result: ImageResult, last: int) -> Image.Image:
    frame = result.overlay(last=last)
    frame.thumbnail((_GIF_SIDE, _GIF_SIDE))
    return frame


def _save_animation(result: ImageResult, path: Path) -> None:
    count = len(result.instances)
    frames = (_frame(result, number) for number in range(count + 1))  # one at a time in memory
    times = [_FRAME_MS] * count + [_LAST_MS]
    with atomic_path(path) as temporary:
        next(frames).save(temporary, save_all=True, append_images=frames, duration=times, loop=0)
