"""Prediction of pictures at their own size (`full_size`)."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.predictions import predict_all, predict_one
from support.small_model import CONVLSTM, POINTER, SIZE, write_small_model

from rsis import RSIS, Tiling
from rsis.cli.main import main
from rsis.predict.decode import find_objects

SECTIONS = {"convlstm": CONVLSTM, "pointer": POINTER}
LARGE = (3 * SIZE[0], 3 * SIZE[1] + 5)


@pytest.fixture(scope="module", params=SECTIONS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    section = SECTIONS[request.param]
    return write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors", section=section)


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> RSIS:
    return RSIS.from_checkpoint(checkpoint, device="cpu")


def picture_of(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize(size[::-1]))


def direct(model: RSIS, image: np.ndarray, **changes: float) -> tuple[np.ndarray, np.ndarray]:
    """Masks and objectness of the network, called directly."""
    batch = torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
    (found,) = find_objects(model.network, batch, [(image.shape[0], image.shape[1])], model.read_out(**changes))
    return found.masks, found.objectness


def test_the_network_sees_each_picture_at_its_own_size(model: RSIS) -> None:
    images = [picture_of(LARGE), picture_of((40, 50), 1), picture_of(SIZE, 2)]
    results = predict_all(model, images, full_size=True, num_steps=6, mask_threshold=0.2)
    assert all(result.instances for result in results[::2])
    for image, result in zip(images, results, strict=True):
        masks, objectness = direct(model, image, num_steps=6, mask_threshold=0.2)
        assert len(result.instances) == len(masks)
        assert all(np.array_equal(item.mask, mask) for item, mask in zip(result.instances, masks, strict=True))
        assert result.objectness == tuple(objectness.tolist())
    resized = predict_all(model, images, num_steps=6)
    assert resized[0].objectness != results[0].objectness  # it saw another picture
    assert resized[2].objectness == pytest.approx(results[2].objectness, abs=1e-5)  # which has the size of training


def test_a_tile_as_large_as_the_picture_is_the_picture(model: RSIS) -> None:
    image = picture_of(LARGE)
    whole = predict_one(model, image, full_size=True)
    tiled = predict_one(model, image, full_size=True, tiling=Tiling(LARGE))
    assert whole.instances
    assert tiled.objectness == whole.objectness
    assert np.array_equal(
        np.logical_or.reduce([item.mask for item in tiled.instances]),
        np.logical_or.reduce([item.mask for item in whole.instances]),
    )


def test_tiles_are_seen_at_their_own_size(model: RSIS) -> None:
    image = picture_of((80, 200))
    tiled = predict_one(model, image, full_size=True, tiling=Tiling((80, 100), overlap=0.0))
    expected = [value for part in (image[:, :100], image[:, 100:]) for value in direct(model, part)[1].tolist()]
    assert tiled.objectness == tuple(expected)
    assert tiled.objectness != predict_one(model, image, tiling=Tiling((80, 100), overlap=0.0)).objectness


def test_the_command_does_the_same(
    model: RSIS, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture_of(LARGE)
    Image.fromarray(image).save(tmp_path / "one.png")
    command = ["rsis", "predict-images", str(tmp_path / "one.png"), "--checkpoint", str(checkpoint), "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", [*command, "--out", str(tmp_path / "found"), "--full-size"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    written = np.asarray(Image.open(tmp_path / "found/instance_maps/one.png"))
    assert np.array_equal(written, predict_one(model, image, full_size=True).to_instance_map())
