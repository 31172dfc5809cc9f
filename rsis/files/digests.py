"""SHA-256 digests of files and of values."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(section: BaseModel | dict[str, Any]) -> str:
    """Return a digest of a section's values, 16 hexadecimal digits, the same on every machine."""
    values = section.model_dump(mode="json") if isinstance(section, BaseModel) else section
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
