"""Sequences of a batch end each by itself."""

import numpy as np
import torch
from support.small_model import POINTER, SIZE

from rsis.config.runs import PredictSection
from rsis.model.any import make_network
from rsis.model.pointer.network import PointerNetwork
from rsis.predict.decode import decode


def test_an_image_has_the_same_sequence_in_any_batch() -> None:
    """Those that have ended take no further part, and the others go on as if they had been alone."""
    torch.manual_seed(0)
    network = make_network(POINTER, 3).eval()
    assert isinstance(network, PointerNetwork)
    torch.nn.init.normal_(network.decoder.recurrence.pointing.weight, std=3.0)
    torch.nn.init.normal_(network.decoder.objectness_head.weight, std=1.0)
    images = torch.randint(0, 256, (5, 3, *SIZE), dtype=torch.uint8)
    images[2] //= 4
    every = decode(network, images, PredictSection(num_steps=6, objectness_threshold=0.0))
    values = np.array([output.objectness for output in every])  # [5, 6]
    lengths_at = {float(value): (values >= value).cumprod(axis=1).sum(axis=1) for value in np.sort(values, axis=None)}
    threshold = max(lengths_at, key=lambda value: len(set(lengths_at[value])))  # where they differ most
    section = PredictSection(num_steps=6, objectness_threshold=threshold)
    batch = decode(network, images, section)
    lengths = [len(output.objectness) for output in batch]
    assert len(set(lengths)) > 1
    assert min(lengths) < 6
    for number, (together, whole) in enumerate(zip(batch, every, strict=True)):
        (alone,) = decode(network, images[number : number + 1], section)
        below = np.flatnonzero(whole.objectness < threshold)
        assert len(together.objectness) == len(alone.objectness) == (below[0] + 1 if len(below) else 6)
        for name in ("objectness", "scores", "class_probs"):
            np.testing.assert_allclose(getattr(together, name), getattr(alone, name), atol=1e-4)
        last = len(together.objectness)
        with torch.inference_mode():
            masks = [output.resized(0, last, SIZE) for output in (together, alone)]
        torch.testing.assert_close(masks[0], masks[1], atol=1e-3, rtol=0)
