"""torchvision's Mask R-CNN (He et al. 2017), at the size that images were prepared at.

What is not torchvision's default:

    images        as they come: not resized a second time, normalised as our own networks' are
    anchors       8, 16, 32, 64, 128 pixels, twice the stride of the level of the feature pyramid that they belong to;
                  torchvision's are four times as large, for images of 800 x 1333
    backbone      its BatchNorm learns and no layer is frozen, with and without pretrained weights
    detections    200 of an image at most, not 100
    proposals     500 of an image in training, of which 128 are judged, not 2000 and 512: images of a few hundred pixels
                  with some twenty objects need no more, and a training step takes a third of the time
    masks         put back to where they were read from to the fraction of a pixel; torchvision rounds boxes to whole
                  pixels

In torchvision's coordinates the centre of the first pixel is (0, 0): an object of one pixel there has the box
(-0.5, -0.5, 0.5, 0.5), in its order of x before y.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.image_list import ImageList

from rsis.config.runs import ModelSection
from rsis.model.backbone_weights import load_backbone_weights
from rsis.model.normalization import normalize

_PROPOSALS, _JUDGED = 500, 128
MOST_DETECTIONS = 200
_DEEPEST_STRIDE = 32  # of the backbone
_ANCHORS = tuple((2 * stride,) for stride in (4, 8, 16, 32, 64))
_RATIOS = (0.5, 1.0, 2.0)  # height over width, torchvision's


@dataclass(frozen=True)
class Detections:
    """The detections of one image, the surest first.

    Attributes:
        boxes: float [n, 4], x0, y0, x1, y1 in pixels of the network's input, see the top of this file.
        class_ids: int64 [n], 1..K-1.
        scores: float32 [n], 0..1.
        mask_probs: float32 [n, 1, 28, 28], 0..1, over the box, also of a network in bfloat16.
        size: (H, W) of the network's input.
    """

    boxes: torch.Tensor
    class_ids: torch.Tensor
    scores: torch.Tensor
    mask_probs: torch.Tensor
    size: tuple[int, int]

    def pasted(self, first: int, last: int, size: tuple[int, int]) -> torch.Tensor:
        """Return the probabilities [last - first, H', W'] of detections first .. last - 1 on an image of `size`.

        A pixel is read where its centre falls in the box, bilinearly; outside of the box it is 0.
        """
        axes = []
        for axis, (length, own) in enumerate(zip(size, self.size, strict=True)):
            start, end = (self.boxes[first:last, corner - axis, None] for corner in (1, 3))
            centres = torch.arange(length, dtype=start.dtype, device=start.device) + 0.5
            axes.append(((centres * (own / length) - 0.5) - start) / (end - start))  # [n, length], 0..1 in the box
        rows, columns = axes
        grid = torch.stack(  # [n, H', W', 2], -1..1 in the box
            [2 * columns[:, None, :].expand(-1, *size) - 1, 2 * rows[:, :, None].expand(-1, *size) - 1], dim=-1
        )
        probs = F.grid_sample(self.mask_probs[first:last], grid, padding_mode="border", align_corners=False)[:, 0]
        inside = [(axis >= 0) & (axis <= 1) for axis in axes]
        return probs * (inside[0][:, :, None] & inside[1][:, None, :])


class _PreciseBoxCoder(BoxCoder):
    """torchvision's, in float32: bf16 has no fractions of a pixel beyond 128, and a small box there loses its width."""

    def decode(self, rel_codes: torch.Tensor, boxes: list[torch.Tensor]) -> torch.Tensor:
        """Return the boxes float32 [M, C, 4] of codes [M, 4 * C] about reference boxes."""
        decoded: torch.Tensor = super().decode(rel_codes.float(), boxes)
        return decoded


class MaskRCNNNetwork(nn.Module):
    """torchvision's Mask R-CNN with a feature pyramid.

    Args:
        section: The architecture; `peer` is mask_rcnn.
        num_classes: K, the data set's classes and class 0, here the background.
        pretrained: Whether to read `section.weights`, those of the backbone; false when a checkpoint fills the network
            anyway.
    """

    no_kernels = ("detector.rpn.head.cls_logits.", "detector.rpn.head.bbox_pred.", "detector.roi_heads.mask_predictor.")
    """Names of convolutions whose kernels are heads: Muon is not for them."""

    def __init__(self, section: ModelSection, num_classes: int, *, pretrained: bool = True) -> None:
        super().__init__()
        self.normalization, self.num_classes = section.normalization, num_classes
        pyramid = resnet_fpn_backbone(
            backbone_name=section.backbone, weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
        )
        if pretrained and section.weights is not None:
            load_backbone_weights(pyramid.body, section.backbone, section.weights)
        self.detector = MaskRCNN(
            pyramid,
            num_classes,
            rpn_anchor_generator=AnchorGenerator(_ANCHORS, (_RATIOS,) * len(_ANCHORS)),
            rpn_post_nms_top_n_train=_PROPOSALS,
            box_batch_size_per_image=_JUDGED,
            box_detections_per_img=MOST_DETECTIONS,
        )
        self.detector.transform = _AsPrepared()
        self.detector.rpn.box_coder = _PreciseBoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self.detector.roi_heads.box_coder = _PreciseBoxCoder(weights=(10.0, 10.0, 5.0, 5.0))

    @property
    def backbone(self) -> nn.Module:
        """The part that has a learning rate of its own and may be frozen."""
        body: nn.Module = self.detector.backbone.body
        return body

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """Return uint8 RGB images [B, 3, H, W] as this network wants them, float32."""
        return normalize(images, kind=self.normalization)

    def losses(self, images: torch.Tensor, targets: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        """Return torchvision's losses of normalised images [B, 3, H, W], whatever mode the network is in.

        In eval mode BatchNorm normalises by what it has learnt, and learns nothing.

        Args:
            images: See above.
            targets: Of each image boxes, labels and masks, as torchvision wants them.
        """
        with self._asked_for_losses():
            losses: dict[str, torch.Tensor] = self.detector(list(images), list(targets))
        return losses

    def forward(self, images: torch.Tensor) -> list[Detections]:
        """Return the detections in normalised images [B, 3, H, W], in eval mode."""
        size = (images.shape[-2], images.shape[-1])
        found = self.detector(list(images))
        return [
            Detections(item["boxes"], item["labels"], item["scores"].float(), item["masks"].float(), size)
            for item in (_surest_first(item) for item in found)
        ]

    @contextmanager
    def _asked_for_losses(self) -> Iterator[None]:
        """Put those parts of the detector in training mode that give losses in it and detections otherwise."""
        parts = (self.detector, self.detector.rpn, self.detector.roi_heads)
        before = self.training
        try:
            for part in parts:
                part.training = True
            yield
        finally:
            for part in parts:
                part.training = before


class _AsPrepared(nn.Module):
    """Stands where torchvision normalises and resizes images, and pastes masks: of that only padding is done."""

    def forward(self, images: Sequence[torch.Tensor], targets: Any = None) -> tuple[ImageList, Any]:
        stacked = torch.stack(list(images))  # [B, 3, H, W]
        size = (stacked.shape[-2], stacked.shape[-1])
        down, across = (-length % _DEEPEST_STRIDE for length in size)
        padded = F.pad(stacked, (0, across, 0, down)).contiguous(memory_format=torch.channels_last)
        return ImageList(padded, [size] * len(stacked)), targets

    def postprocess(self, found: Any, *_: Any) -> Any:
        return found


def _surest_first(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    order = found["scores"].argsort(descending=True, stable=True)
    return {key: values[order] for key, values in found.items()}
