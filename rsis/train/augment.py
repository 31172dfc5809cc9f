"""Joint augmentation of an image, its instance map and its ignore mask.

The affine map is that of the original implementation: its parameters (see `affine_matrix`) are uniform in their
ranges, it maps output to input coordinates about the image's centre, and positions outside the image take the
nearest border pixel, in the image and in the maps. The image is resampled bilinearly; the original takes the nearest
pixel. torchvision's affine takes no matrix, has one zoom for both axes and cannot repeat the border, so `warp` replaces
it.
"""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.transforms.v2 import functional

from rsis.config.runs import AugmentSection

Sample = tuple[Tensor, Tensor, Tensor]


class JointAugment:
    """Random flips, transpose and affine map, the same for image and maps; random brightness and contrast.

    Every random number comes from torch's global generator, so `torch.manual_seed` determines the result.
    An augmentation that is left at its default is off and draws no random number.

    Args:
        section: Which augmentations are on, and their ranges. Each flip and the transpose has probability 1/2.
            `rotation` and `shear` are in degrees, `shift` in fractions of height and width, each drawn from -value to
            value. `zoom` is the range of the input extent that fills the output: below 1 magnifies.
            `brightness` and `contrast` scale by a factor from 1 - value to 1 + value.
    """

    def __init__(self, section: AugmentSection) -> None:
        self.section = section
        self._moves = section.rotation > 0 or section.shift > 0 or section.shear > 0 or section.zoom != (1.0, 1.0)

    def __call__(self, image: Tensor, instance_map: Tensor, ignore_mask: Tensor) -> Sample:
        """Return the augmented sample; shapes and dtypes stay, but `transpose` exchanges H and W.

        Args:
            image: uint8 [3, H, W].
            instance_map: int32 [H, W].
            ignore_mask: bool [H, W].
        """
        section = self.section
        maps = [instance_map, ignore_mask]
        if section.flip and _coin():
            image, *maps = (functional.horizontal_flip(tensor) for tensor in (image, *maps))
        if section.flip_vertical and _coin():
            image, *maps = (functional.vertical_flip(tensor) for tensor in (image, *maps))
        if section.transpose and _coin():
            image, *maps = (tensor.transpose(-2, -1).contiguous() for tensor in (image, *maps))
        if self._moves:
            matrix = self._draw_matrix((image.shape[-2], image.shape[-1]))
            places = _places((image.shape[-2], image.shape[-1]), matrix)
            image, pixels = _bilinear(image, places), _nearest_pixels(places)
            maps = [_pick(tensor, pixels) for tensor in maps]
        if section.brightness:
            image = functional.adjust_brightness(image, 1 + _uniform(-section.brightness, section.brightness))
        if section.contrast:
            image = functional.adjust_contrast(image, 1 + _uniform(-section.contrast, section.contrast))
        return image, maps[0], maps[1]

    def _draw_matrix(self, size: tuple[int, int]) -> Tensor:
        section = self.section
        return affine_matrix(
            size,
            rotation=_uniform(-section.rotation, section.rotation),
            shift=(_uniform(-section.shift, section.shift), _uniform(-section.shift, section.shift)),
            shear=_uniform(-section.shear, section.shear),
            zoom=(_uniform(*section.zoom), _uniform(*section.zoom)),
        )


def affine_matrix(
    size: tuple[int, int], *, rotation: float, shift: tuple[float, float], shear: float, zoom: tuple[float, float]
) -> Tensor:
    """Return the float64 [3, 3] matrix rotation @ shift @ shear @ zoom, which maps output (row, column, 1) to input.

    Coordinates are in pixels from the image's centre; rows count downwards.

    Args:
        size: (H, W), the unit of `shift`.
        rotation: In degrees.
        shift: In fractions of height and width.
        shear: In degrees, along the rows.
        zoom: Input extent that fills the output, for each axis (rows, columns).
    """
    angle, slant = math.radians(rotation), math.radians(shear)
    cos, sin = math.cos(angle), math.sin(angle)
    turned = torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=torch.float64)
    shifted = torch.tensor([[1, 0, shift[0] * size[0]], [0, 1, shift[1] * size[1]], [0, 0, 1]], dtype=torch.float64)
    sheared = torch.tensor([[1, -math.sin(slant), 0], [0, math.cos(slant), 0], [0, 0, 1]], dtype=torch.float64)
    zoomed = torch.diag(torch.tensor([zoom[0], zoom[1], 1], dtype=torch.float64))
    return turned @ shifted @ sheared @ zoomed


def warp(tensor: Tensor, matrix: Tensor, interpolation: Literal["nearest", "bilinear"]) -> Tensor:
    """Return the tensor with its last two axes resampled; shape and dtype stay.

    Output pixel (row, column) takes the value at `matrix @ (row, column, 1)`. Both are measured from the image's
    centre, which is at ((H - 1) / 2, (W - 1) / 2) in pixel indices. Positions outside the image take the nearest
    border pixel.

    Args:
        tensor: [..., H, W] of any dtype for "nearest"; [C, H, W], float or integer, for "bilinear".
        matrix: float [3, 3], output to input.
        interpolation: "nearest" (ties round up) or "bilinear" (integers are rounded).
    """
    places = _places((tensor.shape[-2], tensor.shape[-1]), matrix)
    return _bilinear(tensor, places) if interpolation == "bilinear" else _pick(tensor, _nearest_pixels(places))


def _places(size: tuple[int, int], matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the input row and the input column of each output pixel, both float64 [H, W]."""
    height, width = size
    centre = torch.tensor([(height - 1) / 2, (width - 1) / 2], dtype=torch.float64)
    rows = torch.arange(height, dtype=torch.float64)[:, None] - centre[0]  # [H, 1]
    columns = torch.arange(width, dtype=torch.float64) - centre[1]  # [W]
    matrix = matrix.to(torch.float64)
    row, column = (
        (matrix[i, 0] * rows + matrix[i, 1] * columns).add_(matrix[i, 2]).add_(centre[i]) for i in (0, 1)
    )  # [H, W]
    return row, column


def _nearest_pixels(places: tuple[Tensor, Tensor]) -> Tensor:
    """Return int64 [H, W], the row-major index of the input pixel nearest to each position; ties round up."""
    height, width = places[0].shape
    row, column = (
        (place + 0.5).floor_().clamp_(0, last - 1) for place, last in zip(places, (height, width), strict=True)
    )
    return row.mul_(width).add_(column).long()


def _pick(tensor: Tensor, pixels: Tensor) -> Tensor:
    """Return the tensor [..., H, W] with the values of the input pixels at these row-major indices, int64 [H, W]."""
    return tensor.flatten(-2).index_select(-1, pixels.flatten()).view(tensor.shape)


def _bilinear(tensor: Tensor, places: tuple[Tensor, Tensor]) -> Tensor:
    """Return the tensor [C, H, W] interpolated at these input rows and columns; outside, the border repeats."""
    values = tensor if tensor.is_floating_point() else tensor.float()
    height, width = tensor.shape[-2:]
    row, column = places
    grid = torch.empty(1, height, width, 2, dtype=values.dtype)  # filled in place: stacking along this axis is slow
    grid[0, ..., 0] = (2 * column).add_(1).div_(width).sub_(1)
    grid[0, ..., 1] = (2 * row).add_(1).div_(height).sub_(1)
    values = grid_sample(values[None], grid, padding_mode="border", align_corners=False)[0]
    return values if tensor.is_floating_point() else values.round_().to(tensor.dtype)


def _coin() -> bool:
    return bool(torch.rand(()) < 0.5)


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))
