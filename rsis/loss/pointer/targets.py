"""What the pointer decoder is to find in a batch: masks, centres, radii, and the cells that belong to each object."""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from rsis.structures import Batch

_CORE = 0.5  # radii from the centroid within which cells are right to point at
_INSIDE = 0.8  # radii from the centroid within which cells are not judged, whatever the mask covers there
_COVERED = 0.25  # least share of a cell that the mask of an object covers at its core


@dataclass(frozen=True)
class PointerTargets:
    """The objects of a batch on the decoder's grids; N slots as in `Batch`.

    Attributes:
        masks: float [B, N, H/2, W/2], the share of each pixel that the object covers.
        canvas_masks: float [B, N, H/4, W/4], likewise.
        valid: float [B, H/2, W/2], 0 where the annotation says nothing.
        present: bool [B, N], false in padding slots.
        class_ids: int64 [B, N].
        centres: float [B, N, 2], centroids, row and column in pixels of the image.
        radii: float [B, N], pixels: of the circle of the same area.
        core: bool [B, N, h * w], the cells that are right to point at for this object: at least one.
        inside: bool [B, N, h * w], all cells of the object, its core among them.
        distances: float [B, N, h * w], of each cell from the centroid, in radii.
        judged: bool [B, h * w], false where the annotation says nothing.
    """

    masks: torch.Tensor
    canvas_masks: torch.Tensor
    valid: torch.Tensor
    present: torch.Tensor
    class_ids: torch.Tensor
    centres: torch.Tensor
    radii: torch.Tensor
    core: torch.Tensor
    inside: torch.Tensor
    distances: torch.Tensor
    judged: torch.Tensor


def pointer_targets(batch: Batch, *, grid: tuple[int, int], grid_stride: int, mask_stride: int) -> PointerTargets:
    """Return the targets of a batch.

    The core of an object are the cells within half its radius of the centroid of which it covers a quarter, and the
    cell nearest to the centroid of those it covers so far (if there is none, the cell it covers most): also a ring or
    an object in two parts has a cell that is right.

    Args:
        batch: Of images (H, W).
        grid: (h, w), cells that cover the image; they may reach beyond it.
        grid_stride: Pixels to a cell.
        mask_stride: Pixels of the image to one of the masks.
    """
    height, width = batch.target_masks.shape[-2:]
    down, across = grid[0] * grid_stride - height, grid[1] * grid_stride - width
    whole = F.pad(batch.target_masks.view(torch.uint8), (0, across, 0, down))
    counts = _block_sums(whole, mask_stride)
    canvas_counts = _block_sums(counts, 2)
    present = torch.arange(whole.shape[1], device=whole.device) < batch.num_instances[:, None]
    of_rows = whole.sum(dim=3, dtype=torch.int32).float()  # [B, N, H]
    of_columns = whole.sum(dim=2, dtype=torch.int32).float()  # [B, N, W]
    area = of_rows.sum(dim=2).clamp(min=1e-6)  # pixels
    rows, columns = (torch.arange(sums.shape[2], device=whole.device) + 0.5 for sums in (of_rows, of_columns))
    centres = torch.stack([(of_rows @ rows) / area, (of_columns @ columns) / area], dim=2)
    radii = (area / math.pi).sqrt().clamp(min=1.0)

    covered = _block_sums(canvas_counts, grid_stride // (2 * mask_stride)).float() / grid_stride**2  # [B, N, h, w]
    cell_rows, cell_columns = ((torch.arange(length, device=whole.device) + 0.5) * grid_stride for length in grid)
    offsets = (cell_rows[:, None] - centres[..., 0, None, None]) ** 2 + (
        cell_columns - centres[..., 1, None, None]
    ) ** 2
    distances = offsets.sqrt() / radii[..., None, None]
    core = (distances < _CORE) & (covered > _COVERED)
    inside = (distances < _INSIDE) | (covered > 0)
    best = (covered.clamp(max=_COVERED) * 1e6 - distances).flatten(2).argmax(dim=2, keepdim=True)
    core = core.flatten(2).scatter(2, best, value=True) & present[..., None]
    valid = F.avg_pool2d(F.pad(batch.valid[:, None].float(), (0, across, 0, down), value=1.0), mask_stride)
    return PointerTargets(
        masks=counts.float() / mask_stride**2,
        canvas_masks=canvas_counts.float() / (2 * mask_stride) ** 2,
        valid=(valid > 0.5).float()[:, 0],
        present=present,
        class_ids=batch.class_ids,
        centres=centres,
        radii=radii,
        core=core,
        inside=(inside.flatten(2) & present[..., None]) | core,
        distances=distances.flatten(2),
        judged=(F.avg_pool2d(valid, grid_stride // mask_stride) > 0.5).flatten(1),
    )


def _block_sums(counts: torch.Tensor, size: int) -> torch.Tensor:
    """Return the sums of blocks of `size` x `size`, a power of 2, of uint8 [..., H, W]; none may exceed 255.

    Whole numbers are exact, and a byte a pixel takes a fraction of the time of pooling float32.
    """
    while size > 1:
        counts = counts[..., 0::2, :] + counts[..., 1::2, :]
        counts = counts[..., 0::2] + counts[..., 1::2]
        size //= 2
    return counts
