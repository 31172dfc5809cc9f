"""A folder in the layout of Pascal VOC: maps of objects and maps of classes, as CVAT and LabelMe's script write them.

    JPEGImages/a.jpg  SegmentationObject/a.png  SegmentationClass/a.png  labelmap.txt or class_names.txt

The classes are in labelmap.txt of CVAT (a line "name:r,g,b:parts:actions" each) or in class_names.txt of LabelMe (the
number of a class is that of its line, from 0). Without both they are the twenty of VOC.
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.labels import read_map
from rsis.data.readers.voc import VOC_CLASSES, VOID
from rsis.errors import UserError
from rsis.masks import distinct
from rsis.own_data.divide import Section, divide, split_of
from rsis.own_data.facts import class_of, text_of
from rsis.own_data.oddities import some
from rsis.own_data.picture_folders import folder_of_stems
from rsis.own_data.recognized import Recognized
from rsis.own_data.scan import Scan
from rsis.splits.own import MapsSplit, leave_out, map_images

_OBJECTS, _CLASSES = "SegmentationObject", "SegmentationClass"
_NO_CLASS = ("background", "_background_", "__ignore__")


def find_voc(seen: Scan) -> Recognized | None:
    """Recognise folders of maps called SegmentationObject, with the pictures in JPEGImages or elsewhere.

    Raises:
        UserError: The pictures are not there, or two folders could be one split.
    """
    known: dict[str, Section] = {}
    for maps in _folders(seen, _OBJECTS):
        split = split_of(maps.parent)
        if split in known:
            raise UserError(
                f"{seen.folder}: {known[split]['maps']} and {maps} could both be {split or 'the maps'}; give a folder "
                "with one, or call their folders train, val and test"
            )
        known[split] = _section(seen, maps, split)
    if not known:
        return None
    if "train" in known:
        known.pop("", None)
    splits = divide(seen.folder, known, lambda section: len(map_images(seen.folder, MapsSplit(**section), leave_out)))
    pairs = dict.fromkeys(f"{section['images']} and {section['maps']}" for section in splits.values())
    keys, notes = _classes(seen, splits)
    return Recognized(
        form=f"pictures and maps in the layout of Pascal VOC: {', '.join(pairs)}",
        format="maps",
        splits=splits if keys else {name: _without_classes(section) for name, section in splits.items()},
        left_out=(*notes, *_notes(seen, splits)),
        keys=keys,
    )


def _section(seen: Scan, maps: Path, split: str) -> Section:
    beside = [maps.parent / name for name in ("JPEGImages", "Images", "images")]
    stems = _stems_in(seen, maps)
    found = next((path for path in beside if stems & _stems_in(seen, path)), None)
    images = found.as_posix() if found is not None else folder_of_stems(_without_maps(seen), maps, sorted(stems), split)
    section: Section = {"images": images, "maps": maps.as_posix()}
    classes = maps.with_name(maps.name.replace("Object", "Class"))
    if stems & _stems_in(seen, classes):
        section["class_maps"] = classes.as_posix()
    if _stems_in(seen, Path(images)) - stems:
        section["sparse"] = True
    return section


def _folders(seen: Scan, name: str) -> list[Path]:
    """Return the folders of pictures called `name` or, as LabelMe's script once called them, `name`PNG."""
    parents = {PurePosixPath(path).parent for path in seen.pictures}
    return sorted(Path(path) for path in parents if path.name in (name, f"{name}PNG"))


def _stems_in(seen: Scan, folder: Path) -> set[str]:
    paths = (PurePosixPath(path) for path in seen.pictures)
    return {normalize("NFC", path.stem) for path in paths if path.parent == PurePosixPath(folder)}


def _without_maps(seen: Scan) -> Scan:
    """Return the files without those in folders called Segmentation..., among which pictures are not to be found."""
    files = (path for path in seen.files if not PurePosixPath(path).parent.name.startswith("Segmentation"))
    return Scan(seen.folder, tuple(files), seen.annotations, seen.broken, seen.partial)


def _without_classes(section: Section) -> Section:
    return {key: value for key, value in section.items() if key != "class_maps"}


def _classes(seen: Scan, splits: dict[str, Section]) -> tuple[dict[str, object], list[str]]:
    """Return the key `classes` of the data set, and notes."""
    if not all("class_maps" in section for section in splits.values()):
        return {}, [f"no maps of classes ({_CLASSES}): all objects are of one class"]
    files = [path for section in splits.values() for path in _maps_in(seen, section["class_maps"])]
    numbers, is_colour = _numbers_of(files)
    for name, read in (("labelmap.txt", _labelmap), ("class_names.txt", _class_names)):
        paths = [path for path in seen.files if PurePosixPath(path).name.lower() == name]
        if paths and (classes := read(_lines(seen.folder / paths[0]), is_colour)):
            return {"classes": classes}, []
    if not is_colour and numbers <= set(range(1, len(VOC_CLASSES) + 1)):
        note = "no labelmap.txt names the classes: they are called as the twenty of Pascal VOC"
        return {"classes": {name: number + 1 for number, name in enumerate(VOC_CLASSES)}}, [note]
    note = "no labelmap.txt names the classes: they are called by their numbers"
    return {"classes": {f"class{number}": number for number in sorted(numbers)}}, [note]


def _maps_in(seen: Scan, folder: str) -> list[Path]:
    return [seen.folder / path for path in seen.pictures if PurePosixPath(path).parent == PurePosixPath(folder)]


def _numbers_of(files: list[Path]) -> tuple[set[int], bool]:
    """Return the numbers in maps of classes, without 0 and 255, and whether these are colours."""
    numbers: set[int] = set()
    is_colour = False
    by_name = {str(path): path for path in files}
    for name in some(list(by_name)):
        try:
            labels = read_map(by_name[name], 0)
        except BadSampleError:  # the reader reports it
            continue
        is_colour = is_colour or labels.is_colour
        numbers |= {int(number) for number in distinct(labels.numbers) if number > 0}
    return numbers if is_colour else numbers - {VOID}, is_colour


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in text_of(path).splitlines() if line.strip()]
    except OSError:
        return []


def _labelmap(lines: Iterable[str], is_colour: bool) -> dict[str, int]:
    """Return the number of each class of CVAT's labelmap.txt: its colour, or the number of its line from 0."""
    classes: dict[str, int] = {}
    for number, line in enumerate(line for line in lines if not line.startswith("#")):
        name, _, rest = line.partition(":")
        colour = [int(part) for part in rest.split(":")[0].split(",") if part.strip().isdecimal()]
        if class_of(name) and name not in _NO_CLASS and len(colour) == 3:
            red, green, blue = colour
            classes[class_of(name)] = 65536 * red + 256 * green + blue if is_colour else number
    return {name: number for name, number in classes.items() if number > 0}


def _class_names(lines: list[str], _: bool) -> dict[str, int]:
    """Return the number of each class of LabelMe's class_names.txt, whose line 0 is the background."""
    lines = lines[1:] if lines[:1] == ["__ignore__"] else lines
    return {class_of(name): number for number, name in enumerate(lines) if number and name not in _NO_CLASS}


def _notes(seen: Scan, splits: dict[str, Section]) -> list[str]:
    notes = []
    lists = [path for path in seen.files if "/ImageSets/Segmentation/" in f"/{path}" and path.endswith(".txt")]
    if len(lists) > 1:
        notes.append(
            f"{', '.join(lists[:3])}: lists of pictures are not used, the pictures are divided by shares; the format "
            "voc of the documentation uses them"
        )
    if any("sparse" in section for section in splits.values()):
        notes.append("pictures without a map are left out (key sparse)")
    return notes
