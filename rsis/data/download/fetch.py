"""Downloads over HTTP that continue after an interruption, are repeated after errors, and are verified.

A download of `NAME` is written to `NAME.part` beside it. It is renamed to `NAME` when its size and its checksum are
right, so a file with that name is complete.
"""

import contextlib
import hashlib
import http.client
import logging
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from rsis import __version__
from rsis.config.sources import Archive
from rsis.errors import UserError

BACKOFF = 1.0  # seconds to wait before the second repetition of a request, doubled for each further one
TIMEOUT = (20.0, 60.0)  # seconds to connect, and between two pieces of data
_REPETITIONS = 4  # repetitions of a request that fails before any data
_FRUITLESS = 4  # interrupted transfers in a row without a new byte, after which the address is given up
_DIGITS = 20  # of a length that a server may announce
_PIECE = 1 << 20  # bytes to read at a time
_log = logging.getLogger(__name__)


class _UnavailableError(Exception):
    """The address does not provide the file; the message gives the reason."""


class _InterruptedError(Exception):
    """The transfer was interrupted; it may be continued."""


def open_session() -> requests.Session:
    """Return a session that repeats requests, with waits, after lost connections and HTTP 429, 500, 502, 503, 504."""
    repeat = urllib3.Retry(
        total=_REPETITIONS,
        connect=2,  # few, since each may take the whole timeout; a mirror is tried next
        backoff_factor=BACKOFF,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
        respect_retry_after_header=False,  # a server may ask for hours
    )
    session = requests.Session()
    session.headers["User-Agent"] = f"rsis/{__version__}"
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=repeat))
    return session


def fetch(archive: Archive, target: Path, session: requests.Session | None = None, *, remedy: str = "") -> None:
    """Download a file to `target`, unless a file with the right bytes is already there.

    An interrupted transfer leaves `<name>.part`; the next call continues it, from any of the addresses.
    A file with wrong bytes is logged, removed and downloaded again, from the next mirror if there is one.

    Args:
        archive: Addresses, and checksum and size if known.
        target: Path of the file; its folder is made.
        session: Session to use, for servers that need a login; by default a new one.
        remedy: Further advice at the end of the error message about wrong bytes.

    Raises:
        UserError: No address provides the file, each download has wrong bytes, or the file cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        if target.is_file():
            fault = _find_fault(archive, target)
            if fault is None:
                return
            _log.warning("%s: %s; removed, fetching it again", target, fault)
            target.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.nullcontext(session) if session is not None else open_session() as web:
            _fetch_verified(web, archive, part, target, remedy)
    except OSError as error:
        raise UserError(
            f"{part}: cannot write ({error.strerror or error}); free the space or fix the permission, then run "
            "again: what has arrived is kept"
        ) from error


def _fetch_verified(web: requests.Session, archive: Archive, part: Path, target: Path, remedy: str) -> None:
    urls = list(archive.urls)
    last = max(2, len(urls))
    for attempt in range(1, last + 1):
        url = _receive_from_any(web, urls, archive, part, target)
        fault = _find_fault(archive, part)
        if fault is None:
            part.replace(target)
            return
        part.unlink()
        found = f"{target}: corrupt as fetched from {without_secrets(url)}: {fault}"
        if attempt < last:
            _log.warning("%s; removed, fetching it again", found)
        urls.remove(url)
        urls.append(url)
    raise UserError(f"{found}; removed after {last} such downloads; {_by_hand(target)}{remedy}")


def _receive_from_any(web: requests.Session, urls: list[str], archive: Archive, part: Path, target: Path) -> str:
    """Download into `part` from the first address that provides the file; return that address."""
    tried = []
    for url in urls:
        try:
            _receive(web, url, archive.size, part)
        except _UnavailableError as error:
            tried.append(f"{without_secrets(url)} ({error})")
            _log.warning("%s: not available from %s: %s", target.name, without_secrets(url), error)
        else:
            return url
    raise UserError(
        f"{target.name}: cannot be fetched from {', '.join(tried)}; run again to go on, or {_by_hand(target)}"
    )


def _receive(web: requests.Session, url: str, size: int | None, part: Path) -> None:
    """Download the rest of `part` from one address; continue after interruptions while new bytes arrive."""
    fruitless = 0
    while True:
        start = part.stat().st_size if part.exists() else 0
        if size is not None and start > size:
            part.unlink()
            start = 0
        if start == size:
            return
        try:
            _receive_once(web, url, size, part, start)
        except _InterruptedError as error:
            reached = part.stat().st_size if part.exists() else 0
            fruitless = 0 if reached > start else fruitless + 1
            if fruitless == _FRUITLESS:
                raise _UnavailableError(f"{error}, {_FRUITLESS} times at the same place") from error
            _log.warning("%s: %s after %d bytes; going on", part.name, error, reached)
            if fruitless:
                time.sleep(BACKOFF * 2**fruitless)
        else:
            return


def _receive_once(web: requests.Session, url: str, size: int | None, part: Path, start: int) -> None:
    """Request the bytes from `start` on and append them to `part`; write all bytes if the server sends all."""
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
    try:
        with web.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            where = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", answer.headers.get("Content-Range", ""))
            if answer.status_code == 416 and start:
                if where and where[2] == str(start):
                    return  # `part` is complete
                part.unlink()
                raise _InterruptedError("larger than the server's file, removed")
            total = _check_answer(answer, where, url, start)
            if size is not None and total not in (None, size):
                raise _UnavailableError(f"offers {total} bytes, expected {size}")
            _append(answer, part, start if answer.status_code == 206 else 0, size or total)
    except requests.Timeout as error:
        raise _UnavailableError("no answer in time") from error
    except requests.exceptions.SSLError as error:
        raise _UnavailableError("no trusted certificate") from error
    except requests.ConnectionError as error:
        raise _UnavailableError("cannot connect") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, ValueError) as error:
        raise _UnavailableError(f"not usable, {type(error).__name__}") from error


def _check_answer(answer: requests.Response, where: re.Match[str] | None, url: str, start: int) -> int | None:
    """Return the size of the whole file, None if unknown; raise _UnavailableError if the answer is not the file."""
    if answer.status_code not in (200, 206):
        raise _UnavailableError(f"HTTP {answer.status_code}")
    kind = answer.headers.get("Content-Type", "")
    if kind.startswith("text/html") and not urlsplit(url).path.endswith((".html", ".htm")):
        raise _UnavailableError("a web page in place of the file")
    if answer.status_code == 206:
        if where is None or where[1] != str(start):
            raise _UnavailableError("another part of the file than asked for")
        return int(where[2]) if where[2] != "*" and len(where[2]) < _DIGITS else None
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and len(length) < _DIGITS else None


def _append(answer: requests.Response, part: Path, start: int, total: int | None) -> None:
    """Write the body to `part` from byte `start` on, with a progress bar on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    progress = Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)
    with part.open("ab") as file, progress:
        if file.tell() > start:
            file.truncate(start)
        task = progress.add_task(part.name.removesuffix(".part"), total=total, completed=start)
        try:
            # no decoding: some servers declare a .tgz as a .tar with content encoding gzip; it must stay compressed
            for piece in answer.raw.stream(_PIECE, decode_content=False):
                file.write(piece)
                start += len(piece)
                if total is not None and start > total:
                    raise _UnavailableError(f"sends more than the {total} bytes expected")
                progress.update(task, completed=start)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, ValueError) as error:
            raise _InterruptedError("the connection was lost") from error
    if total is not None and start < total:
        raise _InterruptedError("the transfer ended early")


def _find_fault(archive: Archive, path: Path) -> str | None:
    """Return in which way a file differs from the expected size or checksum; None when it does not."""
    size = path.stat().st_size
    if archive.size is not None and size != archive.size:
        return f"{size} bytes, expected {archive.size}"
    if archive.checksum is None:
        return None
    algorithm, expected = archive.checksum.split(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    return None if found == expected else f"{algorithm} {found}, expected {expected}"


def _by_hand(target: Path) -> str:
    return f"fetch it by other means and put it at {target}"


def without_secrets(url: str) -> str:
    """Return an address for messages, without user, password and query, which may be secret."""
    pieces = urlsplit(url)
    return f"{pieces.scheme}://{pieces.netloc.rpartition('@')[2]}{pieces.path}"
