"""Joint augmentation of an image, its instance map and its ignore mask.

The affine map follows the original implementation: the parameters of `affine_matrix`, each uniform in its
range, about the image's centre, from output to input; beyond the border the border repeats, in the image
and in the maps, or they are mirrored. The image is resampled bilinearly, where the original takes the nearest pixel.
torchvision's affine takes no matrix, has one zoom for both axes and cannot repeat the border, so `warp`
does it.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.transforms.v2 import functional

from rsis.config.runs import AugmentSection
from rsis.train.colours import coin as _coin
from rsis.train.colours import jitter
from rsis.train.colours import uniform as _uniform


@dataclass(frozen=True)
class Augmented:
    """An augmented sample.

    Attributes:
        image: uint8 [3, H', W'].
        instance_map: int32 [H', W'], 0 = background; of labels 1..M some may have no pixel.
        ignore_mask: bool [H', W'].
        sources: int64 [M], the label before the augmentation of each label 1..M.
    """

    image: Tensor
    instance_map: Tensor
    ignore_mask: Tensor
    sources: Tensor


class JointAugment:
    """Random flips, transpose and affine map, the same for image and maps, and random colours.

    Every random number comes from torch's global generator, so `torch.manual_seed` determines the result.
    An augmentation that is left at its default is off and draws no random number.

    Args:
        section: Which augmentations are on, and their ranges. Each flip and the transpose has probability 1/2.
            `rotation` and `shear` are in degrees, `shift` in fractions of height and width, each drawn from -value to
            value. `zoom` is the range of the input extent that fills the output: below 1 magnifies.
    """

    def __init__(self, section: AugmentSection) -> None:
        self.section = section
        self._moves = (
            section.rotation > 0
            or section.shift > 0
            or section.shear > 0
            or section.zoom != (1.0, 1.0)
            or bool(section.aspect)
            or section.size is not None
        )

    def __call__(self, image: Tensor, instance_map: Tensor, ignore_mask: Tensor) -> Augmented:
        """Return the sample augmented; shapes stay, but `transpose` exchanges H and W, and `size` sets them.

        Args:
            image: uint8 [3, H, W].
            instance_map: int32 [H, W], 0 = background, 1..N.
            ignore_mask: bool [H, W].
        """
        section = self.section
        maps = [instance_map, ignore_mask]
        sources = torch.arange(1, int(instance_map.max()) + 1)
        if section.flip and _coin():
            image, *maps = (functional.horizontal_flip(tensor) for tensor in (image, *maps))
        if section.flip_vertical and _coin():
            image, *maps = (functional.vertical_flip(tensor) for tensor in (image, *maps))
        if section.transpose and _coin():
            image, *maps = (tensor.transpose(-2, -1).contiguous() for tensor in (image, *maps))
        if self._moves:
            size = (image.shape[-2], image.shape[-1])
            places = _places(size, self._draw_matrix(size), section.size or size)
            if section.border == "mirror":
                maps[0], sources = mirrored_labels(maps[0], places)
                maps[1] = _pick(maps[1], _nearest_pixels(*_mirrored(places, size), size))
                image = _bilinear(image, places, "reflection")
            else:
                pixels = _nearest_pixels(*places, size)
                image, maps = _bilinear(image, places), [_pick(tensor, pixels) for tensor in maps]
        return Augmented(jitter(image, section), maps[0], maps[1], sources)

    def _draw_matrix(self, size: tuple[int, int]) -> Tensor:
        section = self.section
        rotation = _uniform(-section.rotation, section.rotation)
        shift = [_uniform(-section.shift, section.shift), _uniform(-section.shift, section.shift)]
        shear = _uniform(-section.shear, section.shear)
        if section.aspect is None:  # as in the released code
            zoom = (_uniform(*section.zoom), _uniform(*section.zoom))
        else:
            both = math.exp(_uniform(math.log(section.zoom[0]), math.log(section.zoom[1])))
            ratio = math.exp(_uniform(-section.aspect, section.aspect))
            zoom = (both / ratio, both * ratio)
        if section.anywhere:
            for axis in (0, 1):
                rest = max(0.0, 1 - zoom[axis]) / 2
                shift[axis] += _uniform(-rest, rest)
        return affine_matrix(size, rotation=rotation, shift=(shift[0], shift[1]), shear=shear, zoom=zoom)


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
    size = (tensor.shape[-2], tensor.shape[-1])
    places = _places(size, matrix, size)
    return _bilinear(tensor, places) if interpolation == "bilinear" else _pick(tensor, _nearest_pixels(*places, size))


def mirrored_labels(instance_map: Tensor, places: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the map with its values at these places, mirrored beyond the border, and the source of each label.

    A mirrored copy of an object is an object of its own, unless the object touches the border that it is mirrored at:
    then both are one.

    Args:
        instance_map: int32 [H, W], 0 = background.
        places: Rows and columns, float64 [H', W'] each.

    Returns:
        int32 [H', W'], labels 1..M; and int64 [M], their labels in `instance_map`.
    """
    size = (instance_map.shape[0], instance_map.shape[1])
    labels = _pick(instance_map, _nearest_pixels(*_mirrored(places, size), size)).long()
    touches = torch.zeros(int(instance_map.max()) + 1, 4, dtype=torch.bool)
    for number, border in enumerate((instance_map[0], instance_map[-1], instance_map[:, 0], instance_map[:, -1])):
        touches[border.long(), number] = True
    code = labels
    for axis, (place, length) in enumerate(zip(places, size, strict=True)):
        tile = ((place + 0.5) / length).floor().long()  # 0 within the image, -1 before it, 1 behind it
        joined = touches[labels, 2 * axis + (tile > 0).long()] & (tile.abs() == 1)
        code = code * 7 + torch.where(joined, 0, tile).clamp_(-3, 3) + 3
    code = torch.where(labels > 0, code, 0)
    there = torch.bincount(code.flatten(), minlength=1) > 0  # a table: sorting the codes takes several times as long
    there[0] = False
    return there.int().cumsum(0, dtype=torch.int32)[code] * (code > 0), there.nonzero()[:, 0] // 49


def _places(size: tuple[int, int], matrix: Tensor, wanted: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return float64 [H', W'] twice, the input row and column that each output pixel takes its value at.

    Args:
        size: (H, W) of the input.
        matrix: float [3, 3], output to input, both in the input's pixels from the centre.
        wanted: (H', W') of the output, which covers as much as (H, W) pixels of the input before the matrix.
    """
    centre = torch.tensor([(size[0] - 1) / 2, (size[1] - 1) / 2], dtype=torch.float64)
    rows, columns = (
        (torch.arange(count, dtype=torch.float64) - (count - 1) / 2) * (length / count)
        for count, length in zip(wanted, size, strict=True)
    )
    rows = rows[:, None]  # [H', 1]
    matrix = matrix.to(torch.float64)
    row, column = (
        (matrix[i, 0] * rows + matrix[i, 1] * columns).add_(matrix[i, 2]).add_(centre[i]) for i in (0, 1)
    )  # [H', W']
    return row, column


def _mirrored(places: tuple[Tensor, Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the places within the image that those beyond its border are mirrored to."""
    rows, columns = (
        length - ((place + 0.5) % (2 * length) - length).abs() - 0.5 for place, length in zip(places, size, strict=True)
    )
    return rows, columns


def _nearest_pixels(rows: Tensor, columns: Tensor, size: tuple[int, int]) -> Tensor:
    """Return int64 [H', W'], the input pixel nearest to each place, counted row by row; ties round up."""
    row, column = (
        (place + 0.5).floor_().clamp_(0, last - 1) for place, last in zip((rows, columns), size, strict=True)
    )
    return row.mul_(size[1]).add_(column).long()


def _pick(tensor: Tensor, pixels: Tensor) -> Tensor:
    """Return [..., H', W'], the values of the tensor [..., H, W] at these pixels [H', W']."""
    return tensor.flatten(-2).index_select(-1, pixels.flatten()).view(*tensor.shape[:-2], *pixels.shape)


def _bilinear(
    tensor: Tensor, places: tuple[Tensor, Tensor], beyond: Literal["border", "reflection"] = "border"
) -> Tensor:
    """Return [C, H', W'], the values of the tensor [C, H, W] at these places.

    Beyond the border the border repeats, or the image is mirrored.
    """
    values = tensor if tensor.is_floating_point() else tensor.float()
    height, width = tensor.shape[-2:]
    row, column = places
    grid = torch.empty(1, *row.shape, 2, dtype=values.dtype)  # assigned, since stacking is slow along this axis
    grid[0, ..., 0] = (2 * column).add_(1).div_(width).sub_(1)
    grid[0, ..., 1] = (2 * row).add_(1).div_(height).sub_(1)
    values = grid_sample(values[None], grid, padding_mode=beyond, align_corners=False)[0]
    return values if tensor.is_floating_point() else values.round_().to(tensor.dtype)
