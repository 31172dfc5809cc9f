"""Files of a training's state with a digest beside each, so that damage is noticed.

    last.ckpt
    last.ckpt.sha256      lines such as "9f86d0...  last.ckpt"

The digest of the new content is written before the content, above the digests of the previous content. Whenever the
process is killed, the file therefore has one of these digests. A file without a digest file was written by a former
version, and is accepted unchecked. The digest of a folder is that of its files' names and digests.
"""

import contextlib
import hashlib
import logging
from pathlib import Path

from rsis.files.atomic import atomic_path
from rsis.files.digests import sha256_of
from rsis.files.durable import UNFINISHED

_LOG = logging.getLogger(__name__)
_KEPT = 4  # most lines in a digest file: the new content, and older contents that may still be there


def write_state(path: Path, content: bytes | memoryview) -> None:
    """Write a file of the state atomically, after its digest.

    Raises:
        UserError: The disk is full or not writable.
    """
    _write_digests(path, [hashlib.sha256(content).hexdigest(), *_present(path)])
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(content)


def seal(path: Path) -> None:
    """Write the digest of a file or a folder that exists already."""
    _write_digests(path, [_digest_of(path)])


def keep_as(path: Path, copy: Path) -> None:
    """Keep a file under a second name as well, by a hard link, with its digests; replace the file of that name.

    On a file system without hard links nothing is kept.
    """
    _write_digests(copy, [*_present(path)[:2], *_present(copy)])
    temporary = copy.with_name(f".{copy.stem}{UNFINISHED}the_link{copy.suffix}")
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
        temporary.hardlink_to(path)
        temporary.replace(copy)
        temporary.unlink(missing_ok=True)  # `replace` does nothing if both are already the same file


def put_back(copy: Path, path: Path) -> None:
    """Move a file that `keep_as` kept back to its original name, with its digests."""
    _write_digests(path, _present(copy))
    copy.replace(path)
    _beside(copy).unlink(missing_ok=True)


def is_whole(path: Path) -> bool:
    """Return whether a file or folder exists and has one of its digests, or no digest file; warn if it is damaged."""
    if not path.exists():
        return False
    beside = _beside(path)
    try:
        if not beside.exists() or _digest_of(path) in _digests(path):
            return True
        reason = "does not have the bytes that were written"
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
    _LOG.warning("%s: %s; it counts as not there", path, reason)
    return False


def forget(path: Path) -> None:
    """Remove a file of the state and its digests."""
    path.unlink(missing_ok=True)
    _beside(path).unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _digests(path: Path) -> list[str]:
    """Return the digests in a file's digest file; none if that cannot be read."""
    try:
        lines = _beside(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [line.split()[0] for line in lines if line.split()]


def _present(path: Path) -> list[str]:
    """Return the digests in a file's digest file; without one, the digest of the file itself; [] if there is none."""
    return _digests(path) or ([sha256_of(path)] if path.is_file() else [])


def _write_digests(path: Path, digests: list[str]) -> None:
    with atomic_path(_beside(path)) as temporary:
        lines = "".join(f"{digest}  {path.name}\n" for digest in dict.fromkeys(digests[:_KEPT]))
        temporary.write_text(lines, encoding="utf-8")


def _digest_of(path: Path) -> str:
    if not path.is_dir():
        return sha256_of(path)
    files = sorted(item.relative_to(path).as_posix() for item in path.rglob("*") if item.is_file())
    listing = "".join(f"{sha256_of(path / name)}  {name}\n" for name in files)
    return hashlib.sha256(listing.encode()).hexdigest()
