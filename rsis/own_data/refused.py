"""What `rsis init` says of a folder that it does not take: what is in it, and what to do instead."""

from pathlib import PurePosixPath
from typing import NoReturn

from rsis.errors import UserError
from rsis.own_data.forms import FORMS, NAMES, REMEDIES
from rsis.own_data.scan import Scan
from rsis.own_data.yolo import boxes_of

_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
_SHOWN = 5  # most names of a folder that are shown


def refuse(seen: Scan) -> NoReturn:
    """Raise UserError: a broken file, a form that is not taken, or what was seen and what is taken."""
    for fault in (*(fault for _, fault in seen.broken), *seen.partial):
        raise UserError(fault)
    if seen.of("yolo"):
        boxes, whole = boxes_of(seen)
        raise UserError(
            f"{seen.folder}: these are YOLO labels of boxes ({boxes} of {whole} annotations, the first in "
            f"{seen.of('yolo')[0].path}), a data set for detection; rsis needs the outline of each object: export for "
            "segmentation, or draw the outlines"
        )
    for kind, files in seen.annotations.items():
        if kind == "cellpose":
            raise UserError(
                f"{seen.folder}: these are cellpose's _seg.npy ({_count(len(files))}), pickled Python, which is not "
                "loaded; save the masks as PNG or TIFF in cellpose (menu File, or --save_png and --save_tif) beside "
                "the pictures"
            )
        if kind in REMEDIES:
            raise UserError(
                f"{seen.folder}: these are {NAMES[kind]} ({_count(len(files))}, the first: {files[0].path}), which "
                f"rsis does not read; {REMEDIES[kind]} instead"
            )
    packed = [path for path in seen.files if PurePosixPath(path).suffix.lower() in _ARCHIVES]
    if packed and not seen.pictures:
        raise UserError(f"{seen.folder}: holds {packed[0]}, and no pictures; unpack the archive, and give its folder")
    inside = sorted(path.name + "/" * path.is_dir() for path in seen.folder.iterdir())
    shown = ", ".join(inside[:_SHOWN]) + (", ..." if len(inside) > _SHOWN else "") if inside else "nothing"
    raise UserError(f"{seen.folder}: found {shown}; {FORMS}")


def others(seen: Scan, format_: str, form: str) -> tuple[str, ...]:
    """Return a line for each form of annotations in the folder that is not the one that is used.

    Args:
        seen: The files of the folder.
        format_: The format that is used.
        form: Its description.
    """
    return tuple(
        f"{NAMES[kind]} ({_count(len(files))}, the first: {files[0].path}): left out, the annotations are those of the "
        f"{form}"
        for kind, files in seen.annotations.items()
        if kind != format_
    )


def _count(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"
