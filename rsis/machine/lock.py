"""File locks that wait for, and name, the current holder.

A lock is a file that its holder has locked with flock, so the system frees it whenever and however the holder ends.
A JSON file beside it describes the holder, for messages and for `rsis status`:

    state/locks/train-demo.lock
    state/locks/train-demo.json    {"host": "n1", "pid": 4711, "job": "123", "since": "2026-11-24T10:00:00+00:00"}

"job" is the id of the holder's SLURM job, or null.
"""

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from rsis.errors import StoppedError, UserError
from rsis.files.atomic import read_json, write_json

_LOG = logging.getLogger(__name__)
_POLL = 0.5  # seconds
_LOCKLESS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)  # of a file system that cannot lock files


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock.

    Attributes:
        host: Name of its machine.
        pid: Process id on that machine.
        job: Id of its SLURM job; None outside SLURM.
        since: When it got the lock, ISO 8601, UTC.
    """

    host: str
    pid: int
    job: str | None
    since: str

    def __str__(self) -> str:
        """Return a description for messages."""
        job = "" if self.job is None else f", SLURM job {self.job}"
        return f"process {self.pid} on {self.host}{job}, since {self.since}"


@contextlib.contextmanager
def locked(path: Path, what: str, is_stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Hold a lock while the block runs; first wait as long as another process holds it.

    Args:
        path: The lock file, suffix .lock; it is not removed when the lock is freed.
        what: The work that the lock protects, for the warning of a waiting process.
        is_stopped: Polled while waiting; true ends the wait.

    Raises:
        StoppedError: `is_stopped` returned true during the wait.
        UserError: The file system cannot lock files, or the folder cannot be written.
    """
    lock = _lock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _LOG.warning("%s: another process is at it (%s); waiting until it ends", what, holder_of(path) or "unknown")
            lock.acquire(poll_interval=_POLL, cancel_check=is_stopped)
    except Timeout as error:
        raise StoppedError(f"{what}: stopped while it waited for another process; run it again") from error
    except OSError as error:
        if error.errno in _LOCKLESS:
            raise UserError(
                f"{path}: this file system cannot lock files; put the project's folder on one that can "
                "(NFS 4, Lustre mounted with flock, or a local disk)"
            ) from error
        raise UserError(f"{path}: cannot lock ({error.strerror or error}); make the folder writable") from error
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder = Holder(socket.gethostname(), os.getpid(), os.environ.get("SLURM_JOB_ID"), since)
        write_json(path.with_suffix(".json"), asdict(holder))
        yield
    finally:
        path.with_suffix(".json").unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make a folder and hold a lock in it while the block runs; a folder that stays empty is removed.

    Raises:
        UserError: Another process holds the lock, or the folder cannot be made.
    """
    path = folder / ".rsis.lock"
    made = [part for part in (folder, *folder.parents) if not part.exists()]
    lock = _lock(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"{folder}: another process writes there; wait for its end, or name another folder") from error
    except OSError as error:
        if error.errno not in _LOCKLESS:
            raise UserError(f"{folder}: cannot write ({error.strerror or error}); name another folder") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()
        with contextlib.suppress(OSError):  # it has files
            for part in made:
                part.rmdir()


def holder_of(path: Path) -> Holder | None:
    """Return who holds a lock, or None when it is free."""
    if not path.is_file():
        return None
    probe = _lock(path)
    try:
        probe.acquire(timeout=0)
    except Timeout:
        try:
            return read_json(path.with_suffix(".json"), Holder, "it is written by the lock's holder")
        except UserError:  # locked a moment ago: the holder has not written its JSON file yet
            return Holder("unknown", 0, None, "just now")
    except OSError:
        return None
    probe.release()
    return None


def _lock(path: Path) -> BaseFileLock:
    # no fallback to a lock that is the mere existence of a file: a killed process would never remove the file
    return FileLock(path, fallback_to_soft=False, preserve_lock_file=True)
