"""Random colours: each changes the image as it is called, within its range, and leaves the maps alone."""

import math
from typing import Any

import pytest
import torch

from rsis.config.runs import AugmentSection
from rsis.train.augment import JointAugment

COLOURS = {"brightness": 0.3, "contrast": 0.3, "tint": 0.3, "gamma": 0.4, "noise": 0.2, "grey": 0.5, "invert": 0.5}


def _coloured(count: int = 60, **section: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """An image of random values and its versions [count, 3, H, W], as floats."""
    generator = torch.Generator().manual_seed(3)
    image = torch.randint(60, 180, (3, 40, 44), generator=generator, dtype=torch.uint8)
    nothing = torch.zeros(40, 44, dtype=torch.int32)
    versions = []
    for seed in range(count):
        torch.manual_seed(seed)
        found = JointAugment(AugmentSection(**section))(image, nothing, nothing > 0)
        assert (found.image.shape, found.image.dtype) == (image.shape, torch.uint8)
        assert torch.equal(found.instance_map, nothing)
        versions.append(found.image)
    return image.float(), torch.stack(versions).float()


@pytest.mark.parametrize("name", COLOURS)
def test_colours_change_and_may_all_change_together(name: str) -> None:
    image, versions = _coloured(20, **{name: COLOURS[name]})
    assert not torch.equal(versions, image.expand_as(versions))
    _, all_together = _coloured(20, **COLOURS)
    assert len({tuple(one.flatten().tolist()) for one in all_together}) == 20


def test_tint_scales_each_channel_by_itself() -> None:
    image, versions = _coloured(tint=0.3)
    gains = (versions / image).mean(dim=(2, 3))
    assert gains.min() > 0.69
    assert gains.max() < 1.31
    assert gains.max() - gains.min() > 0.5
    assert (gains.max(dim=1).values - gains.min(dim=1).values).max() > 0.3


def test_gamma_is_a_power() -> None:
    image, versions = _coloured(gamma=0.4)
    powers = (versions / 255).log() / (image / 255).log()
    assert (powers.amax(dim=(1, 2, 3)) - powers.amin(dim=(1, 2, 3))).max() < 0.06  # values are rounded
    assert powers.median(dim=0).values.min() > math.exp(-0.45)
    logs = powers.mean(dim=(1, 2, 3)).log()
    assert logs.abs().max() < 0.42
    assert logs.max() > 0.3
    assert logs.min() < -0.3


def test_noise_comes_to_every_second_image_and_is_limited() -> None:
    image, versions = _coloured(noise=0.2)
    shares = (versions - image).std(dim=(1, 2, 3)) / image.std()
    assert 15 <= (shares == 0).sum() <= 45
    assert shares.max() < 0.21
    assert shares.max() > 0.15
    assert (versions - image).mean().abs() < 0.5


def test_grey_and_inverted_images_have_their_share() -> None:
    image, versions = _coloured(grey=0.3)
    is_grey = (versions == versions[:, :1]).all(dim=3).all(dim=2).all(dim=1)
    assert 8 <= is_grey.sum() <= 28
    assert (versions[is_grey][0, 0] - image.mean(dim=0)).abs().max() <= 0.5
    assert torch.equal(versions[~is_grey], image.expand_as(versions[~is_grey]))
    image, versions = _coloured(invert=0.3)
    is_inverted = (versions != image).all(dim=3).all(dim=2).all(dim=1)
    assert 8 <= is_inverted.sum() <= 28
    assert torch.equal(versions[is_inverted], (255 - image).expand_as(versions[is_inverted]))
