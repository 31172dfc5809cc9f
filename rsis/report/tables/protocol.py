"""Under which protocol a run was measured, and how that differs from the paper's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rsis.config.datasets import AnyDataset, CityscapesSplit, CvpppSplit, VocSplit
from rsis.config.runs import RunSection
from rsis.eval.scores import Scores
from rsis.report.tables.published import Benchmark, PublishedTable

TIMES = "\u00d7"
WORDS = {
    "model.weights": "pretrained weights",
    "model.conv_lstms": "ConvLSTMs",
    "model.skip_mode": "skip connections",
    "model.stride": "stride of the encoder",
    "model.coordinates": "coordinate channels",
    "predict.num_steps": "decoder steps",
    "model.hidden_widths": "widths of the ConvLSTMs",
    "model.mask_kernel_size": "kernel of the mask head",
    "model.mask_gain": "gain of the mask head's first weights",
    "model.mask_bias": "first bias of the mask head",
    "train.max_instances": "objects kept of an image",
    "train.num_steps": "decoder steps in training",
    "train.lr": "learning rate",
    "train.lr_encoder": "learning rate of the encoder",
    "train.encoder_from_epoch": "encoder trained from epoch",
    "predict.min_area": "smallest mask as a fraction of the image",
    "predict.largest_component": "largest connected part only",
    "predict.exclusive": "masks kept from overlapping",
    "score.classes": "classes a mask counts for",
    "score.remove_ignored": "ignored pixels taken out of masks",
    "score.overlap": "contested pixel goes to",
}

PAPERS_NETWORK = "paper's decoder"
NETWORKS = {"convlstm": PAPERS_NETWORK, "pointer": "pointer decoder", "mask_rcnn": "Mask R-CNN (torchvision)"}


@dataclass(frozen=True)
class ScoredRun:
    """A run with what was asked of it and what it scored."""

    run: str
    run_config: RunSection
    dataset_config: AnyDataset
    scores: Scores

    @property
    def network(self) -> str:
        """The kind of the network in words."""
        return NETWORKS[self.run_config.model.peer or self.run_config.model.decoder]

    @property
    def method(self) -> str:
        """What the network is called beside other methods: RSIS is the paper's, others are named."""
        if self.run_config.model.peer is not None:
            return self.network
        return "RSIS" if self.network == PAPERS_NETWORK else f"RSIS, {self.network}"

    @property
    def scorers(self) -> tuple[str, ...]:
        """Scorers with at least one number, in the order of the run's configuration."""
        scored = {key.partition("/")[0] for key in self.scores.metrics}
        return tuple(scorer for scorer in self.run_config.score.scorers if scorer in scored)

    @property
    def num_images(self) -> int | None:
        """Number of images scored, where the protocol states it."""
        images = self.scores.protocol.get("images")
        return images if isinstance(images, int) else None

    @property
    def generated(self) -> bool:
        """Whether the project made the images itself."""
        return self.dataset_config.source.generated

    @property
    def data(self) -> str:
        """The data set in words."""
        return f"{'generated ' if self.generated else ''}{self.run_config.dataset}"

    @property
    def group(self) -> str:
        """The data set, the split and the number of images in words."""
        images = [] if self.num_images is None else [f"{self.num_images} images"]
        return ", ".join([f"This project, {self.data}", official_split(self), *images])


def is_benchmark(run: ScoredRun, benchmark: Benchmark) -> bool:
    """Whether a run's data set is the benchmark's own, not generated, a sample or another."""
    return run.run_config.dataset in benchmark.datasets and not run.generated


def official_split(run: ScoredRun) -> str:
    """Return the benchmark's own name for the images scored: VOC's val is the test set of params.yaml."""
    name = str(run.scores.protocol.get("split", run.run_config.predict.split))
    splits: Mapping[str, object] = {str(key): value for key, value in run.dataset_config.splits.items()}
    split = splits.get(name)
    if isinstance(split, VocSplit):
        whole = len(split.image_sets) == 1 and not split.sbdataset and not split.exclude and split.share == (0, 1)
        return split.image_sets[0] if whole else f"our own {name}"
    if isinstance(split, CityscapesSplit):
        return split.folder
    if isinstance(split, CvpppSplit) and name == "test" and not split.folder.startswith("testing"):
        return split.folder
    return name


def is_comparable(run: ScoredRun, table: PublishedTable, benchmark: Benchmark) -> bool:
    """Whether a difference between a run and a row of a published table means something: same data set, same split.

    Where the source does not state its split, it is taken to be the run's.
    """
    return is_benchmark(run, benchmark) and table.split in (None, official_split(run))


def data_difference(run: ScoredRun, table: PublishedTable, benchmark: Benchmark) -> str:
    """Say how what a run was measured on differs from a published table's, in words fit for its row.

    Other data are never comparable; another split, number of images or input size is named.
    """
    size = f"input {by(run.dataset_config.size)}"
    if not is_benchmark(run, benchmark):
        data = run.data if run.generated else f"data set {run.data}"
        return f"{data}, not {benchmark.title}: shown for form, not comparable; {size}"
    found, split = [], official_split(run)
    if table.split is not None and split != table.split:
        found.append(f"{split} split, not {table.split}")
    if table.images is not None and run.num_images not in (None, table.images):
        found.append(f"{run.num_images} images, not {table.images}")
    sizes = dict.fromkeys(row.input_size for row in table.rows if row.input_size is not None)
    if sizes and run.dataset_config.size not in sizes:
        found.append(f"{size}, not {' or '.join(by(s) for s in sizes)}")
    return f"protocol differs: {'; '.join(found)}" if found else f"same data, split and scorer; {size}"


def settings_differences(run: ScoredRun, benchmark: Benchmark) -> tuple[str, ...]:
    """Say what a run does otherwise than the paper's own run: its model, its thresholds, its scoring rules.

    What was recorded when predicting and scoring counts, not what the configuration says today. Of another network
    than the paper's what the paper's alone has is not said.
    """
    other = run.network != PAPERS_NETWORK
    found = [f"{run.network} (paper: its own)"] if other and benchmark.paper else []
    for path, theirs in benchmark.paper.items():
        section, _, key = path.partition(".")
        if other and section == "model" and key not in ("backbone", "weights"):
            continue
        if run.run_config.model.peer is not None and key == "num_steps":
            continue
        ours = _ours(run, section, key)
        if ours != theirs:
            words = WORDS.get(path, key.replace("_", " "))
            found.append(f"{words} {_say(ours)} (paper: {_say(theirs)})")
    left_out = run.scores.protocol.get("left_out")
    if left_out:
        found.append(f"{len(left_out)} images left out as broken")
    return tuple(found)


def by(size: tuple[int, int]) -> str:
    """Return (H, W) as it is printed."""
    return f"{size[0]} {TIMES} {size[1]}"


def _ours(run: ScoredRun, section: str, key: str) -> object:
    model = run.run_config.model
    if (section, key) == ("model", "conv_lstms"):
        return len(model.hidden_widths or ())
    if (section, key) == ("model", "weights") and model.weights is not None and model.weights.startswith("IMAGENET"):
        return "ImageNet"
    recorded: Any = run.scores.protocol.get({"predict": "predict", "score": "rules"}.get(section, ""))
    if isinstance(recorded, Mapping) and key in recorded:
        return recorded[key]
    value = getattr(getattr(run.run_config, section), key)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value


def _say(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
