"""The section `train` of a run in params.yaml: optimization, augmentation, objective, curriculum.

What the words "Paper", "Released code" and "Ours" stand for says `rsis.config.runs`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsis.config.types import Count, Epoch, Fraction, NonNegative, Positive, Section, Seed, Size, Steps

Rate = Annotated[float, Field(gt=0, le=1000)]
Extent = Annotated[float, Field(ge=0.01, le=100)]


class AugmentSection(Section):
    """Joint augmentation of image and instance map; the defaults change nothing."""

    flip: bool = False
    """Whether to mirror left and right, with probability 0.5. Paper: true."""
    flip_vertical: bool = False
    """Whether to mirror top and bottom, with probability 0.5. Ours."""
    transpose: bool = False
    """Whether to exchange rows and columns, with probability 0.5. Ours."""
    rotation: Annotated[float, Field(ge=0, le=360)] = 0.0
    """Largest angle to either side, in degrees. Paper: 10."""
    shift: Fraction = 0.0
    """Largest shift in each direction, as a fraction of the image's side. Paper: 0.1."""
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0
    """Largest angle to either side, in degrees. Paper: 0.1."""
    zoom: tuple[Extent, Extent] = (1.0, 1.0)
    """Least and largest factor; below 1 it magnifies. Paper: 0.7 to 1.4 for VOC, 0.7 to 1 for CVPPP."""
    aspect: Annotated[float, Field(ge=0, le=2)] | None = None
    """The factors of height and width differ by up to exp(2 * value), and the zoom is drawn on a scale of logarithms;
    null draws one factor for each. Released code: null. Ours: the numbers."""
    anywhere: bool = False
    """Whether a magnified view is taken anywhere in the image, not about its centre. Ours."""
    border: Literal["repeat", "mirror"] = "repeat"
    """What lies beyond the image. repeat: its last pixels. mirror: its mirror image, with the mirrored objects as
    objects of their own. Released code: repeat. Ours: mirror."""
    size: Size | None = None
    """Height and width of the augmented images, in pixels; null leaves that of the data set. Prediction has the data
    set's size. Ours."""
    brightness: Fraction = 0.0
    """Largest change to either side, as a fraction. Ours."""
    contrast: Fraction = 0.0
    """Largest change to either side, as a fraction. Ours."""
    tint: Fraction = 0.0
    """Largest change of each colour channel by itself to either side, as a fraction. Ours."""
    gamma: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Values, 0..1, are taken to the power of exp(-value) to exp(value). Ours."""
    noise: Fraction = 0.0
    """Largest deviation of the noise that is added to every second image, as a fraction of the image's own. Ours."""
    grey: Fraction = 0.0
    """Fraction of the images that lose their colours. Ours."""
    invert: Fraction = 0.0
    """Fraction of the images whose values are inverted. Ours."""


class ObjectiveSection(Section):
    """Weights of the loss terms and when each starts (paper, section 3.3).

    A term starts at its epoch, or earlier when the validation loss has not improved for its patience;
    an epoch of null means by patience alone, and null for both means never. The mask term is always in force:
    without it no mask is learnt.
    """

    mask_weight: Positive = 1.0
    """Weight of the mask term. Paper, section 3.3: 1."""
    class_weight: NonNegative = 0.1
    """Weight of the class term, the paper's lambda. Paper, section 3.3: 0.1."""
    class_from_epoch: Epoch | None = None
    """Epoch, counted from 0, at which the class term starts. Paper, section 3.3: 20. Released code: 20 for VOC, 60 for
    Cityscapes, never for CVPPP."""
    class_patience: Count | None = None
    """Validations without improvement that start the class term earlier. Released code."""
    stop_weight: NonNegative = 0.5
    """Weight of the objectness term, the paper's gamma. Paper, section 3.3: 0.5 for VOC, 0.1 for CVPPP, 1 for
    Cityscapes. Released code: 0.5 for Cityscapes."""
    stop_from_epoch: Epoch | None = None
    """Epoch, counted from 0, at which the objectness term starts. Ours: the paper waits for convergence, see
    `stop_patience`."""
    stop_patience: Count | None = None
    """Validations without improvement that start the objectness term earlier. Paper, section 3.3: after convergence.
    Ours: the number."""
    stop_balance: Fraction = 0.5
    """Fraction of the objectness term's weight that the step after the last object has. Released code: 0.5."""
    box_weight: NonNegative = 1.0
    """Weight of the box term, with `box_head`. Paper: its fourth version. Ours: the number, which is not known."""
    pointing_weight: NonNegative = 1.0
    """Weight of the pointing term of decoder pointer. Ours."""
    geometry_weight: NonNegative = 0.2
    """Weight of the term for centre and size of decoder pointer. Ours."""
    mask_pairs: Count | None = None
    """Objects of a batch whose masks enter the loss of decoder pointer, drawn at random; null takes all. Ours."""
    own_canvas: Fraction = 0.5
    """Fraction of the images that decoder pointer is trained on with its own masks on the canvas, not the true ones.
    Ours."""
    own_canvas_ramp: Fraction = 0.3
    """Fraction of the training over which `own_canvas` rises from 0. Ours."""


class CurriculumSection(Section):
    """Growing number of decoder steps: from `start`, one more each `every` epochs or at a plateau."""

    start: Count = 2
    """Steps at first. Paper, section 3.3: 2."""
    every: Count | None = None
    """Epochs until there is one step more. Ours."""
    patience: Count | None = None
    """Validations without improvement until there is one step more. Paper, section 3.3: at a plateau. Released code: 25
    for Cityscapes, 30 for CVPPP."""
    stop_after: Epoch = 5
    """The objectness term waits until there are more steps than these. Paper, section 3.3: 5."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.every is None and self.patience is None:
            raise ValueError("one of every, patience must be a number, or the sequence never grows")
        return self


class TrainSection(Section):
    """How a run is trained: two learning rates as in the paper (section 4.1), and what it leaves open."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Passes over the training images; `minutes` may take its place. Ours: neither the paper nor its code tells."""
    minutes: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """Time to train for in place of `epochs`, without validation: minutes of one core's work on a CPU, elapsed minutes
    on a GPU. Such a training cannot be repeated bit for bit. Ours."""
    batch_size: Count
    """Images of an optimizer's step, over all devices together. Released code: 28 for VOC, 20 for CVPPP, 32 for
    Cityscapes."""
    num_steps: Steps
    """T, the most steps of the decoder, at most `max_instances`. Paper: 10 for VOC, 20 for the others."""
    max_instances: Steps = 20
    """Objects of an image that are kept, the largest ones. Paper: 20."""
    seed: Seed = 0
    """Of initialisation, order of the images, augmentation and dropout. Ours."""
    workers: Annotated[int, Field(ge=0, le=256)] = 2
    """Processes that load data on each device; with 0 the training process does. Changes no result. Ours."""
    devices: Count = 1
    """GPUs of each node or, without any, processes. They share `batch_size`; learning rates stay as they are. Ours, see
    workflow/README.md."""
    nodes: Count = 1
    """Machines that train together. Ours, see workflow/README.md."""
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    """Number format of the computation. auto: bf16 where that is faster, as measured at the first start; a training
    that goes on keeps to it. Ours."""
    optimizer: Literal["adam", "adamw", "sgd", "muon"] = "adam"
    """How the weights are changed. sgd has a momentum of 0.9; muon makes orthogonal updates of the convolutions'
    kernels and is adamw for the rest.
    Paper: adam. Ours: the others."""
    lr: Rate
    """Learning rate of decoder and skip connections. Paper, section 4.1: 1e-3."""
    lr_encoder: Annotated[float, Field(ge=0, le=1000)]
    """Learning rate of the backbone. Paper, section 4.1: 1e-6."""
    lr_kernels: Rate | None = None
    """With muon, and only then: learning rate of the kernels of decoder and skip connections; those of the backbone
    have lr_kernels * lr_encoder / lr. Ours."""
    lr_schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    """How the learning rates change over all epochs. Paper: constant. Ours: the others."""
    weight_decay: NonNegative = 0.0
    """Of adam and sgd a part of the gradient (L2); of adamw and muon it shrinks the weights directly. Paper: 1e-6."""
    clip_norm: Positive | None = None
    """Largest norm of the gradient, which is scaled down to it; null leaves it as it is. Paper: null. Ours: the
    numbers."""
    order: Literal["matching", "free", "size", "left_to_right", "random"] = "matching"
    """Which object a step answers for. matching: that of the least total cost, for decoder convlstm. free: the one that
    the step points at, for decoder pointer. size: the largest first. left_to_right: by column. random: another order
    for every augmented view. Paper, section 3.3: matching. Ours: the others."""
    checkpoint_steps: Count | None = None
    """Steps whose inner values are kept at a time; the others are computed again in the backward pass. Memory grows
    half as fast with T, and time by 20 to 30 %; null keeps all. For decoder convlstm. Changes no result. Ours."""
    augment: AugmentSection = AugmentSection()
    """Random changes to image and masks together; without it, none."""
    objective: ObjectiveSection = ObjectiveSection()
    """Weights of the loss terms; without it, masks alone are learnt."""
    curriculum: CurriculumSection | None = None
    """Growing number of steps; null runs all of them from the beginning."""
    encoder_from_epoch: Epoch = 0
    """Epoch, counted from 0, before which the backbone is frozen. Paper: 20 for Cityscapes, 0 for the others."""
    validate_every: Count = 1
    """Epochs between validations; after the last epoch there is always one. Ours."""
    min_delta: NonNegative = 0.0
    """A validation loss is an improvement when it falls by more than this. Ours."""
    patience: Count | None = None
    """Validations without improvement that end the training; null never does. Ours."""
    keep: Literal["best", "last"] = "best"
    """Which weights become the result: those of the best validation since the objective last changed, or the last.
    Released code: best. Ours: last."""
    average_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of an exponential moving average of the weights, which is then validated and kept; null for none. It
    reaches back over a tenth of the training, on average, where the decay alone would reach further. Ours."""

    @model_validator(mode="after")
    def _numbers_agree(self) -> Self:
        if (self.epochs is None) == (self.minutes is None):
            raise ValueError("one of epochs, minutes says how long it trains; give one and leave out the other")
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
