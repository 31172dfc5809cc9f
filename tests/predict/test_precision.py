"""Prediction in bfloat16: nearly the same objects, and the file says in which format they were found."""

import numpy as np
import pytest
import torch
from support.small_model import CONVLSTM, POINTER, SIZE

from rsis.config.runs import ModelSection, PredictSection
from rsis.model.any import make_network
from rsis.predict import decode as decoding
from rsis.predict.decode import decode, read_out

PEER = ModelSection.model_validate({"peer": "mask_rcnn", "backbone": "resnet18", "normalization": "image"})


@pytest.mark.parametrize("model", [CONVLSTM, POINTER, PEER], ids=["convlstm", "pointer", "mask_rcnn"])
def test_outputs_differ_by_rounding_alone(model: ModelSection) -> None:
    torch.manual_seed(0)
    network = make_network(model, 3).eval()
    images = torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8)
    section = PredictSection(num_steps=2, objectness_threshold=0.0)
    exact, rounded = (
        decode(network, images, section.model_copy(update={"precision": name})) for name in ("fp32", "bf16")
    )
    for a, b in zip(exact, rounded, strict=True):
        assert b.scores.dtype == a.scores.dtype == np.float32
        np.testing.assert_allclose(b.objectness, a.objectness, atol=0.05)
        np.testing.assert_allclose(b.class_probs, a.class_probs, atol=0.05)
        assert not np.array_equal(a.scores, b.scores)  # it was computed in another format
        for outputs in (a, b):
            probs = outputs.resized(0, len(outputs.scores), SIZE).detach()
            assert probs.dtype == torch.float32
            assert 0 <= float(probs.min()) <= float(probs.max()) <= 1
            assert read_out(outputs, SIZE, section).masks.shape[1:] == SIZE
        if model is CONVLSTM:  # the others choose among cells or boxes, of which random weights make many alike
            np.testing.assert_allclose(b.resized(0, 2, SIZE), a.resized(0, 2, SIZE), atol=0.05)


def test_auto_is_what_the_machine_is_faster_with(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = make_network(POINTER, 3).eval()
    images = torch.randint(0, 256, (1, 3, *SIZE), dtype=torch.uint8)
    found = {}
    for name in ("fp32", "bf16"):
        monkeypatch.setattr(decoding, "settle", lambda wanted, device, name=name: name if wanted == "auto" else wanted)
        section = PredictSection(num_steps=2, objectness_threshold=0.0)
        outputs = [
            decode(network, images, section.model_copy(update={"precision": precision}))[0].scores
            for precision in (name, "auto")
        ]
        assert np.array_equal(outputs[0], outputs[1])
        found[name] = outputs[0]
    assert not np.array_equal(found["fp32"], found["bf16"])
