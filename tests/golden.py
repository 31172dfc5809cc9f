"""The original implementation's numbers, and our network filled with its deterministic weights.

Cases are found through every manifest.json under the folder that RSIS_GOLDEN names (default
../shared/golden beside the repository). How the numbers were made is told in rsis/README.md there.
"""

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rsis.model.original import original_architecture, original_name
from rsis.model.rsis import RSIS

GOLDEN = Path(os.environ.get("RSIS_GOLDEN") or Path(__file__).parents[2] / "shared" / "golden")
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
    """One case: its parameters by attribute access through `[]`, its arrays by `arrays`."""

    name: str
    parameters: dict[str, Any]
    path: Path

    def __getitem__(self, key: str) -> Any:
        """A parameter of the manifest."""
        return self.parameters[key]

    @property
    def arrays(self) -> Any:
        return np.load(self.path)

    def images(self, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        """The case's input [B, 3, H, W]: coarse blocks of 16 pixels plus noise, from a seeded generator."""
        batch, height, width = self["B"], self["H"], self["W"]
        random = np.random.RandomState(self["seed"])
        low = random.standard_normal((batch, 3, -(-height // 16), -(-width // 16)))
        noise = random.standard_normal((batch, 3, height, width))
        blocks = low.repeat(16, axis=2).repeat(16, axis=3)[:, :, :height, :width]
        return torch.from_numpy((blocks + 0.3 * noise).astype(np.float32)).to(dtype)

    def network(self, dtype: torch.dtype = torch.float64) -> RSIS:
        """Our network with the original's widths and weights; float32 values, whatever the dtype."""
        section = original_architecture(self["base_model"], self["hidden_size"], self["kernel_size"], self["skip_mode"])
        network = RSIS(section, self["num_classes"])
        network.load_state_dict({k: _weights(original_name(k), v.shape) for k, v in network.state_dict().items()})
        return network.to(dtype)


def find_cases(kind: str) -> list[Any]:
    """Every case of a kind as pytest parameters; one that fails when there are none at all."""
    cases = []
    for manifest in sorted(GOLDEN.rglob("manifest.json")):
        for name, parameters in json.loads(manifest.read_text())["cases"].items():
            if parameters["kind"] == kind:
                path = manifest.parent / parameters["file"]
                cases.append(pytest.param(Case(name, parameters, path), id=f"{manifest.parent.name}-{name}"))
    return cases or [pytest.param(None, id="missing")]


def require(case: Case | None) -> Case:
    """Fail, not skip, when the golden numbers are not there."""
    assert case is not None, f"no golden cases under {GOLDEN}: put them there or name their folder in RSIS_GOLDEN"
    return case


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, relative to the largest expected magnitude."""
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300))


def _weights(name: str, shape: torch.Size) -> torch.Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
    normal = random.standard_normal(tuple(shape))
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
