"""Training checkpoints that are whole or not there, whatever happens to the process or the machine."""

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from rsis.errors import UserError
from rsis.files import atomic_path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoints, written beside their place, flushed to the disk and renamed.

    Lightning itself writes to the system's temporary folder and moves the file, which on a cluster is a copy from
    one file system to another: a job killed during it would leave half a checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint."""
        content = io.BytesIO()  # writing to a full disk, torch hides what went wrong
        torch.save(checkpoint, content)
        with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())

    def load_checkpoint(
        self,
        path: Any,
        map_location: Callable[..., Any] | None = lambda storage, location: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint of ours.

        Raises:
            UserError: It is damaged.
        """
        try:
            return super().load_checkpoint(path, map_location, weights_only)
        except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, BadZipFile) as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(f"{path}: cannot be read ({reason}); start over with --fresh") from error
