"""What a training's result depends on, as one digest: its state and its checkpoint carry it."""

import hashlib
from pathlib import Path

import rsis
from rsis.config import digest_of
from rsis.run_config import RunSection

_SOURCES = ("structures.py", "masks.py", "data", "model", "loss", "train")


def run_key(run: RunSection, data_digests: dict[str, str]) -> str:
    """Return the digest of all that a training's result depends on."""
    return digest_of(
        {
            "model": run.model.model_dump(mode="json"),
            "train": run.train.model_dump(mode="json"),
            "data": data_digests,
            "code": _source_digest(),
        }
    )


def _source_digest() -> str:
    root = Path(rsis.__file__).parent
    digest = hashlib.sha256()
    for source in _SOURCES:
        files = [root / source] if source.endswith(".py") else sorted((root / source).rglob("*.py"))
        for file in files:
            digest.update(file.relative_to(root).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
