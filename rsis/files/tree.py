"""The files below a folder. Links are followed, and each folder is visited once, so that a circle of links ends."""

import os
from pathlib import Path

from rsis.errors import UserError


def files_below(root: Path) -> list[str]:
    """Return the paths of the files below a folder, relative to it and sorted, with forward slashes.

    Hidden files and folders are left out, and what is no file, such as a pipe. A link to nothing is listed.

    Raises:
        UserError: A folder cannot be read, or a name is not UTF-8. Such a name can stand in no JSON, YAML or HDF5 file.
    """
    check_name(root)
    found: list[str] = []
    seen = {os.path.realpath(root)}
    ahead = [""]
    while ahead:
        inside = ahead.pop()
        try:
            with os.scandir(root / inside) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
            for entry in listed:
                if entry.name.startswith("."):
                    continue
                check_name(root / inside / entry.name)
                path = f"{inside}{entry.name}"
                if entry.is_dir():
                    real = os.path.realpath(entry.path)
                    if real not in seen:
                        seen.add(real)
                        ahead.append(f"{path}/")
                elif entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists()):
                    found.append(path)
        except OSError as error:
            where = Path(error.filename or root)
            raise UserError(
                f"{where}: cannot read ({error.strerror or error}); make it readable, then run again"
            ) from error
    return sorted(found)


def check_name(path: Path) -> None:
    """Raise UserError if the last part of a path is not UTF-8, as in an archive made on an old Windows."""
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path.name).decode("ascii", "backslashreplace")
        folder = os.fsencode(path.parent).decode("utf-8", "backslashreplace")
        raise UserError(
            f"{folder}: the name {shown} in it is not UTF-8; rename it, or all at once with `convmv -f latin1 -t utf8 "
            "-r --notest FOLDER`"
        ) from error
