"""Safe unpacking of untrusted tar and zip archives: nothing outside the target folder is written.

A member is refused when its name is absolute or contains "..", when its path goes through a link, or when it is
not a file, a folder or a link. A symbolic link is refused unless the text of its target alone shows that it stays in
the target folder: each ".." is at the start, and there are not more of them than folders above the link. Since nothing
is written through a link, no other member of the archive can make such a link point outside. A zip archive must not
contain links.
"""

import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from rsis.errors import UserError

# what the libraries raise for damaged archives; the type depends on the place of the damage
_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, struct.error, NotImplementedError),
    *(ValueError, OverflowError, LookupError, TypeError, RecursionError, MemoryError),
)
_RATIO, _SMALL = 100, 100_000_000  # an archive may become this many times as large, and so many bytes besides
_MEMBER = 4096  # bytes that a member counts at least, as on a disk


def unpack(archive: Path, folder: Path, most: int | None = None) -> None:
    """Unpack a tar archive of any compression, or a zip archive, into an existing folder.

    It stops at the first fault and does not remove the files written before; so use a temporary folder.

    Args:
        archive: The archive.
        folder: The target folder.
        most: Most bytes that its files may have together; None is 100 times the archive's size and 100 megabytes.

    Raises:
        UserError: The file is not an archive, is damaged or encrypted, has a member that is refused or
            larger contents than `most`, or the folder cannot be written.
    """
    try:
        room = _Room(archive, archive.stat().st_size * _RATIO + _SMALL if most is None else most)
        if tarfile.is_tarfile(archive):
            _unpack_tar(archive, folder, room)
        elif zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder, room)
        else:
            raise UserError(f"{archive}: neither a tar nor a zip archive; remove it and fetch it again")
    except _DAMAGE as error:
        raise _damaged(archive, error) from error
    except OSError as error:
        if error.errno is None:  # raised by a decompressor, not by the system
            raise _damaged(archive, error) from error
        raise UserError(
            f"{folder}: cannot unpack {archive.name} ({error.strerror}); free the space or fix the permission, "
            "then run again"
        ) from error


class _Room:
    """The bytes that an archive may still be unpacked to."""

    def __init__(self, archive: Path, most: int) -> None:
        self._archive, self._most, self._taken = archive, most, 0

    def take(self, size: int) -> None:
        """Count a member; raise UserError when there are too many bytes."""
        self._taken += max(size, _MEMBER)
        if self._taken > self._most:
            raise UserError(
                f"{self._archive}: unpacks to more than {self._most} bytes, from {self._archive.stat().st_size}; if "
                "that is right, set max_unpacked of this file in params.yaml to the bytes that it may have"
            )


def _unpack_tar(archive: Path, folder: Path, room: _Room) -> None:
    with tarfile.open(archive) as file:
        for member in file:
            fault = _fault_of_tar_member(member, folder)
            if fault is not None:
                raise _refused(archive, member.name, fault)
            room.take(member.size)
            if hasattr(tarfile, "data_filter"):  # the library checks the same rules again, from Python 3.11.4 on
                file.extract(member, folder, filter="data")
            else:
                file.extract(member, folder, set_attrs=False)


def _fault_of_tar_member(member: tarfile.TarInfo, folder: Path) -> str | None:
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return "is a device or another special file"
    if member.size < 0:
        return "has a size below 0"
    fault = _fault_of_name(member.name, folder, may_be_link=member.issym())
    if fault is None and member.issym() and not _stays_inside(member.name, member.linkname):
        return f"is a link out of its folder, to {member.linkname!r}"
    if fault is None and member.islnk():
        same = folder / member.linkname
        if _fault_of_name(member.linkname, folder) is not None or not same.is_file():
            return f"is a link to {member.linkname!r}, which is no file before it in the archive"
    return fault


def _unpack_zip(archive: Path, folder: Path, room: _Room) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            fault = _fault_of_name(member.filename, folder)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if fault is None and kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                fault = "is a link or a special file, expected a plain file"
            if fault is None and member.flag_bits & 1:
                fault = "is encrypted"
            if fault is not None:
                raise _refused(archive, member.filename, fault)
            room.take(member.file_size)
            file.extract(member, folder)


def _fault_of_name(name: str, folder: Path, *, may_be_link: bool = False) -> str | None:
    """Return why nothing may be written at `folder / name`; None if it may."""
    pure = PurePosixPath(name)
    if "\0" in name:
        return "has a name with a zero byte"
    if pure.is_absolute():
        return "has an absolute name"
    if ".." in pure.parts:
        return 'has a name that leaves its folder by ".."'
    path = folder
    for position, piece in enumerate(pure.parts, start=1):
        path /= piece
        if path.is_symlink() and not (may_be_link and position == len(pure.parts)):
            return "lies behind a link"
    return None


def _stays_inside(name: str, target: str) -> bool:
    pure = PurePosixPath(target)
    ups = pure.parts.count("..")
    depth = len(PurePosixPath(name).parts) - 1
    return not pure.is_absolute() and ups <= depth and ".." not in pure.parts[ups:]


def _refused(archive: Path, name: str, fault: str) -> UserError:
    return UserError(f"{archive}: member {name!r} {fault}; refused, use an archive from the data set's official place")


def _damaged(archive: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"{archive}: damaged ({reason}); remove it and fetch it again")
