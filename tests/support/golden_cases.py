"""Golden numbers of the original implementation, and our network with the same deterministic weights.

The cases are listed in the files manifest.json of `reference_data`. tests/golden/README.md describes how the numbers
were made.
"""

import json
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.reference_data import golden_files

from rsis.checkpoint.original import original_architecture, original_name
from rsis.model.network import RSISNetwork

_GAINS = (
    ("base.features.", 2**0.5),
    ("base.", 1.0),
    ("sk", 1.0),
    ("clstm_list.", 3.0),
    ("conv_out.", 8.0),
    ("fc_class.", 2.0),
    ("fc_stop.", 3.0),
)


@dataclass(frozen=True)
class Case:
    """One case; `case[key]` is a parameter, and `arrays` has its arrays."""

    name: str
    parameters: dict[str, Any]
    path: Path

    def __getitem__(self, key: str) -> Any:
        """Return a parameter from the manifest."""
        return self.parameters[key]

    @property
    def arrays(self) -> Any:
        return np.load(self.path)

    def images(self, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        """Return the input of the case, [B, 3, H, W]."""
        return torch.from_numpy(make_images(self["seed"], self["B"], self["H"], self["W"])).to(dtype)

    def network(self, dtype: torch.dtype = torch.float64) -> RSISNetwork:
        """Return our network with the original's widths and weights, which have float32 values in any dtype."""
        section = original_architecture(self["base_model"], self["hidden_size"], self["kernel_size"], self["skip_mode"])
        with torch.device("meta"):  # without weights of its own, which would take as long to draw as these
            network = RSISNetwork(section, self["num_classes"])
        shapes = tuple((name, tuple(value.shape)) for name, value in network.state_dict().items())
        network.load_state_dict({name: value.clone() for name, value in _state(shapes).items()}, assign=True)
        return network.to(dtype)


def find_cases(kind: str) -> list[Any]:
    """Return all cases of a kind as pytest parameters."""
    cases = []
    for manifest in golden_files("manifest.json"):
        for name, parameters in json.loads(manifest.read_text())["cases"].items():
            if parameters["kind"] == kind:
                path = manifest.parent / parameters["file"]
                small = parameters["base_model"] == "resnet34" and parameters["H"] == 64
                slow = () if small else (pytest.mark.slow,)
                cases.append(
                    pytest.param(Case(name, parameters, path), id=f"{manifest.parent.name}-{name}", marks=slow)
                )
    assert cases, f"tests/golden has no cases of kind {kind}"
    return cases


def make_images(seed: int, batch: int, height: int, width: int) -> np.ndarray:
    """Return float32 [B, 3, H, W]: coarse blocks of 16 pixels plus noise, from a seeded generator."""
    random = np.random.RandomState(seed)  # the generator that the golden numbers were made with
    low = random.standard_normal((batch, 3, -(-height // 16), -(-width // 16)))
    noise = random.standard_normal((batch, 3, height, width))
    blocks = low.repeat(16, axis=2).repeat(16, axis=3)[:, :, :height, :width]
    return (blocks + 0.3 * noise).astype(np.float32)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest absolute difference, relative to the largest expected magnitude."""
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300))


@lru_cache(maxsize=1)  # most cases in turn have one architecture
def _state(shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> dict[str, torch.Tensor]:
    return {name: _weights(original_name(name), shape) for name, shape in shapes}


def _weights(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
    normal = random.standard_normal(shape)
    if name.endswith("running_mean"):
        values = 0.1 * normal
    elif name.endswith("running_var"):
        values = 1 + 0.1 * np.abs(normal)
    elif len(shape) >= 2:
        gain = next(gain for prefix, gain in _GAINS if name.startswith(prefix))
        values = normal * (gain / np.sqrt(np.prod(shape[1:])))
    else:
        values = 0.1 * normal if name.endswith(".bias") else 1 + 0.1 * normal
    return torch.from_numpy(values.astype(np.float32))
