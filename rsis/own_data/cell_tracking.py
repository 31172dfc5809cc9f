"""A folder of the Cell Tracking Challenge: frames of two films, with instance maps of some of the frames.

01/t000.tif  01_GT/SEG/man_seg000.tif  02/t000.tif  02_GT/SEG/man_seg000.tif
"""

import re
from pathlib import Path, PurePosixPath

from rsis.errors import UserError
from rsis.own_data.divide import Section, divide
from rsis.own_data.recognized import Recognized
from rsis.own_data.scan import Scan
from rsis.splits.own import MapsSplit, leave_out, map_images

_MAP = re.compile(r"(?:(.*)/)?(\d\d)_(GT|ST)/SEG/man_seg\d+\.tiff?")
_SLICE = re.compile(r"(?:.*/)?\d\d_(GT|ST)/SEG/man_seg_\d+_\d+\.tiff?")
_MARKERS = re.compile(r"(?:.*/)?\d\d_GT/TRA/man_track\d+\.tiff?")


def find_films(seen: Scan) -> Recognized | None:
    """Recognise films with maps in SEG: the first trains; the second is halved, to validate and to test.

    Maps of GT, drawn by people, are taken before those of ST, which programs have drawn.

    Raises:
        UserError: The folder has markers of the cells alone, or maps of slices of volumes.
    """
    maps = _folders_of_maps(seen)
    if not maps:
        _refuse(seen)
        return None
    films = [film for film in sorted(maps) if film.as_posix() in {str(PurePosixPath(p).parent) for p in seen.pictures}]
    if not films:
        raise UserError(
            f"{seen.folder}: has maps in {maps[min(maps)]}, but no frames; expected them in {min(maps)}; put them there"
        )
    sections: list[Section] = [
        {
            "images": film.as_posix(),
            "maps": maps[film].as_posix(),
            "prefix": "man_seg",
            "image_prefix": "t",
            "sparse": True,
        }
        for film in films
    ]
    used = [len(map_images(seen.folder, MapsSplit(**section), leave_out)) for section in sections]
    splits = _splits(seen.folder, sections, used)
    pairs = ", ".join(f"{section['images']} and {section['maps']}" for section in sections)
    frames = sum(PurePosixPath(path).parent == PurePosixPath(film) for film in films for path in seen.pictures)
    notes = [f"{sum(used)} of {frames} frames have a map in SEG, and only these are used (key sparse)"]
    if any(path.parent.name.endswith("_ST") for path in maps.values()):
        notes.append("maps of ST were drawn by programs, not by people")
    return Recognized(f"films of the Cell Tracking Challenge: {pairs}", "maps", splits, tuple(notes))


def _folders_of_maps(seen: Scan) -> dict[Path, Path]:
    """Return the folder of maps of each film, by the folder of its frames."""
    found: dict[Path, Path] = {}
    for path in seen.pictures:
        if match := _MAP.fullmatch(path):
            film, folder = Path(match[1] or ".") / match[2], Path(path).parent
            if film not in found or match[3] == "GT":
                found[film] = folder
    return found


def _splits(folder: Path, sections: list[Section], used: list[int]) -> dict[str, Section]:
    if len(sections) == 1:
        return divide(folder, {"": sections[0]}, lambda _: used[0])
    first, second, *more = sections
    if more:
        return {"train": first, "val": second, "test": more[0]}
    if used[1] < 2:
        return {"train": first, "val": second}
    return {"train": first, "val": second | {"share": (0.0, 0.5)}, "test": second | {"share": (0.5, 1.0)}}


def _refuse(seen: Scan) -> None:
    slices = [path for path in seen.pictures if _SLICE.fullmatch(path)]
    if slices:
        raise UserError(
            f"{seen.folder / slices[0]}: a map of a slice of a volume ({len(slices)} files); expected films of flat "
            "pictures (man_seg000.tif); choose a 2D data set, or save slices and their maps as files of equal names"
        )
    markers = [path for path in seen.pictures if _MARKERS.fullmatch(path)]
    if markers:
        raise UserError(
            f"{seen.folder / markers[0]}: markers of cells ({len(markers)} files in TRA), not their outlines; expected "
            "maps in SEG (01_GT/SEG/man_seg000.tif); put the folder SEG of the data set there"
        )
