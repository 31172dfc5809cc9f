"""Batches for training: the order of the images, their augmentation, and the padding of their objects.

The order and the augmentation of a sample depend only on (seed, epoch, index). A resumed run, and a run with any
number of worker processes, therefore has the same batches as an uninterrupted run without workers.
"""

import hashlib
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from rsis.config.runs import AugmentSection
from rsis.data.prepared.file import PreparedSample, PreparedSplit
from rsis.errors import UserError
from rsis.structures import Batch
from rsis.train.augment import JointAugment

Order = Literal["matching", "free", "size", "left_to_right", "random"]


@dataclass(frozen=True)
class SampleKey:
    """The index of an image in its split, and the epoch in which it is read; both count from 0."""

    epoch: int
    index: int


@dataclass(frozen=True)
class Share:
    """The part of each batch that a process works on: part `rank`, from 0, of `world` parts."""

    rank: int = 0
    world: int = 1


class EpochSampler(Sampler[SampleKey]):
    """Yields each image once in an epoch, in an order that depends only on (seed, epoch).

    With shuffling, the processes of a training split each batch into parts of equal size; an incomplete last batch is
    left out, unless it is the only one. Without shuffling, whole batches go to the processes in turn; with fewer
    batches than processes, every process gets all of them.

    Args:
        n: Number of images.
        seed: Any integer.
        shuffle: False keeps the file's order.
        batch_size: Images in a batch, of all processes together.
        share: The part of this process; None is a single process.
    """

    def __init__(self, n: int, seed: int, shuffle: bool, batch_size: int = 1, share: Share | None = None) -> None:
        self.n = n
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0
        self._kept = _positions(n, shuffle, batch_size, share or Share())

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration; Lightning calls this."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[SampleKey]:
        """Yield the keys of the current epoch for this process."""
        epoch = self.epoch
        order = torch.arange(self.n)
        if self.shuffle:
            generator = torch.Generator().manual_seed(_seed_of(self.seed, epoch))
            order = torch.randperm(self.n, generator=generator)
        return (SampleKey(epoch, index) for index in order[self._kept].tolist())

    def __len__(self) -> int:
        """Return the number of images that this process reads in an epoch."""
        return len(self._kept)


class TrainingSet(Dataset[PreparedSample]):
    """A prepared split with augmentation.

    A key always gives the same sample, and the state of torch's global generator does not change.

    Args:
        split: The prepared split to read.
        seed: Any integer.
        augment: None leaves the samples as they are.
    """

    def __init__(self, split: PreparedSplit, seed: int, augment: JointAugment | None) -> None:
        self.split = split
        self.seed = seed
        self.augment = augment

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.split)

    def __getitem__(self, key: SampleKey) -> PreparedSample:
        """Return the sample; augmentation may leave some of its objects without a pixel."""
        sample = self.split.read(key.index)
        if self.augment is None:
            return sample
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would reseed the GPUs as well
            torch.default_generator.manual_seed(_seed_of(self.seed, key.epoch, key.index))
            found = self.augment(sample.image, sample.instance_map, sample.ignore_mask)
        return replace(
            sample,
            image=found.image,
            instance_map=found.instance_map,
            ignore_mask=found.ignore_mask,
            class_ids=sample.class_ids[found.sources - 1],
        )


def collate(samples: Sequence[PreparedSample], max_instances: int, order: Order = "size") -> Batch:
    """Join samples of one size to a batch.

    Objects without a pixel are left out. Of more than `max_instances` objects the largest are kept, as in
    the paper (at most 20); the pixels of the others are background. N is the largest number of objects
    kept in an image, at least 1.

    Args:
        samples: At least one.
        max_instances: At least 1.
        order: Of each image's objects. "size": by area, largest first, ties by label; so too for "matching" and
            "free", where it plays no part. "left_to_right": by the column of the centre of mass. "random": drawn by
            the image's id and its objects' areas, so that it is another for each way that the image is augmented.
    """
    kept = [_ordered(sample, _largest(sample, max_instances), order) for sample in samples]
    num_slots = max(1, *(len(instance_ids) for instance_ids in kept))
    height, width = samples[0].instance_map.shape
    target_masks = torch.zeros(len(samples), num_slots, height, width, dtype=torch.bool)
    class_ids = torch.zeros(len(samples), num_slots, dtype=torch.int64)
    for b, (sample, instance_ids) in enumerate(zip(samples, kept, strict=True)):
        torch.eq(sample.instance_map, instance_ids[:, None, None].int(), out=target_masks[b, : len(instance_ids)])
        class_ids[b, : len(instance_ids)] = sample.class_ids[instance_ids - 1]
    return Batch(
        images=torch.stack([sample.image for sample in samples]),
        target_masks=target_masks,
        class_ids=class_ids,
        num_instances=torch.tensor([len(instance_ids) for instance_ids in kept]),
        valid=~torch.stack([sample.ignore_mask for sample in samples]),
    )


def make_loader(
    split: PreparedSplit,
    *,
    batch_size: int,
    seed: int,
    max_instances: int,
    order: Order = "size",
    workers: int,
    augment: AugmentSection | None,
    shuffle: bool,
    share: Share | None = None,
) -> DataLoader:
    """Return a loader of `Batch` whose sampler is an `EpochSampler`.

    With shuffling, an incomplete last batch is left out, unless it is the only one. The images stay uint8: converting
    them on the device is cheap. Worker processes ignore the signals that stop a run; the main process handles them.

    Args:
        split: The prepared split to read.
        batch_size: Images in a batch; with shuffling, of all processes together.
        seed: Any integer; with the epoch it determines order and augmentation.
        max_instances: Most objects that are kept of an image.
        order: Order of an image's objects, see `collate`.
        workers: Number of worker processes; 0 loads in this process.
        augment: None for validation.
        shuffle: False keeps the file's order.
        share: The part of this process, see `EpochSampler`.

    Raises:
        UserError: `augment.transpose` is set and the images are not square; or more than one process must share a
            batch that is larger than the split.
    """
    height, width = split.size
    if augment is not None and augment.transpose and height != width:
        found = f"augment.transpose is true and {split.path} has images of {height} x {width}"
        raise UserError(f"{found}; it needs square ones: set transpose to false or a square size")
    share = share or Share()
    if share.world > 1 and shuffle and len(split) < batch_size:
        found = f"train.batch_size is {batch_size} and {split.path} has {len(split)} images"
        raise UserError(f"{found}; {share.world} processes cannot share them: lower batch_size or use one device")
    return DataLoader(
        TrainingSet(split, seed, None if augment is None else JointAugment(augment)),
        batch_size=batch_size // share.world if shuffle else batch_size,
        sampler=EpochSampler(len(split), seed, shuffle, batch_size, share),
        num_workers=workers,
        collate_fn=partial(collate, max_instances=max_instances, order=order),
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_start_worker,
        generator=torch.Generator(),  # else every epoch draws a number from the global generator
        persistent_workers=workers > 0,
    )


def _largest(sample: PreparedSample, max_instances: int) -> torch.Tensor:
    """Return int64 [n], the values in the instance map of the largest `max_instances` objects, largest first."""
    areas = torch.bincount(sample.instance_map.flatten(), minlength=len(sample.class_ids) + 1)[1:]
    areas, order = torch.sort(areas, descending=True, stable=True)
    return (order[areas > 0] + 1)[:max_instances]


def _ordered(sample: PreparedSample, instance_ids: torch.Tensor, order: Order) -> torch.Tensor:
    """Return the instance ids, int64 [n] in the order of `_largest`, in the order `order` of `collate`."""
    flat = sample.instance_map.flatten()
    if order == "left_to_right":
        columns = torch.arange(sample.instance_map.shape[1]).repeat(sample.instance_map.shape[0])
        sums = torch.bincount(flat, columns.double(), minlength=len(sample.class_ids) + 1)[instance_ids]
        areas = torch.bincount(flat, minlength=len(sample.class_ids) + 1)[instance_ids]
        return instance_ids[(sums / areas).argsort(stable=True)]
    if order == "random":
        areas = torch.bincount(flat, minlength=len(sample.class_ids) + 1)[instance_ids]
        generator = torch.Generator().manual_seed(_seed_of(sample.image_id, *areas.tolist()))
        return instance_ids[torch.randperm(len(instance_ids), generator=generator)]
    return instance_ids


def _positions(n: int, shuffle: bool, batch_size: int, share: Share) -> torch.Tensor:
    """Return int64 [n], the positions in an epoch's order that the process with this share reads."""
    batches = torch.split(torch.arange(n), batch_size)
    if shuffle:
        whole = [batch for batch in batches if len(batch) == batch_size or len(batches) == 1]
        return torch.cat([batch.chunk(share.world)[share.rank] for batch in whole])
    # with fewer batches than processes each reads all of them: then all have the same losses, and so has their mean
    return torch.cat(batches[share.rank :: share.world] if len(batches) >= share.world else batches)


def _seed_of(*parts: int | str) -> int:
    """Return a 64-bit seed, a hash of the parts: consecutive numbers give unrelated seeds."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little")


def _start_worker(_: int) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):  # Windows has no SIGUSR1
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    torch.set_num_threads(1)
