"""Losses, assignments, gradients and optimiser steps against the original implementation's."""

import numpy as np
import pytest
import torch
from support.golden_cases import Case, find_cases, relative

from rsis.checkpoint.original import original_name
from rsis.data.prepared.file import PreparedSample
from rsis.loss.criterion import Criterion
from rsis.loss.soft_iou import soft_iou
from rsis.model.network import RSISNetwork, mask_probs
from rsis.structures import Batch, Losses, RSISOutput
from rsis.train.batches import collate

CASES = find_cases("train")
# Tolerances. Between the original's own float32 and float64, the losses of iteration 1 differed by 1.8e-4 (relative)
# and the scores by 1e-6 (tests/golden/README.md). For the losses twice that is allowed, since rounding also depends on
# the machine (2.7e-4 seen with AVX-512).
FLOAT32_LOSSES = 3.6e-4
FLOAT32_SCORES = 1e-6
# From the same page: the original made these steps with an old Adam or with a duplicated parameter list, so they
# cannot be reproduced exactly.
LATER_LOSSES = {"sgd": 1e-9, "adam": 2e-3}


def batch_of(case: Case, dtype: torch.dtype = torch.float64) -> Batch:
    """The original's targets."""
    arrays, size = case.arrays, (case["H"], case["W"])
    bits = np.unpackbits(arrays["y_mask_packed"], axis=-1)[..., : size[0] * size[1]]
    return Batch(
        images=case.images(dtype),
        target_masks=torch.from_numpy(bits.reshape(*bits.shape[:2], *size).astype(bool)),
        class_ids=torch.from_numpy(arrays["y_class"].astype(np.int64)),
        num_instances=torch.from_numpy(arrays["sw_mask"].sum(axis=1, dtype=np.int64)),
        valid=torch.ones(case["B"], *size, dtype=torch.bool),
    )


def steps_of(case: Case, batch: Batch) -> int:
    """The number of decoder steps that `TrainingModule` would run for the batch."""
    limit = case["limit_seqlen_to"] if case["curriculum_learning"] else case["maxseqlen"]
    return min(int(case["maxseqlen"]), int(limit), int(batch.num_instances.max()) + 1)


def run(case: Case, network: RSISNetwork, batch: Batch) -> tuple[RSISOutput, Losses, torch.Tensor]:
    criterion = Criterion(
        case["class_weight"], case["stop_weight"], case["stop_balance_weight"], mask_weight=case["iou_weight"]
    )
    output = network(batch.images, steps_of(case, batch))
    probs = mask_probs(output, (case["H"], case["W"]))
    losses, assigned = criterion(output, probs, batch, use_class=case["use_class_loss"], use_stop=case["use_stop_loss"])
    return output, losses, assigned


def as_row(losses: Losses) -> np.ndarray:
    return np.array([float(losses.total), float(losses.mask), float(losses.stop), float(losses.class_)])


@pytest.mark.golden
@pytest.mark.parametrize("case", CASES)
def test_targets_are_the_originals(case: Case) -> None:
    """Targets made from the instance map and the class map; an object that the original lost is kept here."""
    arrays, expected = case.arrays, batch_of(case)
    samples = []
    for instances, classes in zip(arrays["ins"].astype(np.int32), arrays["seg"], strict=True):
        ids = np.unique(instances[instances > 0])
        numbered = np.searchsorted(ids, instances) + 1
        numbered[instances == 0] = 0
        samples.append(
            PreparedSample(
                image=torch.zeros(3, *instances.shape, dtype=torch.uint8),
                instance_map=torch.from_numpy(numbered.astype(np.int32)),
                ignore_mask=torch.zeros(instances.shape, dtype=torch.bool),
                class_ids=torch.tensor([int(classes[instances == i].min()) for i in ids], dtype=torch.int64),
                image_id="x",
                original_size=instances.shape,
            )
        )
    ours = collate(samples, case["gt_maxseqlen"])
    for b, covered in enumerate((arrays["ins"] > 0).all(axis=(1, 2))):
        kept, theirs = int(ours.num_instances[b]), int(expected.num_instances[b])
        if covered:  # without background the original drops the smallest id, an object: a bug that we do not copy
            assert kept == theirs + 1
            continue
        assert kept == theirs
        assert torch.equal(ours.target_masks[b, :kept], expected.target_masks[b, :kept])
        assert torch.equal(ours.class_ids[b, :kept], expected.class_ids[b, :kept])


@pytest.mark.golden
@pytest.mark.parametrize("case", CASES)
def test_first_iteration_agrees_with_the_original(case: Case) -> None:
    arrays, batch = case.arrays, batch_of(case)
    network = case.network().train(case["mode"] == "train")
    output, losses, assigned = run(case, network, batch)
    assert output.class_logits.shape[1] == case["steps_run"]

    np.testing.assert_allclose(as_row(losses), arrays["losses_f64"][0], rtol=1e-9, atol=1e-12)
    valid = arrays["perm_valid"]
    assert np.array_equal(assigned.numpy()[valid], arrays["perm"][0][valid])
    assert np.array_equal(assigned.numpy() >= 0, valid)
    assert relative(output.class_logits.softmax(-1).detach().numpy(), arrays["class_probs_f64"]) <= 1e-9
    assert relative(output.objectness_logits.detach().numpy(), arrays["stop_logits_f64"]) <= 1e-9
    if case["mode"] == "train":
        losses.total.backward()
        check_gradients(network, arrays)
        check_statistics(network, arrays)


def check_gradients(network: RSISNetwork, arrays: np.lib.npyio.NpzFile) -> None:
    norms = dict(zip(arrays["param_names"], arrays["grad_norm_f64"], strict=True))
    sums = dict(zip(arrays["param_names"], arrays["grad_sum_f64"], strict=True))
    largest = np.nanmax(arrays["grad_norm_f64"])
    compared = 0
    for ours, parameter in network.named_parameters():
        name = original_name(ours)
        if parameter.grad is None or np.isnan(norms[name]):  # heads whose loss term is not counted
            assert (parameter.grad is None) == bool(np.isnan(norms[name])), name
            continue
        gradient = parameter.grad.numpy()
        # the gradient of a bias before a BatchNorm is only rounding error, so all errors have one common scale
        assert abs(np.linalg.norm(gradient) - norms[name]) <= 1e-8 * largest, name
        assert abs(gradient.sum() - sums[name]) <= 1e-8 * largest * np.sqrt(gradient.size), name
        if f"grad/{name}_f64" in arrays.files:
            assert relative(gradient, arrays[f"grad/{name}_f64"]) <= 1e-8, name
            compared += 1
    assert compared == sum(key.startswith("grad/") for key in arrays.files)


def check_statistics(network: RSISNetwork, arrays: np.lib.npyio.NpzFile) -> None:
    ours = {original_name(name): value for name, value in network.named_buffers()}
    for key in (key for key in arrays.files if key.startswith("stat/")):
        name = key.removeprefix("stat/").removesuffix("_f64")
        assert relative(ours[name].numpy(), arrays[key]) <= 1e-9, name


@pytest.mark.slow
@pytest.mark.golden
@pytest.mark.parametrize("case", CASES)
def test_cost_matrix_and_losses_in_float32(case: Case) -> None:
    arrays, batch = case.arrays, batch_of(case, torch.float32)
    network = case.network(torch.float32).train(case["mode"] == "train")
    with torch.no_grad():
        output, losses, assigned = run(case, network, batch)
        overlaps = soft_iou(mask_probs(output, (case["H"], case["W"])), batch.target_masks)  # [B, T, N]
    np.testing.assert_allclose(as_row(losses), arrays["losses_f64"][0], rtol=FLOAT32_LOSSES)
    costs = case["iou_weight"] * (1 - overlaps)
    real = arrays["sw_mask"] > 0  # [B, N]
    eligible = real[:, :, None] & real[:, None, : arrays["scores_f64"].shape[2]]  # [B, N, T]
    assert (arrays["scores_f64"][~eligible] == 10).all()  # the cost of forbidden pairs
    run_steps = np.arange(eligible.shape[2]) < case["steps_run"]
    ours = np.ones(eligible.shape)
    ours[:, : costs.shape[2], : costs.shape[1]] = costs.transpose(1, 2).numpy()
    compare = eligible & run_steps
    np.testing.assert_allclose(
        ours[compare], arrays["scores_f64"][compare], rtol=0, atol=case["iou_weight"] * 20 * FLOAT32_SCORES
    )
    valid = arrays["perm_valid"] & (arrays["gap_to_second_best"] > 1e-5)[:, None]
    assert np.array_equal(assigned.numpy()[valid], arrays["perm"][0][valid])


@pytest.mark.slow
@pytest.mark.golden
@pytest.mark.parametrize("case", [case for case in CASES if case.values[0]["iters"] > 1])
def test_optimiser_steps_agree_with_the_original(case: Case) -> None:
    """Of a single iteration nothing can be seen behind its step: those cases are tested above."""
    assert case["mode"] == "train"
    arrays, batch = case.arrays, batch_of(case)
    network = case.network().train()
    trained = [p for name, p in network.named_parameters() if not name.startswith("encoder.backbone.")]
    if case["optim"] == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            trained, case["lr"], momentum=0.9, weight_decay=case["weight_decay"]
        )
    else:
        optimizer = torch.optim.Adam(trained, case["lr"], weight_decay=case["weight_decay"])
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    exact = not case["update_encoder"]
    for iteration in range(case["iters"]):
        _, losses, _ = run(case, network, batch)
        tolerance = 1e-9 if iteration == 0 else LATER_LOSSES[case["optim"]]
        if iteration == 0 or exact:
            np.testing.assert_allclose(as_row(losses), arrays["losses_f64"][iteration], rtol=tolerance)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        if iteration == 0 and case["optim"] == "sgd" and exact:
            moved = dict(zip(arrays["param_names"], arrays["delta_norm_f64"], strict=True))
            for name, parameter in network.named_parameters():
                distance = float((parameter.detach() - before[name]).norm())
                assert distance == pytest.approx(moved[original_name(name)], rel=1e-8, abs=1e-12), name
