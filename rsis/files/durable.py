"""Renaming what is written so that a power cut does no harm, and clearing away what killed processes left.

What is written gets its name when it is on the disk, and the name is on the disk before the writer goes on: after a
power cut there is the old one or the new one as well.

A killed process leaves what it was at beside the output, as `.NAME.rsis-XXXXXXXX`. Behind that stands `.old` for a
folder that was being replaced, whole as it was, and `.gone` for one that was being removed. `sweep` clears them away.
"""

import contextlib
import errno
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

UNFINISHED = ".rsis-"  # in the name of what is not finished
_LEFTOVER = re.compile(
    r"\.(?P<name>.+)\.rsis-[a-z0-9_]{8}(?P<suffix>(?!\.(?:old|gone)$)\.[^.]+)?(?P<end>\.old|\.gone)?"
)


def replace_on_disk(source: Path, target: Path) -> None:
    """Rename a file or a folder once its bytes are on the disk; return when the new name is there too.

    Raises:
        OSError: The disk is full or fails.
    """
    sync(source)
    source.replace(target)
    _sync(target.parent)


def sync(path: Path) -> None:
    """Return when a file, or all that is in a folder, is on the disk."""
    everything = [path, *path.rglob("*")] if path.is_dir() else [path]
    with ThreadPoolExecutor(min(16, len(everything))) as pool:  # disks write what many ask for at once in one go
        list(pool.map(_sync, [item for item in everything if item == path or not item.is_symlink()]))


def sweep(*paths: Path) -> None:
    """Remove what killed processes left beside outputs; call it under the lock of the stage that writes them.

    Of a folder that was being replaced, and of which only the old one is whole, the old one gets its name back.
    """
    # of a linked folder leftovers stand beside what it points to
    for path in {place for output in paths for place in (output, output.resolve())}:
        for entry in path.parent.glob(f".*{UNFINISHED}*") if path.parent.is_dir() else ():
            found = _LEFTOVER.fullmatch(entry.name)
            if found is None or path.name != f"{found['name']}{found['suffix'] or ''}":
                continue
            with contextlib.suppress(OSError):  # of a full or write-protected disk is said where it matters
                if found["end"] == ".old" and entry.is_dir() and not path.exists():
                    entry.replace(path)
                elif entry.is_dir() and not entry.is_symlink():
                    remove_whole(entry)
                else:
                    entry.unlink()


def remove_whole(folder: Path) -> None:
    """Remove a folder of a temporary name, which half removed no longer looks like one to put back."""
    gone = folder.with_name(f"{folder.name.removesuffix('.old').removesuffix('.gone')}.gone")
    with contextlib.suppress(OSError):
        folder.replace(gone)
    for rest in (folder, gone):
        shutil.rmtree(rest, ignore_errors=True)


def _sync(path: Path) -> None:
    """Have the system write a file, or a folder's list of names, to the disk."""
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) if path.is_dir() else os.O_RDONLY
    try:
        handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except PermissionError:
        if path.is_dir():  # a folder may be one to write into and not one to list
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        # some file systems take none for folders and none for what is no plain file
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)
