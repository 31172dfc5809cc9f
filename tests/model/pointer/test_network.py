"""The network with the pointer decoder: sizes, steps, and what one image may not know of another."""

from typing import Any

import pytest
import torch

from rsis.config.runs import ModelSection
from rsis.model.any import make_network
from rsis.model.pointer.network import PointerNetwork
from rsis.predict.decode import join_emissions


def build(**changes: Any) -> PointerNetwork:
    torch.manual_seed(0)
    section = ModelSection(**({"decoder": "pointer", "backbone": "resnet18", "stride": 16} | changes))
    network = make_network(section, 4)
    assert isinstance(network, PointerNetwork)
    # an untrained network points at one place all the time: what it sees must matter
    torch.nn.init.normal_(network.decoder.recurrence.pointing.weight, std=3.0)
    return network.eval()


def pictures(count: int, *size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, *size), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("size", [(64, 96), (48, 33), (17, 50)])
@torch.inference_mode()
def test_pictures_of_any_size(size: tuple[int, int]) -> None:
    network = build()
    output = network(network.normalize(pictures(2, *size)), 3)
    probs = network.mask_probs(output, size)
    assert probs.shape == (2, 3, *size)
    assert output.class_logits.shape == (2, 3, 4)
    assert output.objectness_logits.shape == (2, 3)
    assert float(probs.min()) >= 0
    assert float(probs.max()) <= 1


@pytest.mark.parametrize(
    "changes", [{"stride": 32}, {"backbone": "vgg16"}, {"coordinates": "cartesian"}, {"hidden_width": 8}]
)
@torch.inference_mode()
def test_every_variant_runs(changes: dict[str, Any]) -> None:
    network = build(**changes)
    assert network(network.normalize(pictures(1, 64, 64)), 2).mask_logits.shape == (1, 2, 32, 32)


@torch.inference_mode()
def test_steps_in_parts_are_those_at_once() -> None:
    network = build()
    state = network.start(network.normalize(pictures(2, 64, 64)))
    whole, _ = network.decode(state, 5)
    parts = []
    for count in (1, 3, 1):
        part, state = network.decode(state, count)
        parts.append(part)
    joined = join_emissions(parts)
    for name, value in vars(whole).items():
        torch.testing.assert_close(getattr(joined, name), value, msg=name)


@torch.inference_mode()
def test_an_image_does_not_know_the_others_of_its_batch() -> None:
    network = build()
    images = pictures(3, 64, 80)
    together = network(network.normalize(images), 4)
    alone = network(network.normalize(images[1:2]), 4)
    torch.testing.assert_close(together.mask_logits[1:2], alone.mask_logits, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(together.objectness_logits[1:2], alone.objectness_logits, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_a_step_sees_what_was_emitted() -> None:
    network = build()
    state = network.start(network.normalize(pictures(1, 64, 64)))
    glance = network.glance(state)
    cell = glance.logits.argmax(dim=1)
    mask = torch.zeros(1, 16, 16)
    empty = network.advance(state, glance, cell, mask, 0.0)
    drawn = network.advance(state, glance, cell, mask + 1, 1.0)
    assert not empty.canvas.channels().any()
    assert not torch.equal(network.glance(empty).logits, network.glance(drawn).logits)


def test_the_image_is_normalised_by_itself() -> None:
    network = build(normalization="image")
    images = pictures(2, 32, 32)
    darker = (images // 2).to(torch.uint8)
    ours, theirs = network.normalize(images), network.normalize(darker)
    assert float(ours.mean().abs()) < 1e-3
    assert float((ours - theirs).abs().max()) < 0.2
    assert torch.isfinite(network.normalize(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))).all()
