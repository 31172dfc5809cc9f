"""Muon against its definition, against torch's Muon, and against AdamW."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rsis.config.runs import ModelSection, TrainSection
from rsis.model.network import RSISNetwork
from rsis.train.module import TrainingModule
from rsis.train.muon import Muon, orthogonalize


def slowly(matrix: torch.Tensor) -> torch.Tensor:
    """The slow twin: the iteration as defined, step by step on the whole matrix."""
    x = matrix / matrix.norm()
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 1000))
def test_agrees_with_its_slow_twin(rows: int, columns: int, seed: int) -> None:
    matrix = torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    expected = slowly(matrix) if rows <= columns else slowly(matrix.T).T
    torch.testing.assert_close(orthogonalize(matrix), expected, rtol=1e-9, atol=1e-9)


def test_draws_singular_values_to_one_and_keeps_directions() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(8, 72, dtype=torch.float64)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ orthogonalize(matrix) @ vh.T
    assert inner.diagonal().min() > 0.6
    assert inner.diagonal().max() < 1.2
    torch.testing.assert_close(inner, torch.diag(inner.diagonal()), rtol=0, atol=1e-9)


def test_zeros_stay_zeros() -> None:
    assert orthogonalize(torch.zeros(3, 5)).eq(0).all()


def test_moves_a_matrix_as_torchs_own_does() -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.full((24, 16), 0.1)) for _ in range(2))
    own = Muon([{"params": [ours], "lr": 0.02, "orthogonal": True}], weight_decay=0.1)
    reference = torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1)
    for _ in range(3):
        gradient = torch.randn(24, 16)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        own.step()
        reference.step()
    # torch's Muon works in bfloat16, with three significant digits; one update changes weights by 0.02 * 24^-0.5
    torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-4)
    assert (ours - 0.1).abs().max() > 5e-3


def test_groups_that_are_not_orthogonal_are_adamws() -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(7)) for _ in range(2))
    own = Muon([{"params": [ours], "lr": 1e-2}], weight_decay=0.1)
    reference = torch.optim.AdamW([theirs], lr=1e-2, weight_decay=0.1)
    for _ in range(4):
        gradient = torch.randn(7)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        own.step()
        reference.step()
    torch.testing.assert_close(ours, theirs)


def test_goes_on_from_its_state_and_leaves_what_is_frozen() -> None:
    def fresh() -> tuple[nn.Conv2d, Muon]:
        torch.manual_seed(0)
        layer = nn.Conv2d(3, 4, 3)
        assert layer.bias is not None
        groups: list[dict[str, Any]] = [
            {"params": [layer.weight], "lr": 0.02, "orthogonal": True},
            {"params": [layer.bias], "lr": 1e-3},
        ]
        return layer, Muon(groups, weight_decay=0.01)

    def step(layer: nn.Conv2d, optimizer: Muon) -> None:
        optimizer.zero_grad()
        layer(torch.ones(1, 3, 5, 5)).square().sum().backward()
        optimizer.step()

    whole, optimizer = fresh()
    for _ in range(3):
        step(whole, optimizer)
    first, optimizer = fresh()
    step(first, optimizer)
    second, resumed = fresh()
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for _ in range(2):
        step(second, resumed)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))

    frozen, optimizer = fresh()
    before = frozen.weight.detach().clone()
    optimizer.zero_grad()
    optimizer.step()
    assert torch.equal(frozen.weight, before)


@pytest.mark.parametrize("encoder", [0.0, 1e-3])
def test_every_parameter_of_the_network_is_in_one_group(encoder: float) -> None:
    network = RSISNetwork(ModelSection(backbone="resnet18", hidden_widths=(8, 4)), num_classes=2)
    section = TrainSection(
        epochs=1, batch_size=2, num_steps=2, optimizer="muon", lr=2e-3, lr_encoder=encoder, lr_kernels=0.02
    )
    optimizer = TrainingModule(network, section).configure_optimizers()
    assert isinstance(optimizer, Muon)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    grouped = [names[id(p)] for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(names.values())
    orthogonal = {names[id(p)] for group in optimizer.param_groups if group["orthogonal"] for p in group["params"]}
    assert "decoder.layers.0.gates.weight" in orthogonal
    assert "encoder.backbone.layer1.0.conv1.weight" in orthogonal
    assert not orthogonal & {"encoder.backbone.conv1.weight", "decoder.mask_head.weight", "decoder.class_head.weight"}
    assert [group["lr"] for group in optimizer.param_groups] == [2e-3, 0.02, encoder, 0.02 * encoder / 2e-3]
