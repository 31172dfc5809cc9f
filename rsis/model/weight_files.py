"""State dicts from files that others wrote; reading one runs no code of theirs."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from rsis.errors import UserError


def read_state_dict(path: Path, remedy: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name, on the CPU.

    Args:
        path: A .safetensors file, or a state dict in any of torch's serialisations.
        remedy: What the user can do when it is none; ends the error message.

    Raises:
        UserError: The file cannot be read, or holds anything but a state dict.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{path}: cannot be read as weights ({reason}); {remedy}") from error
    except Exception as error:  # torch raises pickle's own errors, of no common class, for foreign files
        raise UserError(f"{path}: cannot be read as weights ({type(error).__name__}); {remedy}") from error
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds a {type(state).__name__}, not a state dict; {remedy}")
    return state
