"""Our affine map against the original implementation's, pixel for pixel."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from support.golden_cases import make_images
from support.reference_data import golden_files

from rsis.train.augment import affine_matrix, warp

pytestmark = pytest.mark.golden

_CASES = [
    pytest.param(path, key.removesuffix("_matrix"), id=f"{path.parent.name}-{key.removesuffix('_matrix')}")
    for path in golden_files("extra_affine.npz")
    for key in sorted(np.load(path).files)
    if key.endswith("_matrix")
]


@pytest.mark.parametrize(("path", "case"), _CASES)
def test_warp_reproduces_the_original(path: Path, case: str) -> None:
    golden = np.load(path)
    matrix = torch.from_numpy(golden[f"{case}_matrix"])
    image = torch.from_numpy(make_images(600 + int(case[1:]), 1, *golden[f"{case}_ins"].shape)[0])
    assert torch.equal(warp(image, matrix, "nearest"), torch.from_numpy(golden[f"{case}_img"]))
    for name in ("ins", "seg"):
        warped = warp(torch.from_numpy(golden[f"{case}_{name}_in"]), matrix, "nearest")
        assert torch.equal(warped, torch.from_numpy(golden[f"{case}_{name}"]))


@pytest.mark.parametrize(("path", "case"), _CASES)
def test_matrix_is_the_original_s(path: Path, case: str) -> None:
    golden = np.load(path)
    seed = int(case[1:])
    rng = random.Random(seed)
    zoom = {3: (1.0, 1.0), 2: (0.7, 1.0), 12: (0.7, 1.0)}.get(seed, (0.7, 1.4))
    matrix = affine_matrix(
        golden[f"{case}_ins"].shape,
        rotation=rng.uniform(-10, 10),
        shift=(rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1)),
        shear=rng.uniform(-0.1, 0.1),
        zoom=(rng.uniform(*zoom), rng.uniform(*zoom)),
    )
    np.testing.assert_allclose(matrix.numpy(), golden[f"{case}_matrix"], rtol=0, atol=1e-5)
