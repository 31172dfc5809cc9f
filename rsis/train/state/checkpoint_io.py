"""Atomic training checkpoints: complete or absent, even if the process is killed or the machine fails."""

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
    """Writes Lightning's checkpoints to a temporary file in the same folder, flushes it to disk and renames it.

    The previous checkpoint is kept. Lightning itself writes to the system's temporary folder and moves the file. On a
    cluster this is a copy between file systems, and a job killed during it would leave half a checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint; the file that it replaces is kept as `PREVIOUS`."""
        content = io.BytesIO()  # if torch wrote to a full disk itself, it would hide the cause of the error
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
        """Read a checkpoint; no code in it is run, whatever the value of `weights_only`.

        Raises:
            UserError: The checkpoint is damaged.
        """
        try:
            return super().load_checkpoint(path, map_location, weights_only=True)
        except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, BadZipFile) as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(f"{path}: cannot be read ({reason}); start over with --fresh") from error
