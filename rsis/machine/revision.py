"""The git commit of the running code, recorded with each result."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

# Tracked files that the pipeline itself writes, the two pages by `rsis report --reference`: a change in them is no
# change of the code.
OUTPUTS = tuple(f":(exclude){path}" for path in ("reports", "metrics", "dvc.lock", "README.md", "docs/demos.md"))


@dataclass(frozen=True)
class Revision:
    """A commit, and whether tracked files differ from it.

    Attributes:
        commit: Full hash, hexadecimal.
        changed: Whether a tracked file differs from the commit; files that the stages write do not count.
    """

    commit: str
    changed: bool


def revision_of(folder: Path) -> Revision | None:
    """Return the current commit of the git repository that contains a folder; None outside a repository."""
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
