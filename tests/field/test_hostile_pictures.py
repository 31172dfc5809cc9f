"""Pictures and options made to take all memory or time end soon, or are refused with what to do."""

import resource
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.in_process import rsis
from support.small_model import SIZE, write_small_model

from rsis.config.datasets import MapsDataset
from rsis.config.runs import PredictSection
from rsis.config.sources import FolderSource
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.images import read_image
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.truths.images import size_of
from rsis.machine import pixels
from rsis.predict.binary import binary_masks
from rsis.splits.own import MapsSplit
from rsis.tool.batching import batches
from rsis.tool.overlay import enlarge, paint
from rsis.tool.pictures import InputImage
from rsis.tool.predictor import RSIS
from rsis.tool.tiles import MOST_TILES, Tiling, cut


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors")


@pytest.fixture
def usual_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what a test allows."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.delenv("RSIS_MAX_PIXELS", raising=False)
    monkeypatch.setenv("RSIS_MAX_PIXELS", "")


@pytest.mark.parametrize("size", [(4, 4000), (4000, 4), (2, 20_000), (1, 65_000), (1, 1), (1, 3)])
def test_strips_take_little_memory(checkpoint: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "strip.png"
    Image.new("RGB", size[::-1]).save(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = rsis(
        tmp_path, "predict-images", "strip.png", "--checkpoint", str(checkpoint), "--out", "o", "--device", "cpu"
    )
    assert ended.returncode == 0, ended.stderr
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes
    with Image.open(tmp_path / "o/overlays/strip.png") as overlay:
        assert max(overlay.size) <= max(2048, *size) + 100
        assert overlay.width * size[0] == pytest.approx(overlay.height * size[1], rel=0.5)


@pytest.mark.parametrize(("size", "enlarged"), [((50, 40), (300, 240)), ((400, 300), (400, 300)), ((9, 7), (288, 224))])
def test_usual_pictures_are_enlarged_as_ever(size: tuple[int, int], enlarged: tuple[int, int]) -> None:
    assert enlarge(Image.new("RGB", size), shrink=False).size == enlarged


def test_painting_takes_less_than_40_bytes_a_pixel() -> None:
    numbers = np.zeros((2000, 3000), np.int32)
    numbers[:1500, :1500], numbers[1600:, 2000:] = 1, 2
    image = Image.new("RGB", (3000, 2000))
    paint(image.crop((0, 0, 9, 9)), numbers[:9, :9], {1: 1}, set())  # fonts and caches
    tracemalloc.start()
    paint(image, numbers, {1: 1, 2: 2}, {2})
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most / numbers.size < 40


def test_masks_of_large_pictures_are_made_one_at_a_time() -> None:
    asked = []

    def resized(first: int, last: int, size: tuple[int, int]) -> torch.Tensor:
        asked.append(last - first)
        return torch.full((last - first, 1, 1), 0.9).expand(-1, *size)

    section = PredictSection(num_steps=5, exclusive=True)
    masks = binary_masks(resized, 3, (4200, 4200), section)
    assert asked == [1, 1, 1]
    assert [mask.area > 0 for mask in masks] == [True, False, False]
    asked.clear()
    binary_masks(resized, 3, (420, 420), section)
    assert asked == [3]


def test_large_pictures_are_not_collected_in_a_batch() -> None:
    large, small = (InputImage("x", np.zeros((side, side, 3), np.uint8)) for side in (4100, 10))
    assert [len(batch) for batch in batches([large, large, small, small, small, large], 3)] == [1, 1, 3, 1]
    assert [len(batch) for batch in batches(range(5), 2)] == [2, 2, 1]


@pytest.mark.usefixtures("usual_limit")
def test_a_picture_above_the_limit_is_refused_with_what_allows_it(tmp_path: Path, checkpoint: Path) -> None:
    Image.new("1", (300, 200)).save(tmp_path / "a.png")
    Image.MAX_IMAGE_PIXELS = 20_000  # twice as many are read
    command = ["predict-images", "a.png", "--checkpoint", str(checkpoint), "--out", "o"]
    ended = rsis(tmp_path, *command)
    assert ended.returncode == 2
    assert "a.png: has 60000 pixels" in ended.stderr
    assert "--max-pixels" in ended.stderr
    assert not (tmp_path / "o").exists()
    assert rsis(tmp_path, *command, "--max-pixels", "60000").returncode == 0
    assert rsis(tmp_path, *command, "--force", "--max-pixels", "59990").returncode == 2


@pytest.mark.usefixtures("usual_limit")
def test_training_and_scoring_read_what_a_data_set_allows(tmp_path: Path) -> None:
    for name in ("images", "maps"):
        (tmp_path / name).mkdir()
        Image.new("L", (300, 200), 1).save(tmp_path / name / "a.png")
    Image.MAX_IMAGE_PIXELS = 20_000
    for read in (read_image, lambda path: size_of(path, "")):
        with pytest.raises(UserError, match=r"has 60000 pixels.*max_pixels of a data set"):
            read(tmp_path / "images/a.png")
    source = FolderSource(kind="folder", path=str(tmp_path))
    split = MapsSplit(images="images", maps="maps")
    dataset = MapsDataset(format="maps", source=source, size=(16, 16), splits={"train": split})
    with pytest.raises(BadSampleError):
        open_split(dataset.model_copy(update={"max_pixels": 40_000}), tmp_path, "train").read("a")
    for limit in (60_000, None):  # the limit of one data set does not hold for the next
        allowed = dataset.model_copy(update={"max_pixels": limit})
        assert open_split(allowed, tmp_path, "train").read("a").image.shape == (200, 300, 3)


def test_the_limit_is_pillows_own() -> None:
    assert pixels.MOST_PIXELS == 178_956_970
    assert Image.MAX_IMAGE_PIXELS == -(-pixels.MOST_PIXELS // 2)


def test_too_many_tiles_are_refused(checkpoint: Path) -> None:
    assert len(cut((1000, 1000), (10, 10), 0.0)) == MOST_TILES
    for tile, overlap in (((1, 1), 0.0), ((64, 64), 0.9999), ((9, 9), 0.5)):
        with pytest.raises(UserError, match=r"cut a picture of \(1000, 1000\) into \d+, expected at most 10000"):
            cut((1000, 1000), tile, overlap)
    picture = torch.zeros(3, 200, 200, dtype=torch.uint8)
    with pytest.raises(UserError, match="into 34225, expected at most 10000; take larger tiles"):
        RSIS.from_checkpoint(checkpoint, device="cpu").predict(picture, tiling=Tiling((16, 16), 0.99))
    for size in ((1, 1), (0, 64), (64, 15), (-1, -1)):
        with pytest.raises(UserError, match="expected 16 pixels a side or more"):
            Tiling(size)


@pytest.mark.parametrize("device", ["", "meta", "x:y", "cuda:99", "cpu\n"])
def test_devices(checkpoint: Path, device: str) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        RSIS.from_checkpoint(checkpoint, device=device)


@pytest.mark.parametrize("steps", ["1000000000", "0", "-1", "9" * 30])
def test_steps(checkpoint: Path, tmp_path: Path, steps: str) -> None:
    Image.new("RGB", SIZE).save(tmp_path / "a.png")
    ended = rsis(tmp_path, "predict-images", "a.png", "--checkpoint", str(checkpoint), "--out", "o", "--steps", steps)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "o").exists()
