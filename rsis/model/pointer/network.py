"""The network with the pointer decoder: one object after another, each at the place that its step points at.

The paper's recurrence keeps what was emitted in its hidden state alone, and segments each object from the whole image.
Here a step sees a canvas of all masks and points emitted so far, points at one cell of a grid, reads the features
there, and emits a small network for the mask of that one object (docs/network.md).
"""

import torch
from torch import nn
from torch.nn import functional as F

from rsis.config.runs import ModelSection
from rsis.model.normalization import normalize
from rsis.model.pointer.canvas import Canvas, points_of
from rsis.model.pointer.mask_head import MaskHead
from rsis.model.pointer.pyramid import MASK_STRIDE, Features, Pyramid
from rsis.model.pointer.recurrence import Glance, Recurrence, pick
from rsis.model.pointer.state import Emissions, PointerState
from rsis.structures import RSISOutput

_READ_WIDTH = 128
_CANVAS_STRIDE = 4


class Decoder(nn.Module):
    """All of the network behind the encoder.

    Args:
        encoder: Whose features it reads.
        hidden_width: D, channels of the recurrence.
        embedding_width: C, channels of the pixel embedding.
        num_classes: K, with class 0.
    """

    def __init__(self, encoder: Pyramid, hidden_width: int, embedding_width: int, num_classes: int) -> None:
        super().__init__()
        features = encoder.grid_width
        self.recurrence = Recurrence(features + encoder.coordinate_width, features, hidden_width)
        self.mask_head = MaskHead(embedding_width)
        self.read = nn.Linear(2 * hidden_width + features + encoder.fine_width, _READ_WIDTH)
        self.query = nn.Linear(_READ_WIDTH, self.mask_head.query_width)
        self.class_head = nn.Linear(_READ_WIDTH, num_classes)
        self.objectness_head = nn.Linear(_READ_WIDTH + 2 * hidden_width, 1)
        nn.init.normal_(self.query.weight, std=0.02)
        with torch.no_grad():
            self.query.bias.copy_(self.mask_head.initial_query())

    def emit(
        self, features: Features, seen: torch.Tensor, maxima: torch.Tensor, cells: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return queries [B, T, Q], class logits [B, T, K] and objectness logits [B, T], all float32.

        Args:
            features: Of the images.
            seen: float [B, T, 2D], `Glance.at` of each step.
            maxima: float [B, T, 2D], of each step.
            cells: int64 [B, T], where each step points.
        """
        there = [seen, pick(features.grid, cells), pick(features.fine, cells)]
        read = F.relu(self.read(torch.cat(there, dim=2)))
        objectness = self.objectness_head(torch.cat([read, maxima.to(read.dtype)], dim=2))[..., 0]
        return self.query(read).float(), self.class_head(read).float(), objectness.float()


class PointerNetwork(nn.Module):
    """Recurrent instance segmentation by pointing.

    Args:
        section: The architecture; `decoder` is pointer.
        num_classes: K, the data set's classes and class 0.
        pretrained: Whether to read `section.weights`; false when a checkpoint fills the network anyway.
    """

    no_kernels = ("decoder.recurrence.pointing.", "encoder.embedding.")
    """Names of convolutions whose kernels are heads: Muon is not for them."""

    def __init__(self, section: ModelSection, num_classes: int, *, pretrained: bool = True) -> None:
        super().__init__()
        self.normalization = section.normalization
        self.stride = max(16, section.stride)
        self.encoder = Pyramid(
            section.backbone,
            section.weights if pretrained else None,
            stride=self.stride,
            embedding_width=section.embedding_width,
            coordinates=section.coordinates,
        )
        self.decoder = Decoder(self.encoder, section.hidden_width, section.embedding_width, num_classes)

    def forward(self, images: torch.Tensor, num_steps: int) -> RSISOutput:
        """Run T steps on normalised images.

        Args:
            images: float [B, 3, H, W], of any size.
            num_steps: T, at least 1.

        Returns:
            Masks of half the images' size, both padded at the lower and right edge to a multiple of the encoder's
            stride (`mask_probs` takes that off).
        """
        state = self.start(images)
        emissions, state = self.decode(state, num_steps)
        masks = self.masks(state.features, emissions.queries, emissions.cells)
        return RSISOutput(masks, emissions.class_logits, emissions.objectness_logits)

    @property
    def backbone(self) -> nn.Module:
        """The part that has a learning rate of its own and may be frozen."""
        return self.encoder.backbone

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """Return uint8 RGB images [B, 3, H, W] as this network wants them, float32."""
        return normalize(images, kind=self.normalization)

    def start(self, images: torch.Tensor) -> PointerState:
        """Run the encoder on normalised images [B, 3, H, W]; return the state before the first step."""
        down, across = (-length % self.stride for length in images.shape[-2:])
        features: Features = self.encoder(F.pad(images, (0, across, 0, down)))
        return PointerState(features, self.decoder.recurrence.drive(features), Canvas.empty(features.grid), None)

    def glance(self, state: PointerState) -> Glance:
        """Look at the grid: the first half of a step."""
        glance: Glance = self.decoder.recurrence(state.drive, state.canvas, state.memory)
        return glance

    def decode(self, state: PointerState, num_steps: int) -> tuple[Emissions, PointerState]:
        """Run `num_steps` steps from `state` on, each at the cell with the largest logit.

        Objectness is half the step's own logit and half its cell's. The one knows how many objects there are, the
        other whether there is one at this place: where either is wrong by itself, a sequence goes on for many steps or
        ends too soon (docs/network.md).

        Returns:
            What the steps emitted and the state after them.
        """
        cells, logits, emitted = [], [], []
        for _ in range(num_steps):
            glance = self.glance(state)
            cell = glance.logits.argmax(dim=1)
            features = state.features
            query, class_logits, objectness = self.decoder.emit(
                features, glance.at(cell)[:, None], glance.maxima[:, None], cell[:, None]
            )
            logit = glance.logits.gather(1, cell[:, None])[:, 0]
            cells.append(cell)
            logits.append(logit)
            emitted.append((query[:, 0], class_logits[:, 0], (objectness[:, 0] + logit) / 2))
            state = self.advance(state, glance, cell, torch.sigmoid(self.canvas_masks(features, query[:, 0], cell)))
        queries, class_logits, objectness = (torch.stack(values, dim=1) for values in zip(*emitted, strict=True))
        return Emissions(torch.stack(cells, 1), torch.stack(logits, 1), queries, class_logits, objectness), state

    def advance(
        self,
        state: PointerState,
        glance: Glance,
        cells: torch.Tensor,
        masks: torch.Tensor,
        present: float | torch.Tensor = 1.0,
    ) -> PointerState:
        """Return the state after a step.

        Args:
            state: Before it.
            glance: Its first half.
            cells: int64 [B], where it pointed.
            masks: float [B, H/4, W/4], the mask that goes on the canvas, 0..1.
            present: float [B, 1, 1], 0 for images whose sequence has ended: nothing of them goes on the canvas.
        """
        size = (state.features.grid.shape[-2], state.features.grid.shape[-1])
        canvas = state.canvas.add(masks * present, points_of(cells, size) * present)
        return PointerState(state.features, state.drive, canvas, glance.memory)

    def canvas_masks(self, features: Features, queries: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        """Return the logits [B, H/4, W/4] of one mask for each image, as the canvas keeps it; see `masks`."""
        head = self.decoder.mask_head
        geometry = head.geometry(queries, cells, features.grid.shape[-1])
        logits: torch.Tensor = head(features.coarse_embedding, queries, geometry, _CANVAS_STRIDE)
        return logits

    def masks(self, features: Features, queries: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        """Return the logits [B, T, H/2, W/2] of the masks of queries [B, T, Q] at cells [B, T]."""
        count = queries.shape[1]
        embedding = features.embedding.repeat_interleave(count, dim=0)
        flat = self.pair_masks(embedding, queries.flatten(0, 1), cells.flatten(), features.grid.shape[-1])
        return torch.unflatten(flat, 0, (-1, count))

    def pair_masks(
        self, embedding: torch.Tensor, queries: torch.Tensor, cells: torch.Tensor, columns: int
    ) -> torch.Tensor:
        """Return the logits [M, H/2, W/2] of queries [M, Q] at cells [M], each on an embedding [M, C, H/2, W/2].

        Args:
            embedding: Of the image of each query.
            queries: What steps emitted.
            cells: Where they pointed.
            columns: w, of the grid.
        """
        head = self.decoder.mask_head
        logits: torch.Tensor = head(embedding, queries, head.geometry(queries, cells, columns), MASK_STRIDE)
        return logits

    def mask_probs(self, output: RSISOutput, size: tuple[int, int]) -> torch.Tensor:
        """Return the masks' probabilities [B, T, H, W] at the size (H, W) of the images."""
        full = F.interpolate(output.mask_logits, scale_factor=MASK_STRIDE, mode="bilinear", align_corners=False)
        return torch.sigmoid(full[..., : size[0], : size[1]])
