"""Which commit of the code is at work: what a result was made with."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

# What the pipeline itself writes does not make the code that wrote it another one.
OUTPUTS = (":(exclude)reports", ":(exclude)metrics", ":(exclude)dvc.lock")


@dataclass(frozen=True)
class Revision:
    """A commit, and whether tracked files differ from it.

    Attributes:
        commit: The whole hash.
        changed: Whether a tracked file was changed; those that the stages write do not count.
    """

    commit: str
    changed: bool


def revision_of(folder: Path) -> Revision | None:
    """Return the commit of the git repository that a folder lies in; None outside git."""
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", *OUTPUTS)
    return Revision(head, bool(changes))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
