"""Write the objects found in pictures to files: overlays, instance maps, COCO JSON and tables.

    DIR/overlays/<name>.png         the picture with its objects coloured and numbered in predicted order
    DIR/animations/<name>.gif       the objects appear one by one (with --animate)
    DIR/images.csv                  image, name, height, width, count
    DIR/objects.csv                 image, number, class, score, objectness, area, top, left, bottom, right, step

and of these formats those that are wanted, if nothing is said the first two:

    coco     DIR/coco.json                   all pictures as one COCO document (`rsis.tool.result.to_coco`)
    png      DIR/instance_maps/<name>.png    16-bit grey: the object's number at each pixel, 0 = background
    tiff     DIR/tiff/<tree>.tif             the same as TIFF
    yolo     DIR/yolo/labels/<tree>.txt      polygons of YOLO segmentation, with DIR/yolo/data.yaml
    labelme  DIR/labelme/<tree>.json         polygons of LabelMe
    imagej   DIR/imagej/<tree>.zip           a RoiSet of ImageJ and Fiji
    geojson  DIR/geojson/<tree>.geojson      annotations of QuPath

<name> is the picture's file name without its suffix; folder names are added if two pictures have the same one
(`rsis.tool.names`). <tree> is the path of the picture below the folder that was named, without its suffix, since tools
find the annotations of a picture by it; pictures of which that is the same have <name>. Of a TIFF stack each page is a
picture: page 3 of stack.tif is the image stack.tif#3, and its <name> stack_3. Text in the tables that begins with
= + - or @ has an apostrophe before it, since spreadsheets would run it as a formula.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.depth import DARK
from rsis.data.readers.rules import PictureRules
from rsis.errors import UserError
from rsis.machine.lock import alone_in
from rsis.machine.progress import shown
from rsis.tool.formats.documents import TOLERANCE, check_tolerance
from rsis.tool.formats.write import FORMATS, SUFFIX_OF
from rsis.tool.names import OutputName, names_of
from rsis.tool.outputs import Outputs, What, cells_of, save_animation, save_formats, save_image, write_table
from rsis.tool.pictures import PictureFile, find_pages, root_of
from rsis.tool.predictor import RSIS
from rsis.tool.result import OBJECT_COLUMNS, ImageResult
from rsis.tool.tiles import Tiling


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


def write_results(
    model: RSIS,
    sources: Sequence[Path],
    folder: Path,
    *,
    force: bool = False,
    what: What | None = None,
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
        what: What to write; None writes what `What()` says.
        batch_size: See `RSIS.predict`.
        tiling: How to cut pictures into tiles; None does not cut them.
        full_size: Whether pictures, or tiles, keep their size, see `RSIS.predict`.
        progress: Whether to show a progress bar.
        **thresholds: See `RSIS.predict`.

    Raises:
        UserError: There are no pictures, none of them can be read, a file exists already, another process writes to
            the folder, or the disk is full.
    """
    check_tolerance((what or What()).tolerance)
    model.read_out(**thresholds)  # raises for a wrong threshold before anything is written
    names = _names_of_pictures(sources, folder, model.info.pictures)
    files = list(names)
    outputs = Outputs(folder, what or What(), model.info.class_names)
    if not force:
        outputs.refuse_existing(list(names.values()))
    with alone_in(folder):
        outputs.sweep(list(names.values()))
        if not force:
            outputs.refuse_existing(list(names.values()))  # again: another process may just have ended
        skipped = []
        dark: list[tuple[str, int]] = []  # image_id and brightest value
        results = model.stream(files, batch_size=batch_size, tiling=tiling, full_size=full_size, **thresholds)
        for file, result in zip(files, shown(results, "predict", len(files), wanted=progress), strict=True):
            if isinstance(result, BadSampleError):
                skipped.append(str(result))
            else:
                outputs.add(names[file], result, file)
                brightest = int(result.image.max(initial=0))
                dark += [(result.image_id, brightest)] if brightest < DARK else []
        if len(skipped) == len(files):
            raise UserError(f"{skipped[0]}; of {len(files)} files none could be read, nothing was written")
        images, objects = outputs.finish()
    return Written(images, objects, tuple(skipped), _dark_note(dark))


def _names_of_pictures(sources: Sequence[Path], folder: Path, rules: PictureRules) -> dict[PictureFile, OutputName]:
    """Return the pictures to look at, but for those in the folder to write to, and the names of their files."""
    own = folder.resolve()
    files = [file for file in find_pages(sources, rules) if own not in file.path.resolve().parents]
    if not files:
        raise UserError(f"{folder}: all pictures lie in the folder to write to; name another --out")
    names = names_of([(file.path, file.page, root_of(file.path, sources)) for file in files])
    return dict(zip(files, names, strict=True))


def save_picture_files(result: ImageResult, folder: Path, name: str) -> list[Path]:
    """Write overlay, table, animation and all formats of one picture to a folder; return their paths."""
    overlay, table, animation = (folder / f"{name}_{end}" for end in ("overlay.png", "objects.csv", "objects.gif"))
    called = {"png": "instances", "tiff": "instances"}
    formats = {kind: folder / f"{name}_{called.get(kind, kind)}{SUFFIX_OF[kind]}" for kind in FORMATS}
    save_image(result.overlay(), overlay)
    save_formats(result, formats, TOLERANCE, None)
    write_table(table, OBJECT_COLUMNS, cells_of(result))
    save_animation(result, animation)
    return [overlay, table, animation, *formats.values()]


def _dark_note(dark: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """Return the line about pictures in which hardly anything can be seen."""
    if not dark:
        return ()
    pictures = "1 picture is" if len(dark) == 1 else f"{len(dark)} pictures are"
    found = f"{pictures} almost black (the first: {dark[0][0]}, no pixel above {dark[0][1]} of 255)"
    return (f"{found}; scale their values to the whole range, and predict again",)
