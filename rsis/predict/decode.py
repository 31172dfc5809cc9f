"""Find the objects of a batch of images: run the decoder, end each sequence, make binary masks."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import assert_never

import numpy as np
import torch
from torch.nn import functional as F

from rsis.config.runs import PredictSection
from rsis.errors import UserError
from rsis.machine.precision import settle
from rsis.model.any import Network
from rsis.model.convlstm.decoder import join_steps, upsample
from rsis.model.network import RSISNetwork
from rsis.model.peers.mask_rcnn import MaskRCNNNetwork
from rsis.model.pointer.network import PointerNetwork
from rsis.model.pointer.pyramid import GRID_STRIDE, MASK_STRIDE
from rsis.model.pointer.state import Emissions
from rsis.predict.binary import Resized, Window, binary_masks, enlarged_above, least_area
from rsis.predict.patch import Patch
from rsis.structures import RSISOutput

# Steps between two looks at whether a sequence of the paper's decoder has ended: several together use the hardware
# better, and fewer are run in vain.
_STEPS_AT_ONCE = 4


@dataclass(frozen=True)
class DetectedObjects:
    """The objects that the network found in one image.

    Attributes:
        size: (H', W') of the image.
        patches: n masks at the image's own size, in the order they were emitted; none is empty.
        class_probs: float [n, K-1], among the real classes, 0..1.
        steps: int [n], the decoder steps, from 0.
        scores: float [n], how sure the network is that each is an object, 0..1.
        objectness: float [T'], of every step that was run, 0..1.
    """

    size: tuple[int, int]
    patches: tuple[Patch, ...]
    class_probs: np.ndarray
    steps: np.ndarray
    scores: np.ndarray
    objectness: np.ndarray

    @property
    def masks(self) -> np.ndarray:
        """All masks, bool [n, H', W'], made anew each time: of a large image they are gigabytes."""
        return np.array([patch.full() for patch in self.patches], bool).reshape(-1, *self.size)


@dataclass(frozen=True)
class StepOutputs:
    """The network's output for one image, before any threshold on masks.

    Attributes:
        resized: Gives the masks' probabilities, float [n, H', W'], of steps first .. first + n - 1 at a size (H', W').
        class_probs: float [T', K-1], among the real classes, 0..1.
        scores: float [T'], 0..1, see `DetectedObjects`.
        objectness: float [T'], 0..1: the sequence ends at the first step below the threshold.
    """

    resized: Resized
    class_probs: np.ndarray
    scores: np.ndarray
    objectness: np.ndarray


def find_objects(
    network: Network, images: torch.Tensor, sizes: Sequence[tuple[int, int]], section: PredictSection
) -> list[DetectedObjects]:
    """Find the objects of a batch.

    Args:
        network: In eval mode.
        images: uint8 [B, 3, H, W] on the network's device.
        sizes: Size (H', W') of the masks to return for each image.
        section: Thresholds.

    Returns:
        The objects of each image.
    """
    outputs = decode(network, images, section)
    return [read_out(output, size, section) for output, size in zip(outputs, sizes, strict=True)]


@torch.inference_mode()
def decode(network: Network, images: torch.Tensor, section: PredictSection) -> list[StepOutputs]:
    """Run the network on images uint8 [B, 3, H, W] until every sequence has ended, `num_steps` steps at most."""
    normalized = network.normalize(images).contiguous(memory_format=torch.channels_last)
    in_bf16 = settle(section.precision, images.device) == "bf16"
    with torch.autocast(images.device.type, torch.bfloat16, enabled=in_bf16):
        match network:
            case RSISNetwork():
                return _decode_convlstm(network, normalized, section)
            case PointerNetwork():
                return _decode_pointer(network, normalized, section)
            case MaskRCNNNetwork():
                return _decode_peer(network, normalized, section)
            case _ as unknown:
                assert_never(unknown)


@torch.inference_mode()
def read_out(decoded: StepOutputs, size: tuple[int, int], section: PredictSection) -> DetectedObjects:
    """Return the objects among the steps, their masks of `size` (H', W').

    Raises:
        UserError: An output is not finite.
    """
    if not all(np.isfinite(part).all() for part in (decoded.objectness, decoded.scores, decoded.class_probs)):
        raise UserError("the network's outputs are not finite; use another checkpoint, or train with a lower lr")
    # the sequence ends at the first step that says there is no object (paper, section 3.2)
    length = int((decoded.objectness >= section.objectness_threshold).cumprod().sum())
    patches = binary_masks(decoded.resized, length, size, section)
    areas = np.array([patch.area for patch in patches], np.int64)
    steps = np.flatnonzero(areas > least_area(size, section))
    kept = tuple(patches[step] for step in steps)
    return DetectedObjects(size, kept, decoded.class_probs[steps], steps, decoded.scores[steps], decoded.objectness)


def _decode_convlstm(network: RSISNetwork, images: torch.Tensor, section: PredictSection) -> list[StepOutputs]:
    state = network.start(images)
    going = torch.ones(len(images), dtype=torch.bool, device=images.device)
    outputs: list[RSISOutput] = []
    for first in range(0, section.num_steps, _STEPS_AT_ONCE):
        output, state = network.decode(state, min(_STEPS_AT_ONCE, section.num_steps - first))
        outputs.append(output)
        going &= (torch.sigmoid(output.objectness_logits) >= section.objectness_threshold).all(dim=1)
        if not bool(going.any()):
            break
    output = join_steps(outputs).float()
    probs = network.mask_probs(output, (images.shape[-2], images.shape[-1]))  # [B, T', H, W]
    classes, objectness = _class_probs(output.class_logits), _sigmoid(output.objectness_logits)
    return [
        StepOutputs(resized_by_corners(probs[b]), classes[b], objectness[b], objectness[b]) for b in range(len(images))
    ]


def _decode_pointer(network: PointerNetwork, images: torch.Tensor, section: PredictSection) -> list[StepOutputs]:
    """Run the steps; of each only its query is kept, from which its mask is made when it is asked for.

    An image takes part until its own sequence ends, so its output is the same in any batch.
    """
    state = network.start(images)
    embedding = state.features.embedding
    going = torch.arange(len(images), device=images.device)
    of_image: list[list[Emissions]] = [[] for _ in images]
    for _ in range(section.num_steps):
        emitted, state = network.decode(state, 1)
        for row, image in enumerate(going.tolist()):
            of_image[image].append(emitted.of(row))
        goes_on = torch.sigmoid(emitted.objectness_logits[:, 0]) >= section.objectness_threshold
        if not bool(goes_on.all()):
            going, state = going[goes_on], state.of(goes_on.nonzero()[:, 0])
        if len(going) == 0:
            break
    size = (images.shape[-2], images.shape[-1])
    return [
        _sequence(network, embedding[image : image + 1], join_emissions(parts), size)
        for image, parts in enumerate(of_image)
    ]


def _sequence(
    network: PointerNetwork, embedding: torch.Tensor, emitted: Emissions, size: tuple[int, int]
) -> StepOutputs:
    """Return the output for one image of this size from its embedding [1, C, H/2, W/2] and what its steps emitted."""
    return StepOutputs(
        _PointerMasks(network, embedding, emitted, size),
        _class_probs(emitted.class_logits)[0],
        _sigmoid(emitted.pointing_logits)[0],
        _sigmoid(emitted.objectness_logits)[0],
    )


def join_emissions(parts: Sequence[Emissions]) -> Emissions:
    """Return the emissions of consecutive steps of one sequence as one."""
    names = [field.name for field in fields(Emissions)]
    return Emissions(*(torch.cat([getattr(part, name) for part in parts], dim=1) for name in names))


class _PointerMasks:
    """The masks of one image, made of the queries: a sequence needs memory for its features, not for its masks."""

    def __init__(
        self,
        network: PointerNetwork,
        embedding: torch.Tensor,
        emitted: Emissions,
        size: tuple[int, int],
    ) -> None:
        self._network, self._embedding, self._size = network, embedding, size
        self._columns = embedding.shape[-1] * MASK_STRIDE // GRID_STRIDE
        self._queries, self._cells = emitted.queries[0], emitted.cells[0]

    def __call__(self, first: int, last: int, size: tuple[int, int]) -> torch.Tensor:
        return F.interpolate(self._probs(first, last)[:, None], size, mode="bilinear", align_corners=False)[:, 0]

    def window(self, step: int, size: tuple[int, int], threshold: float) -> Window:
        """Return the probabilities of a step at a size (H', W'), where they may exceed the threshold."""
        return enlarged_above(self._probs(step, step + 1)[0], size, threshold)

    def _probs(self, first: int, last: int) -> torch.Tensor:
        """Return the probabilities [n, h, w] of steps, of the image without its padding."""
        logits = self._network.pair_masks(
            self._embedding.expand(last - first, -1, -1, -1),
            self._queries[first:last],
            self._cells[first:last],
            self._columns,
        )
        probs = torch.sigmoid(logits)  # [n, H/2, W/2], of the padded image
        height, width = self._size
        if (height, width) != (MASK_STRIDE * probs.shape[-2], MASK_STRIDE * probs.shape[-1]):  # it was padded
            probs = F.interpolate(probs[:, None], scale_factor=MASK_STRIDE, mode="bilinear", align_corners=False)[:, 0]
            probs = probs[..., :height, :width]
        return probs


def _decode_peer(network: MaskRCNNNetwork, images: torch.Tensor, section: PredictSection) -> list[StepOutputs]:
    """Take the detections, the surest first, as a sequence that ends at the first one that is not sure enough."""
    most, found = section.num_steps, network(images)
    sequences = []
    for item in found:
        classes = F.one_hot(item.class_ids[:most] - 1, network.num_classes - 1).float().cpu().numpy()
        scores = item.scores[:most].float().cpu().numpy()
        sequences.append(StepOutputs(item.pasted, classes, scores, scores))
    return sequences


def _class_probs(logits: torch.Tensor) -> np.ndarray:
    """Return [B, T, K-1] among the real classes: class 0 is no class of an object, and no target has it."""
    probs: np.ndarray = logits[..., 1:].softmax(dim=-1).cpu().numpy()
    return probs


def _sigmoid(logits: torch.Tensor) -> np.ndarray:
    probs: np.ndarray = torch.sigmoid(logits).cpu().numpy()
    return probs


def resized_by_corners(probs: torch.Tensor) -> Resized:
    """Return what resizes probabilities [T, H, W] bilinearly, corner pixels on corner pixels, as the original does."""
    return lambda first, last, size: upsample(probs[first:last, None], size)[:, 0]
