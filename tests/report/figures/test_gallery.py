"""The gallery: the best, the median and the worst images, a correct matching, and panels that show it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsis.errors import UserError
from rsis.masks import encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction
from rsis.report.figures.gallery import PictureOnDisk, Place, choose, emitted_map, gallery_item, match
from rsis.report.figures.panel import ReportImage
from rsis.tool.overlay import GREY, PALETTE

SIZE = (40, 60)
PLACE = Place("one", 1, "", 0.5)


def box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def predicted(*masks: np.ndarray, steps: list[int] | None = None) -> ImagePrediction:
    order = steps or list(range(len(masks)))
    found = (InstancePrediction(encode_rle(m), (1.0,), 0.9, s) for m, s in zip(masks, order, strict=True))
    return ImagePrediction("one", SIZE, tuple(found))


def pixels(picture: ReportImage) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGB")).astype(int)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "one.png"
    Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(path)
    return path


def test_the_best_the_median_and_the_worst_are_shown() -> None:
    scores = {f"image{i:02d}": (7 * i % 11) / 10 for i in range(11)}  # 0.0 to 1.0, in no order
    assert [(p.rank, p.name, p.score) for p in choose(scores)] == [
        *((1, "best", 1.0), (2, "best", 0.9)),
        *((5, "median", 0.6), (6, "median", 0.5)),
        *((10, "worst", 0.1), (11, "worst", 0.0)),
    ]
    assert all(scores[place.image_id] == place.score for place in choose(scores))
    assert [(p.rank, p.name) for p in choose(scores, 3)] == [(1, "best"), (6, "median"), (11, "worst")]
    assert [(p.rank, p.name) for p in choose(scores, 1)] == [(6, "median")]


def test_no_image_is_shown_twice_and_equal_scores_follow_the_ids() -> None:
    for count in range(12):
        ids = [f"image{i:02d}" for i in range(count)]
        shown = [place.image_id for place in choose(dict.fromkeys(reversed(ids), 0.5))]
        assert shown == sorted(set(shown))
        assert len(shown) == min(count, 6)
    assert [(p.image_id, p.rank, p.name) for p in choose({"b": 0.5, "a": 0.5, "c": 0.9})] == [
        *(("c", 1, ""), ("a", 2, ""), ("b", 3, "")),
    ]


def test_objects_are_numbered_in_the_order_of_their_steps() -> None:
    owner = emitted_map(predicted(box(0, 0, 10, 10), box(5, 5, 20, 20), steps=[7, 3]))
    assert owner[0, 0] == 2  # the later step, though listed first
    assert owner[7, 7] == 1  # the earlier one keeps contested pixels
    assert owner[19, 19] == 1
    assert owner[30, 30] == 0


def test_classes_of_one_step_are_one_object() -> None:
    mask = encode_rle(box(0, 0, 9, 9))
    both = tuple(InstancePrediction(mask, probs, 0.9, 0) for probs in ((0.2, 0.1), (0.2, 0.8)))
    assert emitted_map(ImagePrediction("one", SIZE, both)).max() == 1


def test_match_is_one_to_one_from_half_overlap() -> None:
    target = np.zeros(SIZE, int)
    target[0:10, 0:10], target[20:30, 0:10], target[20:30, 30:40] = 1, 2, 3
    pred = np.zeros(SIZE, int)
    pred[0:10, 0:5] = 4  # IoU exactly 0.5
    pred[20:30, 0:4] = 2  # IoU 0.4
    pred[20:30, 31:41] = 1
    assert match(target, pred) == {1: 4, 3: 1}
    assert match(target, np.zeros(SIZE, int)) == {}
    assert match(np.zeros(SIZE, int), pred) == {}


def test_panels_show_the_match(image: Path) -> None:
    target = np.zeros(SIZE, np.int32)
    target[2:38, 2:28], target[2:38, 32:58] = 4, 9  # values with gaps, as annotators leave them
    item = gallery_item("x", PLACE, PictureOnDisk(image), target, predicted(box(2, 32, 38, 58)))
    assert (item.num_true, item.num_predicted, item.num_matched) == (2, 1, 1)
    truth, prediction = pixels(item.truth), pixels(item.prediction)
    scale = truth.shape[0] / SIZE[0]
    spot = tuple(int(scale * n) for n in (8, 40))
    washed = 0.65 * 90 + 0.35 * 255
    for panel in (truth, prediction):  # the found object has the first colour in both panels
        assert np.abs(panel[spot] - (0.45 * washed + 0.55 * PALETTE[0])).max() < 25
    area = truth[int(6 * scale) : int(34 * scale), int(6 * scale) : int(24 * scale)]
    assert np.ptp(area, axis=2).max() < 20  # the missed one is grey
    assert np.abs(area - (0.45 * washed + 0.55 * GREY)).max(axis=2).min() < 10
    assert area[..., 0].std() > 5  # and hatched
    assert np.abs(prediction[spot[0], int(scale * 12)] - washed).max() < 10  # nothing predicted there


@pytest.mark.parametrize("size", [(40, 60), (96, 96), (20, 200), (530, 500), (1024, 2048)])
def test_panels_are_large_enough_to_read(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "one.png"
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(path)
    item = gallery_item("x", PLACE, PictureOnDisk(path), np.zeros(size, np.int32), ImagePrediction("one", size, ()))
    assert item.num_predicted == 0
    for picture in (item.input, item.truth, item.prediction):
        assert pixels(picture).shape[:2] == picture.size
        assert min(picture.size) >= 192
        assert picture.size[0] / picture.size[1] == pytest.approx(size[0] / size[1], rel=0.02)


def test_sizes_must_agree(image: Path) -> None:
    with pytest.raises(UserError, match="40 x 60 pixels but its truth 40 x 61"):
        gallery_item("x", PLACE, PictureOnDisk(image), np.zeros((40, 61), np.int32), predicted())


def test_unreadable_image(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    path.write_bytes(b"not an image")
    with pytest.raises(UserError, match=r"one\.png: not a readable image .*restore"):
        gallery_item("x", PLACE, PictureOnDisk(path), np.zeros(SIZE, np.int32), predicted())
