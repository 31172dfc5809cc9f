"""Training checkpoints are written atomically."""

import os
from pathlib import Path

import pytest
import torch

from rsis.errors import UserError
from rsis.train.state.checkpoint_io import AtomicCheckpointIO
from rsis.train.state.files import is_whole


def test_what_is_written_is_read(tmp_path: Path) -> None:
    AtomicCheckpointIO().save_checkpoint({"weights": torch.arange(3)}, tmp_path / "last.ckpt")
    assert torch.equal(AtomicCheckpointIO().load_checkpoint(tmp_path / "last.ckpt")["weights"], torch.arange(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "last.ckpt.sha256"]


def test_a_write_that_fails_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    io, path = AtomicCheckpointIO(), tmp_path / "last.ckpt"
    io.save_checkpoint({"epoch": 1}, path)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match="No space left"):
        io.save_checkpoint({"epoch": 2}, path)
    assert io.load_checkpoint(path) == {"epoch": 1}
    assert is_whole(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["last.ckpt", "last.ckpt.sha256"]


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_damaged_one_is_one_clear_error(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"weights": torch.arange(1000)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"last.ckpt: cannot be read \(.*--fresh"):
        AtomicCheckpointIO().load_checkpoint(path)
