"""The literal step of the pointer decoder has our losses and our gradients."""

from dataclasses import fields

import pytest
import torch

from benchmarks.cases import make_batch, pointer_model, pointer_training
from benchmarks.literal.pointing import LiteralPointing
from rsis.loss.criterion import at_least_one
from rsis.model.pointer.network import PointerNetwork
from rsis.train.pointing import pointer_losses


@pytest.mark.parametrize("own", [False, True])
def test_losses_and_gradients_are_ours(own: bool) -> None:
    batch = make_batch((64, 96), 3, 4, torch.device("cpu"), num_classes=4)
    section = pointer_training(5)
    torch.manual_seed(0)
    network = PointerNetwork(pointer_model(), 4)
    torch.nn.init.normal_(network.decoder.recurrence.pointing.weight, std=1.0)  # cells of some preference
    names = [field.name for field in fields(LiteralPointing(network, section, own=own).losses(batch))]
    found = []
    for ours in (True, False):
        network.zero_grad()
        if ours:
            losses = pointer_losses(
                network,
                network.normalize(batch.images),
                batch,
                section,
                num_steps=5,
                own_canvas=float(own),
                use_class=True,
                use_stop=True,
                divisor=at_least_one,
            )
        else:
            losses = LiteralPointing(network, section, own=own).losses(batch)
        losses.total.backward()
        found.append((losses, [parameter.grad.clone() for parameter in network.parameters()]))  # type: ignore[union-attr]
    (mine, gradients), (literal, expected) = found
    for name in names:
        if getattr(mine, name) is not None:
            torch.testing.assert_close(getattr(mine, name), getattr(literal, name), rtol=1e-4, atol=1e-5, msg=name)
    for (name, _), a, b in zip(network.named_parameters(), gradients, expected, strict=True):
        assert float((a - b).abs().max()) <= 2e-3 * float(b.abs().max()) + 1e-6, name
