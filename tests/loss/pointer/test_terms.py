"""Targets, assignment and terms of the pointer decoder, each beside a slow twin that follows its definition."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsis.loss.objectness import objectness_loss
from rsis.loss.pointer.assignment import Choice, choose_freely, choose_in_order
from rsis.loss.pointer.criterion import Pairs, focal_sum, geometry_loss, mask_loss, softmax_sum
from rsis.loss.pointer.targets import PointerTargets, pointer_targets
from rsis.structures import Batch

GRID = (4, 6)
SIZE = (32, 48)  # of the grid at 8 pixels a cell


def draw(seed: int, counts: tuple[int, ...], size: tuple[int, int] = SIZE) -> Batch:
    """Rectangles, later ones before earlier ones; what is wholly covered is left out."""
    rng = np.random.default_rng(seed)
    slots = max(1, *counts)
    masks = np.zeros((len(counts), slots, *size), bool)
    numbers = []
    for b, count in enumerate(counts):
        painted = np.zeros(size, int)
        for label in range(1, count + 1):
            row, column = rng.integers(0, size[0] - 3), rng.integers(0, size[1] - 3)
            painted[row : row + rng.integers(2, 20), column : column + rng.integers(2, 20)] = label
        present = [label for label in np.unique(painted) if label]
        numbers.append(len(present))
        for slot, label in enumerate(present):
            masks[b, slot] = painted == label
    ids = torch.from_numpy(masks.any(axis=(2, 3)).astype(np.int64))
    valid = torch.from_numpy(rng.random((len(counts), *size)) > 0.2)
    images = torch.zeros(len(counts), 3, *size, dtype=torch.uint8)
    return Batch(images, torch.from_numpy(masks), ids, torch.tensor(numbers), valid)


def targets_of(batch: Batch) -> PointerTargets:
    return pointer_targets(batch, grid=GRID, grid_stride=8, mask_stride=2)


@given(st.integers(0, 999), st.tuples(st.integers(0, 5), st.integers(1, 5)))
@settings(max_examples=25)
def test_targets_are_what_they_are_called(seed: int, counts: tuple[int, int]) -> None:
    batch = draw(seed, counts)
    targets = targets_of(batch)
    for b in range(2):
        for n in range(batch.target_masks.shape[1]):
            mask = batch.target_masks[b, n].numpy()
            assert bool(targets.present[b, n]) == (n < int(batch.num_instances[b])) == bool(mask.any())
            core, inside = targets.core[b, n].view(GRID).numpy(), targets.inside[b, n].view(GRID).numpy()
            if not mask.any():
                assert not core.any()
                assert not inside.any()
                continue
            rows, columns = np.nonzero(mask)
            centre, radius = (rows.mean() + 0.5, columns.mean() + 0.5), max(1, math.sqrt(mask.sum() / math.pi))
            assert targets.centres[b, n].tolist() == pytest.approx(centre, abs=1e-3)
            assert float(targets.radii[b, n]) == pytest.approx(radius, rel=1e-4)
            covered = mask.reshape(4, 8, 6, 8).mean(axis=(1, 3))
            distance = np.array(
                [
                    [math.hypot(8 * y + 4 - centre[0], 8 * x + 4 - centre[1]) / radius for x in range(6)]
                    for y in range(4)
                ]
            )
            well = (distance < 0.5 - 1e-5) & (covered > 0.25)
            assert (core >= well).all()
            assert core.any()
            assert (inside >= core).all()
            if not ((distance > 0.5 - 1e-5) & (distance < 0.5 + 1e-5)).any():
                extra = core & ~well
                assert extra.sum() <= 1
                best = covered[core].max()
                assert best >= min(0.25, covered.max()) - 1e-6
            assert (inside >= (covered > 0)).all()


def test_a_ring_has_a_cell_to_point_at() -> None:
    yy, xx = np.mgrid[:64, :64]
    distance = np.hypot(yy - 31.5, xx - 31.5)
    ring = torch.from_numpy((distance < 30) & (distance > 22))[None, None]
    batch = Batch(torch.zeros(1, 3, 64, 64), ring, torch.ones(1, 1).long(), torch.tensor([1]), ring[0] | True)
    targets = pointer_targets(batch, grid=(8, 8), grid_stride=8, mask_stride=2)
    (cell,) = targets.core[0, 0].nonzero().flatten().tolist()
    row, column = divmod(cell, 8)
    assert ring[0, 0, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].float().mean() > 0.25


@given(st.integers(0, 9999), st.tuples(st.integers(0, 5), st.integers(0, 5)))
@settings(max_examples=40)
def test_each_object_is_answered_for_once_whatever_the_logits(seed: int, counts: tuple[int, int]) -> None:
    targets = targets_of(draw(seed, counts))
    generator = torch.Generator().manual_seed(seed)
    remaining = targets.present.clone()
    total = targets.present.sum(dim=1)
    answered: list[list[int]] = [[], []]
    for step in range(int(total.max()) + 2):
        logits = 10 * torch.randn(2, GRID[0] * GRID[1], generator=generator)
        choice = choose_freely(logits, targets, remaining)
        assert torch.equal(choice.active, total > step)
        for b in range(2):
            if not choice.active[b]:
                assert not choice.right[b].any()
                continue
            slot, cell = int(choice.objects[b]), int(choice.cells[b])
            assert remaining[b, slot]
            assert targets.inside[b, slot, cell]
            union = (targets.inside[b] & remaining[b][:, None]).any(dim=0)
            assert cell == int(torch.where(union, logits[b], -torch.inf).argmax())
            assert choice.right[b].any()
            assert not (choice.right[b] & ~choice.judged[b]).any()
            assert not (choice.judged[b] & union & ~choice.right[b]).any()  # cells of objects are right or not judged
            answered[b].append(slot)
        remaining[torch.arange(2), choice.objects] &= ~choice.active
    assert [sorted(slots) for slots in answered] == [list(range(int(count))) for count in total]


def test_a_prescribed_order_is_kept() -> None:
    targets = targets_of(draw(3, (4, 2)))
    for step in range(6):
        choice = choose_in_order(torch.randn(2, 24), targets, step)
        for b in range(2):
            assert bool(choice.active[b]) == (step < int(targets.present[b].sum()))
            if choice.active[b]:
                assert int(choice.objects[b]) == step
                assert targets.core[b, step, choice.cells[b]]
                assert torch.equal(choice.right[b], targets.core[b, step])


@given(st.integers(0, 999))
@settings(max_examples=15)
def test_the_pointing_terms_are_sums_over_cells(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, right = 4 * rng.standard_normal((2, 7)), rng.random((2, 7)) < 0.4
    right[:, 0] = True
    judged = (rng.random((2, 7)) < 0.6) | right
    active = np.array([True, seed % 2 == 0])
    right[1] &= active[1]
    choice = Choice(*map(torch.from_numpy, (right, judged, np.zeros(2, int), np.zeros(2, int), active)))
    focal = softmax = 0.0
    for b in range(2):
        for i in range(7):
            p = 1 / (1 + math.exp(-logits[b, i]))
            if judged[b, i]:
                correct = p if right[b, i] else 1 - p
                focal += -2 * (1 - correct) ** 2 * math.log(correct)
        if active[b]:
            share = sum(math.exp(logits[b, i]) for i in range(7) if right[b, i])
            softmax -= math.log(share / sum(math.exp(logits[b, i]) for i in range(7) if judged[b, i]))
    found = torch.from_numpy(logits).requires_grad_()
    assert float(focal_sum(found, choice).detach()) == pytest.approx(focal, rel=1e-9)
    assert float(softmax_sum(found, choice).detach()) == pytest.approx(softmax, rel=1e-9)
    softmax_sum(found, choice).backward()
    assert torch.isfinite(found.grad).all()  # type: ignore[arg-type]


def test_masks_are_compared_where_the_annotation_says_something() -> None:
    batch = draw(5, (3, 2))
    targets = targets_of(batch)
    pairs = Pairs(torch.tensor([0, 1, 0]), torch.tensor([0, 0, 1]), torch.tensor([1, 0, 2]))
    logits = torch.randn(3, SIZE[0] // 2, SIZE[1] // 2)
    found = mask_loss(logits, targets, pairs)
    for m, (b, n) in enumerate(zip(pairs.images.tolist(), pairs.objects.tolist(), strict=True)):
        common = union = 0.0
        for p, y, v in zip(
            torch.sigmoid(logits[m]).flatten().tolist(),
            targets.masks[b, n].flatten().tolist(),
            targets.valid[b].flatten().tolist(),
            strict=True,
        ):
            common += v * min(p, y)
            union += v * max(p, y)
        assert float(found[m]) == pytest.approx(1 - common / union, rel=1e-4)
    ignored = targets.valid == 0
    changed = torch.where(ignored[pairs.images], 9.0, logits)
    torch.testing.assert_close(mask_loss(changed, targets, pairs), found)


def test_the_best_mask_has_the_shares_of_the_pixels_at_the_edge() -> None:
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    disc = (rows - 13) ** 2 + (columns - 20) ** 2 < 110
    batch = draw(7, (1,))
    targets = targets_of(replace(batch, target_masks=disc[None, None], valid=torch.ones_like(batch.valid)))
    pairs = Pairs(torch.tensor([0]), torch.tensor([0]), torch.tensor([0]))
    shares = targets.masks[:, 0]
    assert bool(((shares > 0) & (shares < 1)).any())
    right, whole = (mask_loss(torch.logit(mask, eps=1e-6), targets, pairs) for mask in (shares, (shares > 0.5).float()))
    assert float(right) < 1e-4
    assert float(whole) > 0.01


def test_geometry_is_right_when_it_says_so() -> None:
    targets = targets_of(draw(8, (2, 1)))
    pairs = Pairs(torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([0, 0]))
    cells = torch.tensor([7, 3])
    queries = torch.zeros(2, 5)
    for m in range(2):
        centre, radius = targets.centres[m, 0], targets.radii[m, 0]
        queries[m, 2] = centre[0] / 8 - (int(cells[m]) // 6 + 0.5)
        queries[m, 3] = centre[1] / 8 - (int(cells[m]) % 6 + 0.5)
        queries[m, 4] = math.log(float(radius) / 8)
    exact = geometry_loss(queries, cells, targets, pairs, columns=6, stride=8)
    assert exact.tolist() == pytest.approx([0, 0], abs=1e-6)
    queries[0, 2] += 1.0  # half of |1| - beta / 2, as the mean of two coordinates
    queries[1, 4] += 0.05  # below beta: a square over 2 beta
    assert geometry_loss(queries, cells, targets, pairs, columns=6, stride=8).tolist() == pytest.approx(
        [0.5 * 0.95, 0.05**2 / 0.2], rel=1e-3
    )


@given(st.integers(0, 999), st.floats(0, 1))
@settings(max_examples=15)
def test_the_objectness_is_judged_to_one_step_past_the_last_object(seed: int, balance: float) -> None:
    rng = np.random.default_rng(seed)
    logits, counts = rng.standard_normal((3, 5)), rng.integers(0, 6, 3)
    total, steps = 0.0, 0
    for b in range(3):
        for t in range(min(5, counts[b] + 1)):
            p = 1 / (1 + math.exp(-logits[b, t]))
            total -= (1 - balance) * math.log(p) if t < counts[b] else balance * math.log(1 - p)
            steps += 1
    found = objectness_loss(torch.from_numpy(logits), torch.from_numpy(counts), balance, lambda count: count)
    assert float(found) == pytest.approx(total / steps, rel=1e-9)
