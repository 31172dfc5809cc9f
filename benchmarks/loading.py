"""An epoch of training samples: read from the prepared file, compared with decoding the original files."""

from collections.abc import Callable
from functools import partial

from torch.utils.data import DataLoader

from benchmarks.cases import Case
from benchmarks.generated import Workspace
from benchmarks.literal.loading import DecodingSet
from benchmarks.measure import HOST, Settings, interleave
from benchmarks.results import Row
from rsis.config.datasets import VocDataset
from rsis.config.runs import AugmentSection
from rsis.data.prepared.file import PreparedSplit
from rsis.train.augment import JointAugment
from rsis.train.batches import EpochSampler, make_loader

PAPER_AUGMENT = AugmentSection(flip=True, rotation=10.0, shift=0.1, shear=0.1, zoom=(0.7, 1.4))
BATCH = 8
MAX_INSTANCES = 20


def cases(settings: Settings) -> list[Case]:
    """Return the cases of the loader."""
    plain = [(workers, None) for workers in (0, 1, 2)]
    found = []
    for workers, augment in [*plain, (0, PAPER_AUGMENT)]:
        name = f"scenes, {workers} workers" + (", the paper's augmentation" if augment else "")
        found.append(
            Case(
                "loading",
                name,
                partial(_epochs, workers, augment, settings, name),
            )
        )
    return found


def _epochs(workers: int, augment: AugmentSection | None, settings: Settings, name: str) -> list[Row]:
    workspace = Workspace(settings.folder, quick=settings.quick)
    dataset = workspace.params.dataset("scenes")
    assert isinstance(dataset, VocDataset)
    split = PreparedSplit(workspace.processed("scenes") / "train.h5")
    loader = make_loader(
        split,
        batch_size=BATCH,
        seed=0,
        max_instances=MAX_INSTANCES,
        workers=workers,
        augment=augment,
        shuffle=True,
    )
    voc = workspace.raw("scenes").root / dataset.voc
    decoding = DecodingSet(
        voc, "train", dataset.size, MAX_INSTANCES, None if augment is None else JointAugment(augment)
    )
    plain = DataLoader(
        decoding, BATCH, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=workers > 0
    )
    calls: dict[str, Callable[[], object]] = {"ours": partial(_run, loader), "literal": partial(_run, plain)}
    taken = interleave(calls, settings.effort, HOST)
    height, width = workspace.image_size("scenes")
    note = f"from {height}x{width} to {dataset.size[0]}x{dataset.size[1]}"
    items = len(plain) * BATCH
    return [Row("loading", name, taken["ours"], against="decoding", baseline=taken["literal"], items=items, note=note)]


def _run(loader: DataLoader) -> int:
    """Read one epoch, in a new order each time; return its number of batches."""
    if isinstance(loader.sampler, EpochSampler):
        loader.sampler.set_epoch(loader.sampler.epoch + 1)
    return sum(1 for _ in loader)
