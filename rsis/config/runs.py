"""The sections of a run in params.yaml: model, training, prediction, scoring.

What each key means, its default and where it comes from stands in the list of all keys at the end of params.yaml.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsis.config.types import Count, Epoch, Fraction, NonNegative, Positive, Section, Seed, Size, Split

Extent = Annotated[float, Field(ge=0.01, le=100)]


PEER_KEYS = ("peer", "backbone", "weights", "normalization")  # of a model section that names a peer


class ModelSection(Section):
    """The network's architecture; nothing here depends on the data but the number of classes."""

    decoder: Literal["convlstm", "pointer"] = "convlstm"
    peer: Literal["mask_rcnn"] | None = None
    backbone: Literal["resnet18", "resnet34", "resnet50", "resnet101", "vgg16"]
    weights: str | None = None
    normalization: Literal["imagenet", "image"] = "imagenet"
    hidden_widths: Annotated[tuple[Count, ...], Field(min_length=1, max_length=5)] | None = None
    hidden_width: Count = 32
    embedding_width: Count = 8
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
        if self.peer is not None:
            self._check_peer(self.peer)
            return self
        if (self.decoder == "convlstm") != (self.hidden_widths is not None):
            raise ValueError(
                "hidden_widths and decoder convlstm go together; give both, or decoder pointer and neither"
            )
        levels = {8: 3, 16: 4, 32: 5}[self.stride]
        if self.hidden_widths is not None and len(self.hidden_widths) > levels:
            raise ValueError(f"hidden_widths has {len(self.hidden_widths)} layers; stride {self.stride} has {levels}")
        return self

    def _check_peer(self, peer: str) -> None:
        """Refuse what only our own networks have; a checkpoint lists every key, so a default is as good as none."""
        keys = type(self).model_fields
        others = [key for key in keys if key not in PEER_KEYS and getattr(self, key) != keys[key].default]
        if others:
            raise ValueError(f"{', '.join(others)}: not a key of peer {peer}, which has {', '.join(PEER_KEYS)}")
        if not self.backbone.startswith("resnet"):
            raise ValueError(f"backbone {self.backbone} is not for peer {peer}; choose a resnet")


class AugmentSection(Section):
    """Joint augmentation of image and instance map; the defaults change nothing."""

    flip: bool = False
    flip_vertical: bool = False
    transpose: bool = False
    rotation: Annotated[float, Field(ge=0, le=360)] = 0.0
    shift: Fraction = 0.0
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0
    zoom: tuple[Extent, Extent] = (1.0, 1.0)
    aspect: Annotated[float, Field(ge=0, le=2)] | None = None
    anywhere: bool = False
    border: Literal["repeat", "mirror"] = "repeat"
    size: Size | None = None
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0
    gamma: Annotated[float, Field(ge=0, le=2)] = 0.0
    noise: Fraction = 0.0
    grey: Fraction = 0.0
    invert: Fraction = 0.0


class ObjectiveSection(Section):
    """Weights of the loss terms and when each starts (paper, section 3.3).

    A term starts at its epoch, or earlier when the validation loss has not improved for its patience;
    an epoch of null means by patience alone, and null for both means never. The mask term is always in force:
    without it no mask is learnt.
    """

    mask_weight: Positive = 1.0
    class_weight: NonNegative = 0.1
    class_from_epoch: Epoch | None = None
    class_patience: Count | None = None
    stop_weight: NonNegative = 0.5
    stop_from_epoch: Epoch | None = None
    stop_patience: Count | None = None
    stop_balance: Fraction = 0.5
    box_weight: NonNegative = 1.0
    pointing_weight: NonNegative = 1.0
    geometry_weight: NonNegative = 0.2
    mask_pairs: Count | None = None
    own_canvas: Fraction = 0.5
    own_canvas_ramp: Fraction = 0.3


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

    epochs: Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: Count
    num_steps: Count
    max_instances: Count = 20
    seed: Seed = 0
    workers: Annotated[int, Field(ge=0, le=256)] = 2
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
    order: Literal["matching", "free", "size", "left_to_right", "random"] = "matching"
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
        growth, objective = self.curriculum, self.objective
        wants_stop = objective.stop_from_epoch is not None or objective.stop_patience is not None
        if wants_stop and growth and growth.stop_after >= self.num_steps:
            raise ValueError(
                f"num_steps {self.num_steps} does not exceed curriculum.stop_after {growth.stop_after}, so the "
                "objectness would never be trained; lower curriculum.stop_after"
            )
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
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] | None = None
    model: ModelSection
    train: TrainSection
    predict: PredictSection
    score: ScoreSection

    @model_validator(mode="after")
    def _order_suits_decoder(self) -> Self:
        if self.model.peer is not None:
            if self.train.order != "matching":
                raise ValueError(f"train.order {self.train.order} is not for peer {self.model.peer}; leave it out")
            return self
        wrong = "matching" if self.model.decoder == "pointer" else "free"
        if self.train.order == wrong:
            others = "free, size, left_to_right, random" if wrong == "matching" else "matching, size, left_to_right"
            raise ValueError(f"train.order {wrong} is not for decoder {self.model.decoder}; choose one of {others}")
        return self
