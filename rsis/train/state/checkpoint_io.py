"""Training checkpoints that are whole or not there, whatever happens to the process or the machine."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from rsis.errors import UserError
from rsis.train.state.files import keep_as, write_state
from rsis.train.state.resume import PREVIOUS


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoints, written beside their place, flushed to the disk and renamed; the one before is kept.

    Lightning itself writes to the system's temporary folder and moves the file, which on a cluster is a copy from
    one file system to another: a job killed during it would leave half a checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint."""
        content = io.BytesIO()  # writing to a full disk, torch hides what went wrong
        torch.save(checkpoint, content)
        place = Path(path)
        if place.exists():
            keep_as(place, place.with_name(PREVIOUS))
        write_state(place, content.getbuffer())

    def load_checkpoint(
        self,
        path: Any,
        map_location: Callable[..., Any] | None = lambda storage, location: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint of ours; nothing in it is run, whatever `weights_only` says.

        Raises:
            UserError: It is damaged.
        """
        try:
            return super().load_checkpoint(path, map_location, weights_only=True)
        except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, BadZipFile) as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(f"{path}: cannot be read ({reason}); start over with --fresh") from error
