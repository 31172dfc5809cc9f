"""The sections of a run in params.yaml: model, training, prediction, scoring.

The text below a key says what it means and where its numbers come from: "Paper" is Salvador et al. 2017,
arXiv:1712.00617v1, "Released code" is its authors', "Ours" is neither. `rsis keys` shows it with type and default.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsis.config.training import AugmentSection, CurriculumSection, ObjectiveSection, TrainSection
from rsis.config.types import Count, Fraction, Positive, Section, Seed, Split, Steps

Scorer = Literal["cvppp", "coco", "voc", "cityscapes"]

__all__ = [
    "AugmentSection", "CurriculumSection", "ModelSection", "ObjectiveSection", "PredictSection", "RunSection",
    "ScoreSection", "TrainSection",
]  # fmt: skip


# what a model section with a peer, and one with the pointer decoder, may say
PEER_KEYS = ("peer", "backbone", "weights", "normalization")
POINTER_KEYS = (
    "decoder", "backbone", "weights", "normalization", "hidden_width", "embedding_width", "coordinates", "stride",
)  # fmt: skip


class ModelSection(Section):
    """The network's architecture; nothing here depends on the data but the number of classes."""

    decoder: Literal["convlstm", "pointer"] = "convlstm"
    """How objects are emitted one after another. convlstm: the paper's pyramid of ConvLSTMs. pointer: each step sees a
    canvas of what was emitted, points at a cell and segments there (docs/network.md). Paper: convlstm. Ours:
    pointer."""
    peer: Literal["mask_rcnn"] | None = None
    """A network of others in place of ours, for comparison. mask_rcnn: torchvision's Mask R-CNN; of the keys below it
    takes backbone (a resnet), weights and normalization. Ours."""
    backbone: Literal["resnet18", "resnet34", "resnet50", "resnet101", "vgg16"]
    """The encoder, a network of torchvision. Paper, section 3.1: resnet101; vgg16 and resnet50 in its ablation.
    Released code: resnet34 too. Ours: resnet18."""
    weights: str | None = None
    """First weights of the backbone: null for random ones, a name of torchvision such as IMAGENET1K_V1, or the path of
    a file. Paper, section 3.1: those of ImageNet."""
    normalization: Literal["imagenet", "image"] = "imagenet"
    """How pixel values are scaled. imagenet: less ImageNet's mean, over its deviation. image: by the image's own mean
    and deviation, for pictures of different exposure. Paper: imagenet. Ours: image."""
    hidden_widths: Annotated[tuple[Count, ...], Field(min_length=1, max_length=5)] | None = None
    """Channels of each ConvLSTM, the deepest first; for decoder convlstm alone, which needs them. Paper: D, D, D/2,
    D/4, D/8 with D = 128, and D = 64 for CVPPP. Released code: D, D/2, D/4, D/8, D/16 with D = 128."""
    hidden_width: Count = 32
    """Channels of the recurrence of decoder pointer. Ours."""
    embedding_width: Count = 8
    """Channels of the pixel embedding that the masks of decoder pointer are made of. Ours."""
    skip_mode: Literal["concat", "sum", "mul", "none"] = "concat"
    """How a ConvLSTM's input joins the skip connection and the state of the deeper level. Paper, section 3.2: concat;
    the others in its ablation."""
    kernel_size: Literal[1, 3] = 3
    """Side of the kernels of gates and skip connections, in cells. Paper, section 3.2: 3. Ours: 1."""
    mask_kernel_size: Literal[1, 3] = 1
    """Side of the kernel of the last convolution, which makes the mask. Paper: 1. Released code: 3."""
    mask_gain: Positive = 1.0
    """Factor on the first weights of the mask head. Ours: with 5, and -2 for `mask_bias`, a short training from scratch
    has clear masks early."""
    mask_bias: float = 0.0
    """Added to the first bias of the mask head, a logit. Ours, see `mask_gain`."""
    box_head: bool = False
    """Whether to predict a box for each object beside its mask. Paper: its fourth version."""
    coordinates: Literal["none", "cartesian", "polar", "fourier"] = "none"
    """Channels added at every level to say where a cell is. cartesian: row and column. polar: these, the distance from
    the centre, sine and cosine of the angle. fourier: row and column, sines and cosines of three frequencies. Paper:
    none. Ours: the others."""
    stride: Literal[8, 16, 32] = 32
    """Pixels a side for which a cell of the deepest level stands. There are 5 levels with 32, 4 with 16 and 3 with 8,
    and at most as many `hidden_widths`. Paper, section 3.1: 32. Ours: 16 and 8."""
    dropout: Fraction = 0.0
    """Fraction of the hidden states that is dropped in training. Released code: 0."""
    dropout_class: Fraction = 0.0
    """Fraction of the class head's input that is dropped in training. Released code: 0."""
    dropout_stop: Fraction = 0.0
    """Fraction of the objectness head's input that is dropped in training. Released code: 0."""

    @model_validator(mode="after")
    def _levels_suffice(self) -> Self:
        if self.peer is not None:
            self._refuse_others(f"peer {self.peer}", PEER_KEYS)
            if not self.backbone.startswith("resnet"):
                raise ValueError(f"backbone {self.backbone} is not for peer {self.peer}; choose a resnet")
            return self
        if (self.decoder == "convlstm") != (self.hidden_widths is not None):
            raise ValueError("decoder convlstm needs hidden_widths, decoder pointer has none; correct one of the two")
        if self.decoder == "pointer":
            self._refuse_others("decoder pointer", POINTER_KEYS)
        if self.decoder == "pointer" and self.stride == 8:
            raise ValueError("stride 8 is not for decoder pointer, which reads levels up to 16; set stride to 16 or 32")
        levels = {8: 3, 16: 4, 32: 5}[self.stride]
        if self.hidden_widths is not None and len(self.hidden_widths) > levels:
            raise ValueError(f"hidden_widths has {len(self.hidden_widths)} layers; stride {self.stride} has {levels}")
        return self

    def _refuse_others(self, owner: str, known: tuple[str, ...]) -> None:
        """Refuse keys that would have no effect; a checkpoint lists every key, so a default is as good as none."""
        keys = type(self).model_fields
        others = [key for key in keys if key not in known and getattr(self, key) != keys[key].default]
        if others:
            raise ValueError(f"{', '.join(others)}: not a key of {owner}, which has {', '.join(known)}")


class PredictSection(Section):
    """How masks are read off the network's output (the paper's thresholds in paper.md, per data set)."""

    split: Split = "test"
    """The images to predict. Ours."""
    num_steps: Steps
    """T, the most steps of the decoder, so the most objects of an image. Paper: 10 for VOC, 20 for the others."""
    batch_size: Count = 8
    """Images at a time; it bounds the memory. Ours."""
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    """Number format of the computation. auto: bf16 where that is faster, as measured at each start. Ours."""
    mask_threshold: Fraction = 0.5
    """Probability above which a pixel belongs to the mask. Released code: 0.5."""
    objectness_threshold: Fraction = 0.5
    """The sequence ends at the first step whose objectness is below it. Released code: 0.5 for VOC, 0.2 for CVPPP, 0
    for Cityscapes."""
    min_area: Fraction = 0.0
    """Masks up to this fraction of the image are left out. Released code: 0.001 for VOC."""
    largest_component: bool = False
    """Whether a mask keeps its largest connected part alone. Released code: true for Cityscapes."""
    exclusive: bool = False
    """Whether a pixel that several masks claim goes to the most probable one. Ours."""


class ScoreSection(Section):
    """Which scorers judge a run, and the rules that turn its masks into detections."""

    scorers: Annotated[tuple[Scorer, ...], Field(min_length=1)]
    """Each compares with the raw annotations. cvppp: SBD and counts. coco: AP. voc: AP^r and recall. cityscapes: the
    official AP. Paper: the one of each benchmark. Ours: coco beside it."""
    classes: Literal["all", "best"] = "all"
    """How often a mask counts. all: once for each class, its score being class probability times objectness. best:
    once, as its most probable class. Released code: all. Ours: best."""
    remove_ignored: bool = True
    """Whether pixels that the annotation ignores are taken out of the masks first. Released code: true for VOC."""
    overlap: Literal["first", "probable"] = "first"
    """Who has a contested pixel where masks may not overlap, as in the label maps of cvppp: the object that came first,
    or the most probable one. Released code: first. Ours: probable."""


class RunSection(Section):
    """One experiment: a data set, a model, and how it is trained, read out and scored."""

    dataset: str
    """A name under `datasets`."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] | None = None
    """With [0, 1, 2] the run stands for three, NAME-seed0 and so on, that differ in `train.seed` alone; a report on
    NAME has their mean and standard deviation. For `rsis` and Snakemake; DVC has no stage for each, so it stands in no
    `default`. Ours."""
    model: ModelSection
    """Architecture of the network."""
    train: TrainSection
    """How the network is trained."""
    predict: PredictSection
    """How objects are read off the network's output."""
    score: ScoreSection
    """Who judges the objects, and by which rules."""

    @model_validator(mode="after")
    def _order_suits_decoder(self) -> Self:
        if self.model.peer is not None:
            if self.train.order != "matching":
                raise ValueError(f"train.order {self.train.order} is not for peer {self.model.peer}; leave it out")
            return self
        wrong = "matching" if self.model.decoder == "pointer" else "free"
        if self.train.order == wrong:
            right = "free" if wrong == "matching" else "matching"
            raise ValueError(
                f"train.order {wrong} is not for decoder {self.model.decoder}; expected {right} or another"
            )
        return self
