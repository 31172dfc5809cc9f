"""Batches: a key gives the same sample in every process, and objects are in the configured order."""

import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from support.fake_reader import FakeReader
from torch.utils.data import DataLoader

from rsis.config.runs import AugmentSection
from rsis.data.prepared.file import PreparedSample, PreparedSplit
from rsis.data.prepared.writer import SplitOrigin, write_split
from rsis.errors import UserError
from rsis.structures import Batch
from rsis.train.augment import JointAugment
from rsis.train.batches import EpochSampler, SampleKey, TrainingSet, collate, make_loader

_STRONG = AugmentSection(
    flip=True,
    flip_vertical=True,
    transpose=True,
    rotation=20.0,
    shift=0.2,
    shear=5.0,
    zoom=(0.7, 1.4),
    brightness=0.2,
    contrast=0.2,
)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> PreparedSplit:
    path = tmp_path_factory.mktemp("leaves") / "train.h5"
    write_split(FakeReader(11), path, (32, 32), SplitOrigin("leaves", "train", "0"))
    return PreparedSplit(path)


def _loader(split: PreparedSplit, **change: Any) -> DataLoader:
    plain = {"batch_size": 4, "seed": 7, "max_instances": 20, "workers": 0, "augment": _STRONG, "shuffle": True}
    return make_loader(split, **(plain | change))


def _epoch(loader: DataLoader, epoch: int) -> list[Batch]:
    loader.sampler.set_epoch(epoch)
    return list(loader)


def _same(left: list[Batch], right: list[Batch]) -> bool:
    return len(left) == len(right) and all(
        torch.equal(getattr(a, field.name), getattr(b, field.name))
        for a, b in zip(left, right, strict=True)
        for field in fields(Batch)
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_what_one_process_reads(split: PreparedSplit, method: str) -> None:
    split.read(0)  # the file is open when the workers start
    loader = _loader(split, workers=2)
    loader.multiprocessing_context = multiprocessing.get_context(method)
    alone = _loader(split)
    for epoch in (0, 1):  # persistent workers get the new epoch too
        assert _same(_epoch(loader, epoch), _epoch(alone, epoch))


def test_a_resumed_run_sees_what_the_uninterrupted_one_sees(split: PreparedSplit) -> None:
    loader = _loader(split)
    uninterrupted = [_epoch(loader, epoch) for epoch in range(4)]
    torch.manual_seed(123)  # the state of a new process differs
    assert _same(_epoch(_loader(split), 3), uninterrupted[3])
    assert not _same(uninterrupted[2], uninterrupted[3])


def test_epochs_and_seeds_differ_in_order_and_augmentation(split: PreparedSplit) -> None:
    sets = [TrainingSet(split, seed, JointAugment(_STRONG)) for seed in (0, 1)]
    images = [sets[seed][SampleKey(epoch, 0)].image for seed in (0, 1) for epoch in (0, 1)]
    assert all(not torch.equal(images[i], images[j]) for i in range(4) for j in range(i))
    orders = {
        tuple(key.index for key in _keys(EpochSampler(50, seed, True), epoch)) for seed in (0, 1) for epoch in (0, 1)
    }
    assert len(orders) == 4


def _keys(sampler: EpochSampler, epoch: int) -> list[SampleKey]:
    sampler.set_epoch(epoch)
    return list(sampler)


@given(st.integers(0, 40), st.integers(-3, 3), st.integers(0, 5), st.booleans())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_sampler_yields_each_image_once(n: int, seed: int, epoch: int, shuffle: bool) -> None:
    keys = _keys(EpochSampler(n, seed, shuffle), epoch)
    assert {key.epoch for key in keys} <= {epoch}
    indices = [key.index for key in keys]
    assert sorted(indices) == list(range(n))
    assert shuffle or indices == list(range(n))


def test_loading_leaves_global_randomness_alone(split: PreparedSplit) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    _epoch(_loader(split), 0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_without_augmentation_a_sample_is_as_prepared(split: PreparedSplit) -> None:
    sample = TrainingSet(split, 0, None)[SampleKey(3, 5)]
    assert sample.image_id == split.image_ids[5]
    assert torch.equal(sample.image, split.read(5).image)


@pytest.mark.parametrize(("n", "shuffle", "sizes"), [(11, True, [4, 4]), (11, False, [4, 4, 3]), (3, True, [3])])
def test_a_batch_that_is_not_full(tmp_path: Path, n: int, shuffle: bool, sizes: list[int]) -> None:
    write_split(FakeReader(n), tmp_path / "train.h5", (32, 32), SplitOrigin("leaves", "train", "0"))
    batches = list(_loader(PreparedSplit(tmp_path / "train.h5"), shuffle=shuffle))
    assert [len(batch.images) for batch in batches] == sizes


def test_transpose_wants_square_images(tmp_path: Path) -> None:
    write_split(FakeReader(2), tmp_path / "train.h5", (32, 48), SplitOrigin("leaves", "train", "0"))
    with pytest.raises(UserError, match=r"augment\.transpose.* 32 x 48"):
        _loader(PreparedSplit(tmp_path / "train.h5"))


def test_workers_ignore_the_signals_that_stop_a_run(split: PreparedSplit) -> None:
    loader = DataLoader(_Handlers(), batch_size=None, num_workers=1, worker_init_fn=_loader(split).worker_init_fn)
    handlers, threads = next(iter(loader))
    assert handlers == [signal.SIG_IGN] * 3
    assert threads == 1


class _Handlers(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[list[Any], int]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
        return handlers, torch.get_num_threads()


def _sample(instance_map: list[list[int]] | np.ndarray, class_ids: list[int]) -> PreparedSample:
    tensor = torch.tensor(np.asarray(instance_map), dtype=torch.int32)
    return PreparedSample(
        image=torch.full((3, *tensor.shape), len(class_ids), dtype=torch.uint8),
        instance_map=tensor,
        ignore_mask=torch.zeros(tensor.shape, dtype=torch.bool),
        class_ids=torch.tensor(class_ids, dtype=torch.int64),
        image_id="x",
        original_size=(1, 1),
    )


def test_collate_orders_by_area_and_pads() -> None:
    first = _sample([[1, 2, 2, 2], [3, 3, 0, 5]], [11, 12, 13, 14, 15])  # object 4 has no pixel
    first = replace(first, ignore_mask=first.instance_map == 1)
    second = _sample([[0, 0, 0, 0], [0, 1, 0, 0]], [9])
    batch = collate([first, second], max_instances=20)
    assert batch.num_instances.tolist() == [4, 1]
    assert batch.class_ids.tolist() == [[12, 13, 11, 15], [9, 0, 0, 0]]
    for i, label in enumerate((2, 3, 1, 5)):
        assert torch.equal(batch.target_masks[0, i], first.instance_map == label)
    assert torch.equal(batch.target_masks[1, 0], second.instance_map == 1)
    assert not batch.target_masks[1, 1:].any()
    assert torch.equal(batch.valid[0], first.instance_map != 1)
    assert batch.valid[1].all()
    assert batch.images[:, 0, 0, 0].tolist() == [5, 1]
    dtypes = [getattr(batch, field.name).dtype for field in fields(batch)]
    assert dtypes == [torch.uint8, torch.bool, torch.int64, torch.int64, torch.bool]


def test_collate_keeps_the_largest_and_makes_the_rest_background() -> None:
    batch = collate([_sample([[1, 2, 2], [3, 3, 3], [4, 0, 0]], [1, 2, 3, 4])], max_instances=2)
    assert batch.class_ids.tolist() == [[3, 2]]
    assert batch.num_instances.tolist() == [2]
    assert batch.target_masks.sum().item() == 5
    assert batch.valid.all()


def test_collate_without_objects_has_one_empty_slot() -> None:
    batch = collate([_sample(np.zeros((2, 3)), []), _sample(np.zeros((2, 3)), [4])], max_instances=5)
    assert batch.target_masks.shape == (2, 1, 2, 3)
    assert not batch.target_masks.any()
    assert batch.class_ids.tolist() == [[0], [0]]
    assert batch.num_instances.tolist() == [0, 0]


def test_collate_orders_objects_as_it_is_told() -> None:
    sample = _sample([[3, 3, 3, 2, 2], [3, 1, 0, 0, 2]], [11, 12, 13])
    classes = {order: collate([sample], 20, order).class_ids[0].tolist() for order in ("size", "left_to_right")}
    assert classes == {"size": [13, 12, 11], "left_to_right": [13, 11, 12]}
    # the largest objects are kept in every order
    assert collate([sample], 2, "left_to_right").class_ids.tolist() == [[13, 12]]


def test_a_random_order_is_the_same_for_the_same_view_alone() -> None:
    rows = [[i, i] + ([0, i] if i % 2 else [0, 0]) for i in range(1, 9)]
    sample = _sample(rows, list(range(1, 9)))
    order = collate([sample], 20, "random").class_ids[0]
    assert sorted(order.tolist()) == list(range(1, 9))
    assert torch.equal(order, collate([sample, sample], 20, "random").class_ids[1])
    others = {tuple(collate([replace(sample, image_id=name)], 20, "random").class_ids[0].tolist()) for name in "abcde"}
    assert len(others) == 5


_batches = st.lists(npst.arrays(np.int32, (3, 4), elements=st.integers(0, 6)), min_size=1, max_size=4)


@given(_batches, st.integers(1, 8))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_collate_agrees_with_its_slow_twin(maps: list[np.ndarray], max_instances: int) -> None:
    batch = collate([_sample(array, [101, 102, 103, 104, 105, 106]) for array in maps], max_instances)
    wanted = [list(_slow(array))[:max_instances] for array in maps]
    assert batch.target_masks.shape[1] == max(1, *(len(objects) for objects in wanted))
    for b, objects in enumerate(wanted):
        assert batch.num_instances[b] == len(objects)
        assert batch.class_ids[b, : len(objects)].tolist() == [100 + label for _, label, _ in objects]
        for i, (_, _, pixels) in enumerate(objects):
            assert {tuple(pixel) for pixel in torch.nonzero(batch.target_masks[b, i]).tolist()} == pixels


def _slow(array: np.ndarray) -> Iterator[tuple[int, int, set[tuple[int, int]]]]:
    """The objects of an instance map as (-area, value, pixels), in order."""
    found = []
    for label in range(1, 7):
        pixels = {(r, c) for r in range(array.shape[0]) for c in range(array.shape[1]) if array[r, c] == label}
        if pixels:
            found.append((-len(pixels), label, pixels))
    return iter(sorted(found, key=lambda entry: entry[:2]))
