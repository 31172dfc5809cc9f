"""Checkpoints at an http(s) address: downloaded once and kept in torch's download folder.

A file gets its name there when it is complete: a safetensors file says at its beginning how long it is.
"""

import hashlib
import http.client
import json
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import requests
import torch
import urllib3

from rsis.data.download.fetch import without_secrets
from rsis.errors import UserError
from rsis.files.atomic import atomic_path
from rsis.files.digests import sha256_of

_log = logging.getLogger(__name__)
_TIMEOUT = (10.0, 20.0)  # seconds to connect, and between two pieces of data
_SLOW_AFTER, _SLOWEST = 30.0, 1000.0  # seconds, and bytes a second that are expected from then on
_PIECE = 1 << 16  # bytes to read at a time
_LONGEST_HEADER = 100_000_000  # bytes, of safetensors' own rules
# of requests and of what it does not translate
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, ValueError)


class _FetchError(Exception):
    """The message says why the file did not arrive."""


def local_file(source: str | Path, sha256: str | None = None) -> Path:
    """Return the local path of a checkpoint; download it first if `source` is an address and it is not there yet.

    Args:
        source: Path of a file, or its http(s) address.
        sha256: Expected SHA-256 of the file, hexadecimal; None checks nothing.

    Raises:
        UserError: The download failed, or the file has another SHA-256.
    """
    is_address = isinstance(source, str) and re.match("https?:", source, re.IGNORECASE)
    path = _fetch(str(source)) if is_address else Path(source).expanduser()
    if sha256 is not None and path.is_file() and (found := sha256_of(path)) != sha256.lower():
        raise UserError(f"{path}: has SHA-256 {found}, expected {sha256}; delete it and fetch it again")
    return path


def _fetch(address: str) -> Path:
    """Return the local copy of the file at an address; download it first if there is none that is complete."""
    try:
        shown, name = without_secrets(address), Path(urlsplit(address).path).name
    except ValueError as error:
        raise UserError(f"{address[:200]}: not an address ({error}); correct it") from error
    name = re.sub("[^A-Za-z0-9_.-]", "_", name)[-100:].lstrip(".") or "model.safetensors"
    path = (
        Path(torch.hub.get_dir()) / "rsis" / hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()[:16] / name
    )
    if path.is_file() and _is_complete(path):
        return path
    _log.info("fetching %s", shown)
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            for piece in _checked_pieces(address):
                file.write(piece)
    except _FetchError as error:
        raise UserError(f"{shown}: cannot be fetched ({error}); correct the address, or fetch it yourself") from error
    return path


def _checked_pieces(address: str) -> Iterator[bytes]:
    """Yield the body of the file at an address; raise _FetchError unless it is as long as its header announces."""
    start, total, received = b"", None, 0
    try:
        with requests.get(address, stream=True, timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}) as answer:
            if answer.status_code != 200:
                raise _FetchError(f"HTTP {answer.status_code}")
            for piece in _pieces(answer):
                received += len(piece)
                if total is None:
                    start += piece
                    total = _length_of(start)
                if total is not None and received > total:
                    raise _FetchError(f"sends more than the {total} bytes of its checkpoint")
                yield piece
    except _FAILURES as error:
        raise _FetchError(_reason(error)) from error
    if total is None or received < total:
        raise _FetchError(f"ended after {received} bytes{'' if total is None else f' of {total}'}")


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """Yield the body as it arrives; raise _FetchError when almost nothing does."""
    begun, received = time.monotonic(), 0
    while piece := answer.raw.read1(_PIECE):
        received += len(piece)
        passed = time.monotonic() - begun
        if passed > _SLOW_AFTER and received < _SLOWEST * passed:
            raise _FetchError(f"{received} bytes in {passed:.0f} seconds")
        yield piece


def _length_of(start: bytes) -> int | None:
    """Return the length of a safetensors file by its first bytes; None when they do not suffice.

    Raises:
        _FetchError: It is no checkpoint.
    """
    if len(start) < 8:
        return None
    length = int.from_bytes(start[:8], "little")
    if length > _LONGEST_HEADER or (len(start) > 8 and start[8:9] != b"{"):
        raise _FetchError("the file there is no checkpoint")
    if len(start) < 8 + length:
        return None
    try:
        header = json.loads(start[8 : 8 + length])
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise _FetchError("the file there is no checkpoint") from error
    return 8 + length + max(ends, default=0)


def _is_complete(path: Path) -> bool:
    """Return whether a file in the download folder is whole; earlier versions kept what had arrived."""
    with path.open("rb") as file:
        start = file.read(8)
        start += file.read(min(int.from_bytes(start, "little"), _LONGEST_HEADER))
    try:
        return _length_of(start) == path.stat().st_size
    except _FetchError:
        return False


def _reason(error: Exception) -> str:
    """Return why a transfer failed, without the address, which may contain a password."""
    kinds = {
        requests.exceptions.SSLError: "no trusted certificate",
        requests.Timeout: "no answer in time",
        requests.ConnectionError: "cannot connect, or the connection broke",
        urllib3.exceptions.TimeoutError: "no data in time",
        requests.TooManyRedirects: "it is redirected in a circle",
    }
    return next(
        (text for kind, text in kinds.items() if isinstance(error, kind)), f"not usable, {type(error).__name__}"
    )
