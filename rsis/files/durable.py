"""Renames that survive a power cut, and the removal of temporary files that killed processes left.

The bytes are on the disk before the rename, and the new name is on the disk before the writer continues. So after a
power cut there is either the complete old output or the complete new one.

A killed process leaves its temporary file or folder beside the output, named `.NAME.rsis-XXXXXXXX`. A folder that was
being replaced has the further suffix `.old` and is still complete; one that was being removed has `.gone`. `sweep`
removes the leftovers.
"""

import contextlib
import errno
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

UNFINISHED = ".rsis-"  # part of the name of each temporary file and folder
_LEFTOVER = re.compile(
    r"\.(?P<name>.+)\.rsis-[a-z0-9_]{8}(?P<suffix>(?!\.(?:old|gone)$)\.[^.]+)?(?P<end>\.old|\.gone)?"
)


def replace_on_disk(source: Path, target: Path) -> None:
    """Sync a file or a folder to the disk, rename it, and sync the new name.

    Raises:
        OSError: The disk is full or fails.
    """
    sync(source)
    source.replace(target)
    _sync(target.parent)


def sync(path: Path) -> None:
    """Write a file, or a folder and all that it contains, to the disk; return when it is there."""
    everything = [path, *path.rglob("*")] if path.is_dir() else [path]
    with ThreadPoolExecutor(min(16, len(everything))) as pool:  # disks are faster with many requests at once
        list(pool.map(_sync, [item for item in everything if item == path or not item.is_symlink()]))


def sweep(*paths: Path) -> None:
    """Remove the leftovers of killed processes beside outputs; call it under the lock of the stage that writes them.

    When the process was killed after it had moved the old folder away and before the new one took its place, the old
    folder gets its name back.

    Args:
        paths: The outputs, files or folders.
    """
    # the leftovers of a linked folder lie beside the folder that the link points to
    for path in {place for output in paths for place in (output, output.resolve())}:
        for entry in path.parent.glob(f".*{UNFINISHED}*") if path.parent.is_dir() else ():
            found = _LEFTOVER.fullmatch(entry.name)
            if found is None or path.name != f"{found['name']}{found['suffix'] or ''}":
                continue
            with contextlib.suppress(OSError):  # the stage itself reports a full or write-protected disk
                if found["end"] == ".old" and entry.is_dir() and not path.exists():
                    entry.replace(path)
                elif entry.is_dir() and not entry.is_symlink():
                    remove_whole(entry)
                else:
                    entry.unlink()


def sweep_folder(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder, while no other process writes there."""
    for entry in folder.glob(f".*{UNFINISHED}*") if folder.is_dir() else ():
        if _LEFTOVER.fullmatch(entry.name) and entry.is_file() and not entry.is_symlink():
            with contextlib.suppress(OSError):
                entry.unlink()


def remove_whole(folder: Path) -> None:
    """Remove a temporary folder; it is renamed first, so that `sweep` never restores a partly removed folder."""
    gone = folder.with_name(f"{folder.name.removesuffix('.old').removesuffix('.gone')}.gone")
    with contextlib.suppress(OSError):
        folder.replace(gone)
    for rest in (folder, gone):
        shutil.rmtree(rest, ignore_errors=True)


def _sync(path: Path) -> None:
    """Make the system write one file, or the list of names in a folder, to the disk."""
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) if path.is_dir() else os.O_RDONLY
    try:
        handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except PermissionError:
        if path.is_dir():  # a folder may be writable but not readable
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        # some file systems do not support fsync on folders and on special files
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)
