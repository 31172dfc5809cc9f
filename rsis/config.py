"""params.yaml as typed, frozen models: every key, its type, its range.

The file has two lists by name, `datasets` and `runs`, and `default`, which of them a bare `dvc repro`
builds. Unknown keys, wrong types and values out of range end in one line that names the key path.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rsis.dataset_config import VARIANTS, AnyDataset, Dataset
from rsis.errors import UserError
from rsis.section import Count, Epoch, Fraction, NonNegative, Positive, Section, Split


class ModelSection(Section):
    """The network's architecture; nothing here depends on the data but the number of classes."""

    backbone: Literal["resnet18", "resnet34", "resnet50", "resnet101", "vgg16"]
    weights: str | None = None
    hidden_widths: Annotated[tuple[Count, ...], Field(min_length=1, max_length=5)]
    skip_mode: Literal["concat", "sum", "mul", "none"] = "concat"
    kernel_size: Literal[1, 3] = 3
    mask_kernel_size: Literal[1, 3] = 1
    mask_gain: Positive = 1.0
    mask_bias: float = 0.0
    box_head: bool = False
    coordinates: Literal["none", "cartesian", "polar", "fourier"] = "none"
    stride: Literal[8, 16, 32] = 32
    dropout: Fraction = 0.0
    dropout_class: Fraction = 0.0
    dropout_stop: Fraction = 0.0

    @model_validator(mode="after")
    def _levels_suffice(self) -> Self:
        levels = {8: 3, 16: 4, 32: 5}[self.stride]
        if len(self.hidden_widths) > levels:
            raise ValueError(f"hidden_widths has {len(self.hidden_widths)} layers; stride {self.stride} has {levels}")
        return self


class AugmentSection(Section):
    """Joint augmentation of image and instance map; the defaults change nothing."""

    flip: bool = False
    flip_vertical: bool = False
    transpose: bool = False
    rotation: NonNegative = 0.0
    shift: Fraction = 0.0
    shear: NonNegative = 0.0
    zoom: tuple[Positive, Positive] = (1.0, 1.0)
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0


class ObjectiveSection(Section):
    """Weights of the loss terms and when each starts (paper, section 3.3).

    A term starts at its epoch, or earlier when the validation loss has not improved for its patience;
    an epoch of null means by patience alone, and null for both means never.
    """

    class_weight: NonNegative = 0.1
    class_from_epoch: Epoch | None = None
    class_patience: Count | None = None
    stop_weight: NonNegative = 0.5
    stop_from_epoch: Epoch | None = None
    stop_patience: Count | None = None
    stop_balance: Fraction = 0.5
    box_weight: NonNegative = 1.0


class CurriculumSection(Section):
    """Growing number of decoder steps: from `start`, one more each `every` epochs or at a plateau.

    The objectness term waits until more than `stop_after` steps are run.
    """

    start: Count = 2
    every: Count | None = None
    patience: Count | None = None
    stop_after: Epoch = 5

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.every is None and self.patience is None:
            raise ValueError("one of every, patience must be a number, or the sequence never grows")
        return self


class TrainSection(Section):
    """How a run is trained: two learning rates as in the paper (section 4.1), and what it leaves open."""

    epochs: Count
    batch_size: Count
    num_steps: Count
    max_instances: Count = 20
    seed: int = 0
    workers: Annotated[int, Field(ge=0)] = 2
    devices: Count = 1
    nodes: Count = 1
    precision: Literal["fp32", "bf16"] = "fp32"
    optimizer: Literal["adam", "adamw", "sgd", "muon"] = "adam"
    lr: Positive
    lr_encoder: NonNegative
    lr_kernels: Positive | None = None
    lr_schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    weight_decay: NonNegative = 0.0
    clip_norm: Positive | None = None
    checkpoint_steps: Count | None = None
    augment: AugmentSection = AugmentSection()
    objective: ObjectiveSection = ObjectiveSection()
    curriculum: CurriculumSection | None = None
    encoder_from_epoch: Epoch = 0
    validate_every: Count = 1
    min_delta: NonNegative = 0.0
    patience: Count | None = None
    keep: Literal["best", "last"] = "best"
    average_decay: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _numbers_agree(self) -> Self:
        if self.num_steps > self.max_instances:
            raise ValueError(f"num_steps {self.num_steps} exceeds max_instances {self.max_instances}; raise the latter")
        if self.validate_every > self.epochs:
            raise ValueError(f"validate_every {self.validate_every} exceeds epochs {self.epochs}; lower the former")
        if self.batch_size % (self.devices * self.nodes):
            shares = f"{self.devices} devices on {self.nodes} nodes"
            raise ValueError(f"batch_size {self.batch_size} cannot be shared evenly by {shares}; make it a multiple")
        if (self.optimizer == "muon") != (self.lr_kernels is not None):
            raise ValueError("lr_kernels and optimizer muon go together; give both or neither")
        return self


class PredictSection(Section):
    """How masks are read off the network's output (the paper's thresholds in paper.md, per data set)."""

    split: Split = "test"
    num_steps: Count
    batch_size: Count = 8
    mask_threshold: Fraction = 0.5
    objectness_threshold: Fraction = 0.5
    min_area: Fraction = 0.0
    largest_component: bool = False
    exclusive: bool = False


class ScoreSection(Section):
    """Which scorers judge a run, and the rules that turn its masks into detections."""

    scorers: Annotated[tuple[Literal["cvppp", "coco", "voc", "cityscapes"], ...], Field(min_length=1)]
    classes: Literal["all", "best"] = "all"
    remove_ignored: bool = True
    overlap: Literal["first", "probable"] = "first"


class RunSection(Section):
    """One experiment: a data set, a model, and how it is trained, read out and scored.

    With `seeds` it stands for as many runs, `<name>-seed<seed>`, that differ in `train.seed` alone.
    """

    dataset: str
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] | None = None
    model: ModelSection
    train: TrainSection
    predict: PredictSection
    score: ScoreSection


class DefaultSection(Section):
    """What a bare `dvc repro` builds: names of data sets, and of runs with the data set of each.

    A run's data set stands here a second time because dvc.yaml can look up a name but not through one.
    """

    datasets: tuple[str, ...]
    runs: dict[str, str]


class Params(Section):
    """The whole of params.yaml."""

    datasets: dict[str, Dataset]
    runs: dict[str, RunSection]
    default: DefaultSection
    comparisons: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        for name, run in self.runs.items():
            if run.dataset not in self.datasets:
                known = ", ".join(self.datasets)
                raise ValueError(f"runs.{name}.dataset is {run.dataset!r}; datasets has {known}")
        for name, dataset in self.default.runs.items():
            if name not in self.runs or self.runs[name].dataset != dataset:
                raise ValueError(
                    f"default.runs.{name}: no run of that name on data set {dataset!r}; correct one of them"
                )
            if dataset not in self.default.datasets:
                raise ValueError(f"default.datasets: {dataset} is missing, the data set of default.runs.{name}; add it")
            if self.runs[name].seeds is not None:
                raise ValueError(
                    f"default.runs.{name}: DVC has no stage for each of its seeds; leave it out here and build it by "
                    f"`snakemake reports/{name}.html`"
                )
        for name, members in self.comparisons.items():
            if name in self.runs:
                raise ValueError(f"comparisons.{name}: there is a run of that name; choose another")
            unknown = [member for member in members if member not in self.runs]
            if unknown:
                raise ValueError(f"comparisons.{name}: no run {unknown[0]!r}; runs has {', '.join(self.runs)}")
        return self

    @property
    def members(self) -> tuple[str, ...]:
        """The names of all runs that can be trained: a run with seeds stands for one of each seed."""
        return tuple(member for name in self.runs for member in self._members_of(name))

    @property
    def compared(self) -> dict[str, tuple[str, ...]]:
        """What one report can show together, by its name: the seeds of a run, the runs of a comparison."""
        found = {name: self._members_of(name) for name, run in self.runs.items() if run.seeds is not None}
        for name, runs in self.comparisons.items():
            found[name] = tuple(member for run in runs for member in self._members_of(run))
        return found

    def dataset(self, name: str) -> AnyDataset:
        """Return the data set of that name, or raise UserError naming those there are."""
        if name not in self.datasets:
            raise UserError(f"params.yaml has no data set {name!r}; it has {', '.join(self.datasets)}")
        return self.datasets[name]

    def run(self, name: str) -> RunSection:
        """Return the run of that name, one of `members`.

        Raises:
            UserError: There is none; names those there are.
        """
        origin, seed = self.origin(name)
        if origin not in self.runs:
            raise UserError(f"params.yaml has no run {name!r}; it has {', '.join(self.members)}")
        run = self.runs[origin]
        if run.seeds is None:
            return run
        if seed is None:
            raise UserError(f"run {name} has several seeds; name one of {', '.join(self._members_of(name))}")
        return run.model_copy(update={"seeds": None, "train": run.train.model_copy(update={"seed": seed})})

    def origin(self, name: str) -> tuple[str, int | None]:
        """Return the run in the file that a name stands for, and its seed if it is one of several."""
        for run, section in self.runs.items():
            for seed in section.seeds or ():
                if name == _member(run, seed):
                    return run, seed
        return name, None

    def _members_of(self, name: str) -> tuple[str, ...]:
        seeds = self.runs[name].seeds
        return (name,) if seeds is None else tuple(_member(name, seed) for seed in seeds)


def _member(run: str, seed: int) -> str:
    return f"{run}-seed{seed}"


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    YAML 1.2 by the parser DVC uses, so 1e-3 is a number to both.

    Raises:
        UserError: The file is missing, is not YAML, or breaks the schema; all faults in one line each.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; run in the folder that holds params.yaml, or name it with --params")
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        where = " ".join(str(error).split())
        raise UserError(f"{path}: not valid YAML ({where}); correct it") from error
    try:
        return Params.model_validate(_tuples(raw))
    except ValidationError as error:
        faults = "; ".join(_explain(fault) for fault in error.errors())
        raise UserError(f"{path}: {faults}") from error


def digest_of(section: BaseModel | dict[str, Any]) -> str:
    """Return a short hexadecimal digest of a section's values, the same on every machine."""
    values = section.model_dump(mode="json") if isinstance(section, BaseModel) else section
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _tuples(value: Any) -> Any:
    """Strict pydantic wants tuples where YAML has only lists."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _explain(fault: Any) -> str:
    # pydantic names the chosen variant after a data set's name, and again after "source"
    tags = {2, 4} if fault["loc"][:1] == ("datasets",) else set()
    path = ".".join(str(part) for i, part in enumerate(fault["loc"]) if i not in tags or part not in VARIANTS)
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key; remove it or correct its spelling"
    if fault["type"] == "missing":
        return f"{path}: missing; add it"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return f"{path}: {message}" if path else message
    return f"{path}: found {fault['input']!r}; {message[0].lower()}{message[1:]}"
