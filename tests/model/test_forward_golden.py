"""The network against the original implementation's outputs."""

import numpy as np
import pytest
import torch
from support.golden_cases import Case, find_cases, relative

from rsis.model.convlstm.decoder import upsample

# Tolerances. float64: the agreement we promise. float32: twice the difference between the original's own float32 and
# float64 outputs (tests/golden/README.md: 1.5e-5), since rounding also depends on the machine (1.52e-5 seen after 20
# steps).
TOLERANCES = {torch.float64: 1e-9, torch.float32: 3e-5}


@pytest.mark.golden
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("case", find_cases("forward"))
def test_forward_agrees_with_the_original(case: Case, dtype: torch.dtype) -> None:
    expected = case.arrays
    images = case.images(dtype)
    flat = images.double().ravel()
    np.testing.assert_allclose([*flat[:8], flat.sum()], expected["x_check"], rtol=1e-6)

    network = case.network(dtype).eval()
    with torch.no_grad():
        skips = network.encoder(images)
        output, _ = network.decoder(network.decoder.start(skips), case["T"])
    masks = upsample(output.mask_logits, (case["H"], case["W"])).double()
    step_y, step_x = case["sub"]
    found = {
        "feat_mean": torch.stack([skip.double().mean() for skip in skips]),
        "feat_std": torch.stack([skip.double().std() for skip in skips]),
        "mask_logits": masks[..., ::step_y, ::step_x],
        "mask_mean": masks.mean(dim=(2, 3)),
        "mask_std": masks.std(dim=(2, 3)),
        "class_probs": output.class_logits.double().softmax(dim=-1),
        "stop_logits": output.objectness_logits.double(),
    }
    for name, value in found.items():
        assert relative(value.numpy(), expected[f"{name}_f64"]) <= TOLERANCES[dtype], name
