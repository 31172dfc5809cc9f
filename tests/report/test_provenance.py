"""Provenance of a run: the commit, the training time and the machine."""

import subprocess
from pathlib import Path

import pytest

from rsis.machine.progress import duration
from rsis.report.provenance import batch, commit, training


def test_commit_says_whether_the_tree_is_clean(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    for name in ("code.py", "reports/first.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    git("add", ".")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD")
    assert commit(tmp_path) == head
    (tmp_path / "reports/first.md").write_text("2")  # a change of the report's own files does not count
    assert commit(tmp_path) == head
    (tmp_path / "code.py").write_text("2")
    assert commit(tmp_path) == f"{head}, with uncommitted changes"


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.2, "3 s"), (119, "119 s"), (1453, "24 min"), (7100, "118 min"), (12000, "3 h 20 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_training_without_a_record() -> None:
    assert training({}) == "-"
    assert training({"device": "NVIDIA X", "threads": 4, "precision": "bf16"}) == "on NVIDIA X, bf16"


def test_batch_says_who_shared_it() -> None:
    assert batch({}) == "-"
    assert batch({"batch_size": 8, "devices": 1, "nodes": 1}) == "8 images"
    assert batch({"batch_size": 28, "devices": 4, "nodes": 2}) == "28 images, shared by 4 devices on each of 2 nodes"
