"""The criterion against its definition, and its invariance to order and padding of the targets."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsis.loss.criterion import Criterion, boxes_of
from rsis.loss.soft_iou import soft_iou
from rsis.structures import Batch, Losses, RSISOutput

CRITERION = Criterion(class_weight=0.1, stop_weight=0.5, stop_balance=0.5)


def problem(seed: int, counts: list[int], steps: int = 4, slots: int = 4) -> tuple[RSISOutput, torch.Tensor, Batch]:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    images, size = len(counts), (6, 5)
    present = torch.arange(slots) < torch.tensor(counts)[:, None]
    batch = Batch(
        images=torch.zeros(images, 3, *size, dtype=torch.uint8),
        target_masks=(random(images, slots, *size) > 0.6) & present[..., None, None],
        class_ids=(1 + (2 * random(images, slots)).long()) * present,
        num_instances=torch.tensor(counts),
        valid=random(images, *size) > 0.1,
    )
    output = RSISOutput(random(images, steps, *size), 3 * random(images, steps, 3), 4 * random(images, steps) - 2)
    return output, random(images, steps, *size).requires_grad_(), batch


def losses_of(output: RSISOutput, probs: torch.Tensor, batch: Batch) -> Losses:
    return CRITERION(output, probs, batch, use_class=True, use_stop=True)[0]


@given(st.integers(0, 10_000), st.permutations(range(4)))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_order_of_targets_does_not_matter(seed: int, order: list[int]) -> None:
    output, probs, batch = problem(seed, [4, 4])
    shuffled = Batch(
        batch.images, batch.target_masks[:, order], batch.class_ids[:, order], batch.num_instances, batch.valid
    )
    assert float(losses_of(output, probs, shuffled).total) == pytest.approx(
        float(losses_of(output, probs, batch).total), rel=1e-12
    )


@given(st.integers(0, 10_000), st.lists(st.integers(0, 4), min_size=1, max_size=3), st.integers(1, 3))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_padding_does_not_matter(seed: int, counts: list[int], extra: int) -> None:
    output, probs, batch = problem(seed, counts)
    empty = torch.zeros(len(counts), extra, 6, 5, dtype=torch.bool)
    ids = torch.zeros(len(counts), extra, dtype=torch.int64)
    padded = Batch(
        batch.images,
        torch.cat([batch.target_masks, empty], 1),
        torch.cat([batch.class_ids, ids], 1),
        batch.num_instances,
        batch.valid,
    )
    for name in ("total", "mask", "class_", "stop"):
        ours, theirs = getattr(losses_of(output, probs, padded), name), getattr(losses_of(output, probs, batch), name)
        assert float(ours) == pytest.approx(float(theirs), rel=1e-12, abs=1e-15)


def test_a_batch_is_the_mean_over_its_matched_pairs() -> None:
    output, probs, batch = problem(3, [1, 3])
    together = losses_of(output, probs, batch)
    total = weight = 0.0
    for b, count in enumerate([1, 3]):
        one = slice(b, b + 1)
        single = Batch(*(getattr(batch, f)[one] for f in batch.__dataclass_fields__))
        part = RSISOutput(output.mask_logits[one], output.class_logits[one], output.objectness_logits[one])
        total += count * float(losses_of(part, probs[one], single).mask)
        weight += count
    assert float(together.mask) == pytest.approx(total / weight, rel=1e-12)


def test_steps_after_the_objects_get_no_gradient_from_masks_and_classes() -> None:
    output, probs, batch = problem(0, [2])
    logits = output.class_logits.detach().requires_grad_()
    losses_of(RSISOutput(output.mask_logits, logits, output.objectness_logits), probs, batch).total.backward()
    assert probs.grad is not None
    assert logits.grad is not None
    assert (probs.grad[0, :2] != 0).any()
    assert probs.grad[0, 2:].abs().max() == 0
    assert logits.grad[0, 2:].abs().max() == 0


def test_objectness_by_hand() -> None:
    """Two objects, four steps: the target is 1 at steps 1 and 2, 0 at step 3; step 4 is not counted."""
    output, probs, batch = problem(0, [2])
    logits = torch.tensor([[2.0, -1.0, 0.5, 9.0]], dtype=torch.float64)
    found = losses_of(RSISOutput(output.mask_logits, output.class_logits, logits), probs, batch).stop
    softplus = [math.log1p(math.exp(-2.0)), math.log1p(math.exp(1.0)), math.log1p(math.exp(0.5))]
    assert float(found) == pytest.approx(0.5 * sum(softplus) / 3, rel=1e-12)


def test_terms_out_of_force_are_reported_but_not_added() -> None:
    output, probs, batch = problem(1, [2, 1])
    losses, _ = CRITERION(output, probs, batch, use_class=False, use_stop=False)
    assert float(losses.total) == float(losses.mask)
    assert float(losses.class_) > 0
    assert float(losses.stop) > 0
    full = losses_of(output, probs, batch)
    expected = float(full.mask) + 0.1 * float(full.class_) + 0.5 * float(full.stop)
    assert float(full.total) == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 4), min_size=1, max_size=3), st.sampled_from([0.3, 2.0, 40.0]))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_mask_weight_is_in_the_total_and_in_the_costs(seed: int, counts: list[int], weight: float) -> None:
    """The reported term is unweighted; the matching is optimal for the weighted costs, checked by trying all."""
    output, probs, batch = problem(seed, counts, steps=3)
    weighted = replace(CRITERION, mask_weight=weight)
    losses, assigned = weighted(output, probs, batch, use_class=True, use_stop=True)
    costs = weight * (1 - soft_iou(probs, batch.target_masks, batch.valid)).detach().numpy()  # [B, T, N]
    expected = 0.0
    for b, count in enumerate(counts):
        steps = min(3, count)
        found = costs[b, range(steps), assigned[b, :steps]].sum()
        best = min(costs[b, range(steps), order].sum() for order in permutations(range(count), steps))
        assert found == pytest.approx(best, rel=1e-12)
        assert (assigned[b, :steps] >= 0).all()
        expected += best
    matched = int((assigned >= 0).sum())
    assert weight * float(losses.mask) * matched == pytest.approx(expected, rel=1e-12)
    total = weight * float(losses.mask) + 0.1 * float(losses.class_) + 0.5 * float(losses.stop)
    assert float(losses.total) == pytest.approx(total, rel=1e-12)


def test_mask_weight_scales_the_gradient_of_the_mask_term() -> None:
    output, probs, batch = problem(6, [3, 2])
    gradients = {}
    for weight in (1.0, 2.0):
        losses, _ = replace(CRITERION, mask_weight=weight)(output, probs, batch, use_class=True, use_stop=True)
        (gradients[weight],) = torch.autograd.grad(losses.total, probs)
    assert torch.equal(gradients[2.0], 2 * gradients[1.0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_mask_weight_1_changes_no_bit(dtype: torch.dtype) -> None:
    output, probs, batch = problem(7, [4, 1, 3])
    output = RSISOutput(*(getattr(output, f).to(dtype) for f in ("mask_logits", "class_logits", "objectness_logits")))
    losses = losses_of(output, probs.to(dtype), batch)
    unweighted = losses.mask + 0.1 * losses.class_ + 0.5 * losses.stop
    assert torch.equal(losses.total, unweighted)
    (ours,) = torch.autograd.grad(losses.total, probs, retain_graph=True)
    (theirs,) = torch.autograd.grad(unweighted, probs)
    assert torch.equal(ours, theirs)


def test_images_without_objects_teach_only_where_to_stop() -> None:
    output, probs, batch = problem(2, [0, 0])
    losses, assigned = CRITERION(output, probs, batch, use_class=True, use_stop=True)
    assert float(losses.mask) == float(losses.class_) == 0
    assert math.isfinite(float(losses.stop))
    assert (assigned == -1).all()


def test_more_objects_than_steps() -> None:
    output, probs, batch = problem(4, [4], steps=2)
    losses, assigned = CRITERION(output, probs, batch, use_class=True, use_stop=True)
    assert (assigned >= 0).all()
    assert math.isfinite(float(losses.total))


def test_nan_reaches_the_loss() -> None:
    output, probs, batch = problem(5, [2])
    assert math.isnan(float(losses_of(output, probs * float("nan"), batch).total))


def test_box_term_is_the_mean_squared_error_of_matched_boxes() -> None:
    bare, probs, batch = problem(3, [2, 0, 4], steps=3)
    boxes = torch.rand(3, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    losses, assigned = CRITERION(replace(bare, boxes=boxes), probs, batch, use_class=True, use_stop=True)
    errors = []
    for b, t in (assigned >= 0).nonzero().tolist():
        rows, columns = batch.target_masks[b, assigned[b, t]].nonzero().unbind(dim=1)
        wanted = [rows.min() / 6, columns.min() / 5, (rows.max() + 1) / 6, (columns.max() + 1) / 5]
        errors.append(np.mean([(float(boxes[b, t, k]) - float(wanted[k])) ** 2 for k in range(4)]))
    assert losses.box is not None
    assert len(errors) == 5
    assert float(losses.box) == pytest.approx(np.mean(errors), rel=1e-6)
    without = losses_of(bare, probs, batch)
    assert without.box is None
    assert float(losses.total) == pytest.approx(float(without.total + losses.box))


def test_box_of_an_empty_mask_is_zero_and_of_a_full_one_the_image() -> None:
    masks = torch.zeros(1, 2, 4, 7, dtype=torch.bool)
    masks[0, 1] = True
    assert boxes_of(masks).tolist() == [[[0, 0, 0, 0], [0, 0, 1, 1]]]


def test_without_matching_each_step_answers_for_the_object_of_its_number() -> None:
    output, probs, batch = problem(3, [3, 0, 4], steps=3)
    given = replace(CRITERION, matching=False)
    losses, assigned = given(output, probs, batch, use_class=True, use_stop=True)
    assert assigned.tolist() == [[0, 1, 2], [-1, -1, -1], [0, 1, 2]]
    overlaps = soft_iou(probs, batch.target_masks, batch.valid)
    pairs = [1 - overlaps[b, t, t] for b in (0, 2) for t in range(3)]
    assert losses.mask.item() == pytest.approx(torch.stack(pairs).mean().item())
    assert losses.mask >= losses_of(output, probs, batch).mask
