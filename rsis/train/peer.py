"""A training step of Mask R-CNN: our batch as torchvision's targets, torchvision's losses under our names.

All weights and epochs of `train.objective` and `train.curriculum` are for our own networks: the total is the plain sum
of torchvision's five losses from the first step on. Several processes each divide by the counts of their own part of a
batch, as torchvision does: their figures are not those of one process to the last digits, as with our own networks.
"""

import torch
from torchvision.ops import masks_to_boxes

from rsis.model.peers.mask_rcnn import MaskRCNNNetwork
from rsis.structures import Batch, Losses

_VALIDATION_SEED = 0


def peer_losses(network: MaskRCNNNetwork, images: torch.Tensor, batch: Batch) -> Losses:
    """Return the losses of a batch.

    torchvision draws the anchors and proposals that count. In eval mode the draw is the same for equal batches, and
    nothing of the global generators is used up.

    Args:
        network: In training mode, or in eval mode for a validation.
        images: float [B, 3, H, W], normalised.
        batch: The targets.
    """
    found = targets(batch)
    if network.training:
        terms = network.losses(images, found)
    else:
        devices = [images.device] if images.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(_VALIDATION_SEED)
            terms = network.losses(images, found)
    return Losses(
        total=torch.stack([term.float() for term in terms.values()]).sum(),
        mask=terms["loss_mask"],
        class_=terms["loss_classifier"],
        stop=terms["loss_objectness"],
        box=terms["loss_box_reg"] + terms["loss_rpn_box_reg"],
    )


@torch.no_grad()
def targets(batch: Batch) -> list[dict[str, torch.Tensor]]:
    """Return torchvision's targets of each image: boxes float [n, 4], labels int64 [n], masks uint8 [n, H, W].

    Boxes end at the edges of the objects' outermost pixels (`rsis.model.peers.mask_rcnn` has the coordinates).
    torchvision cannot leave pixels out of a loss, so where the annotation says nothing there is no object: masks are
    0 there, and an object that lies there altogether is dropped, as one without a pixel is.
    """
    found = []
    for masks, classes, valid in zip(batch.target_masks, batch.class_ids, batch.valid, strict=True):
        known = masks & valid
        there = known.flatten(1).any(dim=1)
        known = known[there]
        boxes = masks_to_boxes(known)
        edges = boxes.new_tensor([-0.5, -0.5, 0.5, 0.5])
        found.append({"boxes": boxes + edges, "labels": classes[there], "masks": known.to(torch.uint8)})
    return found
