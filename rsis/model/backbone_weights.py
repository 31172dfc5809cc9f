"""Pretrained weights from untrusted files; reading a file never runs code from it."""

from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from rsis.errors import UserError
from rsis.model.vision import torchvision


def read_state_dict(path: Path, remedy: str) -> dict[str, torch.Tensor]:
    """Read a file of weights; return its tensors by name, on the CPU.

    Args:
        path: A .safetensors file, or a state dict in any of torch's serialisation formats.
        remedy: What the user can do when the file is neither; the error message ends with it.

    Raises:
        UserError: The file cannot be read, or holds something other than a state dict.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{path}: cannot be read as weights ({reason}); {remedy}") from error
    except Exception as error:  # for other kinds of file torch passes on pickle's errors, which share no base class
        raise UserError(f"{path}: cannot be read as weights ({type(error).__name__}); {remedy}") from error
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds a {type(state).__name__}, not a state dict; {remedy}")
    return state


def load_backbone_weights(network: nn.Module, backbone: str, weights: str) -> None:
    """Load `weights` into a torchvision classifier, in place.

    Args:
        network: The classifier; the weights of its classification head are never loaded.
        backbone: Its torchvision name.
        weights: A local file (.pth state dict or .safetensors), or the name of one of torchvision's weight
            sets for this backbone, for example IMAGENET1K_V1, which torchvision downloads and verifies.

    Raises:
        UserError: `weights` is neither such a file nor such a name, the download failed, or the weights are not of
            this backbone.
    """
    path = Path(weights).expanduser()
    state = _read_weights(path) if path.suffix or path.exists() else _download_weights(backbone, weights)
    state = {key: value for key, value in state.items() if not key.startswith(("fc.", "classifier."))}
    problems = network.load_state_dict(state, strict=False)
    missing = [key for key in problems.missing_keys if not key.startswith(("fc.", "classifier."))]
    if missing or problems.unexpected_keys:
        odd = (missing + problems.unexpected_keys)[0]
        raise UserError(f"{weights}: not weights of {backbone} (first key that differs: {odd}); name another file")


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise UserError(f"{path}: no such file of backbone weights; correct model.weights in params.yaml")
    return read_state_dict(path, "name a state dict, as model.state_dict() gives it")


def _download_weights(backbone: str, name: str) -> dict[str, torch.Tensor]:
    choices = torchvision.models.get_model_weights(backbone)
    if name not in choices.__members__:
        known = ", ".join(choices.__members__)
        raise UserError(f"model.weights: found {name!r}; expected null, a file, or one of {known} for {backbone}")
    try:
        state: dict[str, torch.Tensor] = choices[name].get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(f"{backbone} {name}: download failed ({error}); fetch it yourself and name the file") from error
    return state
