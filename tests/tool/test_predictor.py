"""The class `RSIS`: from a checkpoint to the objects of a picture."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO
from support.local_server import Page, serve
from support.predictions import predict_all, predict_one
from support.small_model import CLASSES, SIZE, write_small_model

from rsis import RSIS, Tiling
from rsis.errors import UserError
from rsis.masks import decode_rle
from rsis.tool.result import to_coco


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> RSIS:
    return RSIS.from_checkpoint(write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors"))


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (75, 90, 3), np.uint8)


def test_objects_have_the_pictures_size_and_an_order(model: RSIS, picture: np.ndarray) -> None:
    result = predict_one(model, picture)

    assert [item.number for item in result.instances] == list(range(1, len(result.instances) + 1))
    assert [item.step for item in result.instances] == sorted(item.step for item in result.instances)
    assert result.instances
    assert len(result.objectness) == 3
    for item in result.instances:
        assert item.mask.shape == (75, 90)
        assert item.class_name == CLASSES[item.class_id - 1]
        assert item.class_probs.sum() == pytest.approx(1)
        assert item.score == pytest.approx(item.class_probs.max() * item.objectness)
        top, left, bottom, right = item.box
        inside = np.zeros((75, 90), bool)
        inside[top:bottom, left:right] = True
        assert item.area == (item.mask & inside).sum() > 0
        assert item.mask[[top, bottom - 1]].any(axis=1).all()
        assert item.mask[:, [left, right - 1]].any(axis=0).all()


def test_every_form_of_a_picture_gives_the_same(model: RSIS, picture: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(picture).save(tmp_path / "one.png")
    forms: list[Any] = [
        picture,
        Image.fromarray(picture),
        torch.from_numpy(picture).permute(2, 0, 1),
        tmp_path / "one.png",
        str(tmp_path / "one.png"),
    ]
    expected = predict_one(model, picture).to_instance_map()
    for form in forms:
        assert np.array_equal(predict_one(model, form).to_instance_map(), expected)
    for several in (tmp_path, str(tmp_path / "*.png"), [picture], [tmp_path / "one.png"]):
        (result,) = predict_all(model, several)
        assert np.array_equal(result.to_instance_map(), expected)


def test_a_batch_equals_its_singles(model: RSIS) -> None:
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((40, 50), (96, 30), SIZE)]
    together = predict_all(model, pictures, batch_size=3)
    for picture, result in zip(pictures, together, strict=True):
        (alone,) = predict_all(model, [picture])
        assert result.image.shape == picture.shape
        assert np.array_equal(alone.to_instance_map(), result.to_instance_map())


def test_a_file_is_turned_as_its_camera_says(model: RSIS, picture: np.ndarray, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # orientation: rotate by 90 degrees
    Image.fromarray(picture).save(tmp_path / "turned.png", exif=exif)
    assert predict_one(model, tmp_path / "turned.png").image.shape == (90, 75, 3)


def test_grey_pictures_of_8_and_16_bit(model: RSIS) -> None:
    grey = np.random.default_rng(2).integers(0, 256, (50, 60), np.uint8)
    results = predict_all(model, [grey, grey.astype(np.uint16) << 8])
    assert np.array_equal(results[0].image, results[1].image)
    assert np.array_equal(results[0].image[..., 0], grey)


def test_thresholds_take_the_place_of_the_checkpoints(model: RSIS, picture: np.ndarray) -> None:
    assert len(predict_one(model, picture, num_steps=5).objectness) == 5
    assert predict_one(model, picture, objectness_threshold=1.0).instances == ()
    assert predict_one(model, picture, mask_threshold=0.0).instances[0].mask.all()


def test_coco_is_read_by_pycocotools(model: RSIS, picture: np.ndarray) -> None:
    results = predict_all(model, [picture, picture[:30]])
    coco = COCO()
    coco.dataset = to_coco(results)
    coco.createIndex()
    assert [item["name"] for item in coco.loadCats(coco.getCatIds())] == list(CLASSES)
    for number, result in enumerate(results, start=1):
        found = coco.loadAnns(coco.getAnnIds(imgIds=number))
        assert len(found) == len(result.instances)
        for annotation, item in zip(found, result.instances, strict=True):
            assert np.array_equal(decode_rle(annotation["segmentation"]), item.mask)
            assert annotation["area"] == item.area
            x, y, width, height = annotation["bbox"]
            assert (y, x, y + height, x + width) == item.box
    assert predict_one(model, picture).to_coco()["images"][0]["height"] == 75


def test_the_earliest_object_keeps_a_contested_pixel(model: RSIS, picture: np.ndarray) -> None:
    result = predict_one(model, picture, mask_threshold=0.0)
    assert len(result.instances) == 3
    assert (result.to_instance_map() == 1).all()
    assert result.overlay(last=0).size == result.overlay().size


def test_plot_draws_into_the_axes_it_is_given(model: RSIS, picture: np.ndarray) -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    result = predict_one(model, picture)
    assert result.plot(axes) is axes
    assert f"{len(result.instances)} object" in axes.get_title()


def test_tiles_of_the_whole_picture_are_the_picture(model: RSIS, picture: np.ndarray) -> None:
    whole, tiled = predict_one(model, picture), predict_one(model, picture, tiling=Tiling((75, 90)))
    assert np.array_equal(whole.to_instance_map(), tiled.to_instance_map())
    assert predict_one(model, picture, tiling=Tiling((40, 40))).image.shape == picture.shape


def test_the_least_area_is_a_share_of_the_picture_also_in_tiles(model: RSIS, picture: np.ndarray) -> None:
    """It is applied to joined objects, since the size of a part in one tile is not that of the object."""
    tiling = Tiling((25, 30))
    everything = predict_one(model, picture, tiling=tiling, mask_threshold=0.6, min_area=0.0).instances
    areas = sorted(item.area for item in everything)
    assert areas[0] < 25 * 30 < areas[-1]
    for least in areas:
        some = predict_one(model, picture, tiling=tiling, mask_threshold=0.6, min_area=(least - 0.5) / (75 * 90))
        expected = [item.mask for item in everything if item.area >= least]
        np.testing.assert_array_equal([item.mask for item in some.instances], expected)
        assert [item.number for item in some.instances] == list(range(1, len(expected) + 1))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"image 1: an array of uint8 \[4, 4, 4\]; expected uint8 \[H, W, 3\]"),
        (np.zeros((4, 4, 3)), r"an array of float64"),
        (torch.zeros(1, 3, 4, 4), r"a tensor of torch.float32 \[1, 3, 4, 4\]; expected torch.uint8 \[3, H, W\]"),
        ("nowhere.png", r"nowhere.png: no such file or folder, and no file fits it as a pattern"),
    ],
)
def test_what_is_no_picture_is_named(model: RSIS, image: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        model.predict(image)


def test_wrong_thresholds_and_tiles_are_named(model: RSIS, picture: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"mask_threshold is 2.0"):
        model.predict(picture, mask_threshold=2.0)
    with pytest.raises(UserError, match=r"mask_treshold is 0.5: Extra inputs"):
        model.predict(picture, mask_treshold=0.5)
    with pytest.raises(UserError, match=r"overlap of 1.0"):
        Tiling((4, 4), 1.0)


def test_a_damaged_file_is_named(model: RSIS, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"bad.png: not a readable image"):
        model.predict(tmp_path / "bad.png")


def test_a_checkpoint_is_fetched_once_and_verified(
    tmp_path: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    path = write_small_model(tmp_path / "small.safetensors")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    expected = predict_one(RSIS.from_checkpoint(path), picture).to_instance_map()
    with serve() as site:
        site.pages["/small.safetensors"] = Page(path.read_bytes())
        address = f"{site.url}/small.safetensors"

        for check in (digest, None):
            found = predict_one(RSIS.from_checkpoint(address, sha256=check), picture).to_instance_map()
            assert np.array_equal(found, expected)
        assert site.requests == ["GET /small.safetensors"]
        with pytest.raises(UserError, match=r"has SHA-256 .*, expected 00"):
            RSIS.from_checkpoint(address, sha256="00")
        with pytest.raises(UserError, match=r"other.safetensors: cannot be fetched \(HTTP 404"):
            RSIS.from_checkpoint(f"{site.url}/other.safetensors")
