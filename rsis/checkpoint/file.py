"""A trained network on disk: one .safetensors file that describes itself.

The tensors are the state dict of `RSISNetwork`, float32. The metadata in the file's header has one key, `rsis`: a JSON
object with the fields of `CheckpointInfo` and `schema_version`. Nothing is pickled, so opening an untrusted file
runs no code. Example of the JSON object:

    {"schema_version": 2, "run": "demo", "dataset": "plants", "class_names": ["leaf"], "size": [96, 96],
     "preprocessing": {"channels": "RGB", "resize": "bilinear, antialiased", "mean": [0.485, 0.456, 0.406],
                       "std": [0.229, 0.224, 0.225]},
     "pictures": {"intensity": [12.0, 4011.0], "channels": null, "page": null, "annotated": "upright"},
     "model": {"backbone": "resnet18", "hidden_widths": [32, 32, 16, 8, 4], ...}, "train": {"epochs": 20, ...},
     "predict": {"num_steps": 13, ...}, "metrics": {"val/mask": 0.21, ...}, "key": "9f86d0...", "version": "0.2.0"}
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save

from rsis.checkpoint.info import SCHEMA_VERSION, CheckpointInfo, read_info
from rsis.checkpoint.weights import read_network
from rsis.config.runs import ModelSection
from rsis.errors import UserError
from rsis.files.atomic import atomic_path
from rsis.model.any import Network


def save_checkpoint(path: Path, network: Network, info: CheckpointInfo) -> None:
    """Write the checkpoint; the file at `path` is the old one or the new one, never half of one."""
    content = checkpoint_bytes(network, info)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def checkpoint_bytes(network: Network, info: CheckpointInfo) -> bytes:
    """Return what a checkpoint's file holds."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    header = json.dumps({"schema_version": SCHEMA_VERSION, **asdict(info)}, sort_keys=True)
    return save(tensors, metadata={"rsis": header})


def load_checkpoint(path: Path, expected: ModelSection | None = None) -> tuple[Network, CheckpointInfo]:
    """Read a network, in eval mode on the CPU.

    Args:
        path: The file.
        expected: The architecture in params.yaml; None accepts every architecture.

    Returns:
        The network, float32, and its description.

    Raises:
        UserError: See `read_info`; or the checkpoint is of another architecture than `expected`, or its
            weights do not fit its own description or are not finite.
    """
    info = read_info(path)
    try:
        section = ModelSection.model_validate(info.model, strict=False)
        if expected is not None:
            _check_same(path, section, expected)
        network = read_network(path, section, len(info.class_names) + 1)
    except (ValueError, RuntimeError, TypeError, OverflowError, SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{path}: its weights do not fit its description ({reason}); train the run again") from error
    return network.eval().to(torch.float32), info


def _check_same(path: Path, found: ModelSection, expected: ModelSection) -> None:
    ours, theirs = found.model_dump(), expected.model_dump()
    for key in ours:
        # the initial weights of the backbone are not part of the architecture
        if key != "weights" and ours[key] != theirs[key]:
            raise UserError(
                f"{path}: a checkpoint of another architecture (model.{key} is {ours[key]}, params.yaml says "
                f"{theirs[key]}); restore the parameter or run `rsis train` again"
            )
