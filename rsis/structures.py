"""Frozen dataclasses that modules pass to each other, with documented shapes.

Axis letters, used in every shape comment of the package:

    B  images in a batch
    T  decoder steps, one object each
    N  object slots of a batch (the largest number of objects in an image, at most `max_instances`)
    K  classes, including class 0 = "end of sequence"
    C  channels
    H, W  rows and columns of the network's input; h, w: of the decoder's output

Class ids are contiguous and differ from the data set's category ids: 1..K-1 are the data set's classes, 0 is never
an object. Sizes are (H, W). Fractions are 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # the scorers read this module and must not need torch
    import numpy as np
    import torch


DropReason = Literal["crowd", "box without outline", "cannot be drawn", "empty mask", "hidden by others"]
"""Why an annotation of an image is not one of its objects.

"crowd" marks a region that is ignored, "box without outline" a box alone, "cannot be drawn" an outline of fewer than
three points or a broken mask, "empty mask" a mask without pixels, "hidden by others" an object all of whose pixels
belong to smaller objects.
"""


@dataclass(frozen=True)
class RawSample:
    """One image of a data set with its objects, as a reader returns it.

    Attributes:
        image: uint8 [H, W, 3], RGB.
        instance_map: int32 [H, W], 0 = background, 1..N consecutive, one value per object.
        class_ids: int64 [N], class of objects 1..N, each in 1..K-1.
        ignore_mask: bool [H, W], true on pixels without annotation (void, crowd).
        image_id: Name of the image, unique in its split.
        dropped: For each annotation that is not an object, in the order of the annotations, the reason.
        drop_details: For each of `dropped`, which annotation it is and what was found there; empty where a format has
            nothing to add.
        frame_is_assumed: Whether the picture is turned by its EXIF orientation, and nothing but the data set's key
            `annotated` says whether the annotation was drawn on the turned picture.
    """

    image: np.ndarray
    instance_map: np.ndarray
    class_ids: np.ndarray
    ignore_mask: np.ndarray
    image_id: str
    dropped: tuple[DropReason, ...] = ()
    drop_details: tuple[str, ...] = ()
    frame_is_assumed: bool = False


@dataclass(frozen=True)
class Batch:
    """Training images and their objects, largest object first unless `train.order` says otherwise.

    Attributes:
        images: uint8 [B, 3, H, W], RGB.
        target_masks: bool [B, N, H, W]; rows from `num_instances` on are empty padding.
        class_ids: int64 [B, N], 1..K-1; 0 in padding rows.
        num_instances: int64 [B], objects of each image, 0..N.
        valid: bool [B, H, W], false on pixels without annotation.
    """

    images: torch.Tensor
    target_masks: torch.Tensor
    class_ids: torch.Tensor
    num_instances: torch.Tensor
    valid: torch.Tensor

    def to(self, device: torch.device, non_blocking: bool = False) -> Batch:
        """Return the batch with every tensor on `device`."""
        return Batch(*(getattr(self, f.name).to(device, non_blocking=non_blocking) for f in fields(self)))

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory, for asynchronous copies to a GPU."""
        return Batch(*(getattr(self, f.name).pin_memory() for f in fields(self)))


@dataclass(frozen=True)
class RSISOutput:
    """The output of the network at each of its T steps.

    Attributes:
        mask_logits: float [B, T, h, w] at the decoder's resolution (twice that of the last ConvLSTM).
        class_logits: float [B, T, K].
        objectness_logits: float [B, T], high = there is an object at this step.
        boxes: float [B, T, 4], the box (top, left, bottom, right) of each step's mask in fractions 0..1 of the
            image's height and width; None without a box head.
    """

    mask_logits: torch.Tensor
    class_logits: torch.Tensor
    objectness_logits: torch.Tensor
    boxes: torch.Tensor | None = None

    def float(self) -> RSISOutput:
        """Return the output with every tensor in float32."""
        boxes = None if self.boxes is None else self.boxes.float()
        return RSISOutput(self.mask_logits.float(), self.class_logits.float(), self.objectness_logits.float(), boxes)


@dataclass(frozen=True)
class Losses:
    """Scalar loss terms of a batch: `total` is the weighted sum of the other, unweighted terms.

    A peer computes its terms in its own way; `rsis.train.peer` says which stands for which.

    Attributes:
        total: The loss that the optimiser minimises.
        mask: Mean of 1 - soft IoU over matched pairs, 0..1.
        class_: Mean negative log likelihood of the matched objects' classes.
        stop: Mean balanced binary cross-entropy of the objectness (the paper's stop branch).
        box: Mean squared error of the matched objects' boxes; None without a box head.
        pointing: Loss of where the steps point; None without the pointer decoder.
        geometry: Loss of the objects' centres and sizes; None without the pointer decoder.
    """

    total: torch.Tensor
    mask: torch.Tensor
    class_: torch.Tensor
    stop: torch.Tensor
    box: torch.Tensor | None = None
    pointing: torch.Tensor | None = None
    geometry: torch.Tensor | None = None
