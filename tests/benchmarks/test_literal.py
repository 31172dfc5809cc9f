"""The literal implementation gives the same numbers as `rsis`, so that their speeds can be compared."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from benchmarks.cases import (
    OBJECTIVE,
    demo_model,
    demo_training,
    make_batch,
    make_networks,
    paper_model,
    paper_training,
)
from benchmarks.inference import teach_length
from benchmarks.literal.best_dice import symmetric_best_dice as literal_best_dice
from benchmarks.literal.loading import DecodingSet
from benchmarks.literal.loss import losses as literal_losses
from benchmarks.literal.model import LiteralRSIS, literal_name, normalized
from benchmarks.literal.munkres import assign
from benchmarks.literal.training import LiteralTraining
from benchmarks.literal.training import predict as literal_predict
from benchmarks.training import OurTraining
from rsis.config.datasets import VocDataset, VocSplit
from rsis.config.runs import ModelSection, PredictSection, TrainSection
from rsis.config.sources import SceneSource
from rsis.config.types import Split
from rsis.data.prepared.file import PreparedSplit
from rsis.data.prepared.writer import SplitOrigin, write_split
from rsis.data.readers.voc import VocReader
from rsis.data.synthetic.scenes.dataset import write_scenes
from rsis.eval.scorers.cvppp import score_pair
from rsis.loss.criterion import Criterion
from rsis.model.network import RSISNetwork, mask_probs
from rsis.model.normalization import normalize
from rsis.predict.run import predict_batch
from rsis.train.batches import collate

CPU = torch.device("cpu")
SMALL = paper_model("resnet18", (8, 8, 4, 4, 2))
MODELS = {
    "paper": SMALL,
    "bottlenecks": paper_model("resnet50", (6, 4, 2)),
    "demo": demo_model(),
    "code": SMALL.model_copy(update={"mask_kernel_size": 3, "stride": 8, "hidden_widths": (8, 4, 2)}),
}


def both(section: ModelSection, dtype: torch.dtype = torch.float64) -> tuple[RSISNetwork, LiteralRSIS]:
    ours, literal = make_networks(section, CPU)
    return ours.to(dtype), literal.to(dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "training"),
    [("paper", True), ("paper", False), ("demo", True), ("demo", False), ("code", False), ("bottlenecks", False)],
)
def test_outputs_losses_and_gradients_are_ours(name: str, training: bool) -> None:
    ours, literal = both(MODELS[name])
    ours.train(training)
    literal.train(training)
    batch = make_batch((64, 96), 3, 4, CPU)
    steps = 5
    output = ours(normalize(batch.images, torch.float64), steps)
    plain = literal(normalized(batch.images, torch.float64), steps)
    for field in ("mask_logits", "class_logits", "objectness_logits"):
        torch.testing.assert_close(getattr(plain, field), getattr(output, field), rtol=1e-9, atol=1e-9)
    criterion = Criterion(OBJECTIVE.class_weight, OBJECTIVE.stop_weight, OBJECTIVE.stop_balance)
    found, assigned = criterion(output, mask_probs(output, (64, 96)), batch, use_class=True, use_stop=True)
    expected = literal_losses(plain, (64, 96), batch, OBJECTIVE, use_class=True, use_stop=True)
    assert (assigned >= 0).sum() == batch.num_instances.sum()
    for term in ("total", "mask", "class_", "stop"):
        torch.testing.assert_close(getattr(expected, term), getattr(found, term), rtol=1e-9, atol=1e-9)
    found.total.backward()
    expected.total.backward()
    gradients = {name: parameter.grad for name, parameter in literal.named_parameters()}
    for key, parameter in ours.named_parameters():
        other = gradients[literal_name(key)]
        assert other is not None
        assert parameter.grad is not None
        torch.testing.assert_close(other, parameter.grad, rtol=1e-7, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [1.0, 2.0, 25.0])
@pytest.mark.parametrize("slots", [2, 7])
def test_losses_are_ours_with_fewer_and_with_more_objects_than_steps(slots: int, weight: float) -> None:
    ours, literal = both(SMALL)
    batch = make_batch((64, 64), 4, slots, CPU)
    empty = batch.num_instances.clone()
    empty[1] = 0
    masks = batch.target_masks.clone()
    masks[1] = False
    batch = type(batch)(batch.images, masks, batch.class_ids, empty, batch.valid)
    output = ours.eval()(normalize(batch.images, torch.float64), 4)
    objective = OBJECTIVE.model_copy(update={"mask_weight": weight})
    criterion = Criterion(
        objective.class_weight, objective.stop_weight, objective.stop_balance, mask_weight=objective.mask_weight
    )
    found, _ = criterion(output, mask_probs(output, (64, 64)), batch, use_class=True, use_stop=False)
    plain = literal.eval()(normalized(batch.images, torch.float64), 4)
    expected = literal_losses(plain, (64, 64), batch, objective, use_class=True, use_stop=False)
    for term in ("total", "mask", "class_", "stop"):
        torch.testing.assert_close(getattr(expected, term), getattr(found, term), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("model", "section"), [(SMALL, paper_training(3)), (demo_model(), demo_training(3))], ids=["paper", "demo"]
)
def test_training_steps_move_the_weights_as_ours_do(model: ModelSection, section: TrainSection) -> None:
    torch.manual_seed(0)
    ours, literal = both(model, torch.float32)
    uses_class = section.objective.class_from_epoch == 0
    fast = OurTraining(ours.train(), section)
    plain = LiteralTraining(literal.train(), section, use_class=uses_class, use_stop=True)
    batch = make_batch((64, 64), 3, 3, CPU)
    for _ in range(3):
        total = fast.step(batch)
        assert float(plain.step(batch).total.detach()) == pytest.approx(float(total), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("objects", [1, 3, 6])
def test_predictions_are_ours_and_end_where_the_network_says(objects: int) -> None:
    ours, literal = both(SMALL, torch.float32)
    images = make_batch((64, 64), 2, 3, CPU).images
    teach_length(ours, literal, images, 6, objects)
    section = PredictSection(num_steps=6)
    found = predict_batch(ours.eval(), images, [("a", (75, 90)), ("b", (50, 40))], section)
    expected = literal_predict(literal.eval(), images, [(75, 90), (50, 40)], section)
    objectness = torch.sigmoid(ours(normalize(images), 6).objectness_logits)
    assert ((objectness >= 0.5).sum(dim=1) == objects).all()
    for image, masks in zip(found, expected, strict=True):
        assert len(image.instances) == len(masks)
        assert sum(item.rle == mask for item, mask in zip(image.instances, masks, strict=True)) >= len(masks) - 1


@given(st.integers(0, 7), st.integers(1, 7), st.booleans(), st.integers(0, 10_000))
@settings(max_examples=80, deadline=None)
def test_munkres_finds_the_least_cost(rows: int, columns: int, ties: bool, seed: int) -> None:
    generator = random.Random(seed)
    costs = [
        [float(generator.randint(0, 3)) if ties else generator.random() for _ in range(columns)] for _ in range(rows)
    ]
    pairs = assign(costs)
    assert len(pairs) == min(rows, columns)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    if rows:
        best = np.array(costs)[linear_sum_assignment(np.array(costs))].sum()
        assert sum(costs[row][column] for row, column in pairs) == pytest.approx(best, abs=1e-12)


def test_decoding_gives_the_samples_of_the_prepared_file(tmp_path: Path) -> None:
    source = SceneSource(kind="scenes", seed=1, image_size=(75, 100), train=4, val=1, sbdataset=0, objects=(1, 4))
    write_scenes(tmp_path, source, processes=1)
    splits: dict[Split, VocSplit] = {"train": VocSplit(image_sets=("train",))}
    dataset = VocDataset(format="voc", source=source, size=(64, 48), voc="VOCdevkit/VOC2012", splits=splits)
    write_split(
        VocReader(tmp_path, dataset, splits["train"]), tmp_path / "train.h5", (64, 48), SplitOrigin("s", "train", "")
    )
    split = PreparedSplit(tmp_path / "train.h5")
    decoding = DecodingSet(tmp_path / dataset.voc, "train", (64, 48), 20, None)
    assert tuple(decoding.names) == split.image_ids
    for index in range(len(split)):
        batch = collate([split.read(index)], 20)
        image, masks, class_ids, count = decoding[index]
        assert count == int(batch.num_instances[0])
        assert torch.equal(image, batch.images[0])
        areas = masks.flatten(1).sum(1)[:count].tolist()
        assert areas == sorted(areas, reverse=True)
        assert torch.equal(masks[:count], batch.target_masks[0, :count])
        assert torch.equal(class_ids[:count], batch.class_ids[0, :count])


def test_best_dice_is_ours() -> None:
    generator = np.random.default_rng(0)
    pred, target = (generator.integers(0, 5, (20, 30)) for _ in range(2))
    assert literal_best_dice(pred, target) == pytest.approx(score_pair(pred, target).sbd, abs=1e-12)


def test_the_literal_network_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="none of these options"):
        LiteralRSIS(SMALL.model_copy(update={"skip_mode": "sum"}), 3)
