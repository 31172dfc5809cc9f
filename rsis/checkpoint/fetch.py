"""Checkpoints at an http(s) address: downloaded once and kept in torch's download folder."""

import hashlib
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import torch

from rsis.errors import UserError
from rsis.files.digests import sha256_of


def local_file(source: str | Path, sha256: str | None = None) -> Path:
    """Return the local path of a checkpoint; download it first if `source` is an address and it is not there yet.

    Args:
        source: Path of a file, or its http(s) address.
        sha256: Expected SHA-256 of the file, hexadecimal; None checks nothing.

    Raises:
        UserError: The download failed, or the file has another SHA-256.
    """
    path = _fetch(str(source)) if _is_address(source) else Path(source).expanduser()
    if sha256 is not None and path.is_file() and (found := sha256_of(path)) != sha256.lower():
        raise UserError(f"{path}: has SHA-256 {found}, expected {sha256}; delete it and fetch it again")
    return path


def _is_address(source: str | Path) -> bool:
    return isinstance(source, str) and urlsplit(source).scheme in ("http", "https")


def _fetch(address: str) -> Path:
    """Return the local copy of the file at an address; download it first if there is none, whole or not at all."""
    name = Path(urlsplit(address).path).name or "model.safetensors"
    path = Path(torch.hub.get_dir()) / "rsis" / hashlib.sha256(address.encode()).hexdigest()[:16] / name
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(path), progress=sys.stderr.isatty())
    except (URLError, OSError) as error:
        reason = error.reason if type(error) is URLError else error  # the reason of an HTTPError lacks the status code
        raise UserError(
            f"{address}: cannot be fetched ({reason}); correct the address, or fetch it yourself"
        ) from error
    return path
