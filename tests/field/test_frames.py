"""Photos of a turned camera: picture and annotation are in one frame, whichever the annotation was drawn in."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.agreement import SOURCE, coco, maps, masks, read_both
from support.in_process import exit_code as rsis
from support.own_folders import discs, write_maps

from rsis.config.datasets import CvpppDataset
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.open import open_split
from rsis.data.readers.orientation import turned
from rsis.data.readers.pictures import read_picture
from rsis.eval.truths.images import as_shown, frame_of
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import encode_rle, relabel

TURNED = range(2, 9)
BACK = {6: 8, 8: 6}
LONG, SQUARE = (40, 56), (48, 48)


def stored(array: np.ndarray, orientation: int) -> np.ndarray:
    """Return the pixels of a file that viewers turn into `array`."""
    return np.ascontiguousarray(turned(array, BACK.get(orientation, orientation)))


def save(pixels: np.ndarray, path: Path, orientation: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored(pixels, orientation)).save(path, exif=exif, quality=95)


def brightness(sample_image: np.ndarray, instance_map: np.ndarray) -> tuple[float, float]:
    """Return the mean under the objects, drawn at about 180, and elsewhere, drawn at about 30."""
    grey = sample_image.mean(axis=2)
    return float(grey[instance_map > 0].mean()), float(grey[instance_map == 0].mean())


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", TURNED)
def test_every_orientation_of_every_format_is_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    image = np.zeros((16, 24, 3), np.uint8)
    image[:8, :8] = 250
    path = tmp_path / f"a{suffix}"
    save(image, path, orientation)
    picture = read_picture(path)
    assert (picture.orientation, picture.size) == (orientation, (16, 24))
    assert picture.stored_size == ((24, 16) if orientation >= 5 else (16, 24))
    assert np.abs(picture.image.astype(int) - image).mean() < 3
    frame = frame_of(path, "")
    assert (frame.orientation, frame.shown, frame.stored) == (orientation, (16, 24), picture.stored_size)


def test_both_readings_turn_alike() -> None:
    numbers = np.arange(12).reshape(3, 4)
    for orientation in range(1, 9):
        assert np.array_equal(turned(numbers, orientation), as_shown(numbers, orientation))
        assert np.array_equal(turned(stored(numbers, orientation), orientation), numbers)


@pytest.mark.parametrize("frame", ["upright", "stored"])
@pytest.mark.parametrize("size", [LONG, SQUARE])
@pytest.mark.parametrize("orientation", TURNED)
def test_maps_lie_on_their_pictures(tmp_path: Path, orientation: int, size: tuple[int, int], frame: str) -> None:
    image, labels = discs(1, size)
    save(image, tmp_path / "images/a.jpg", orientation)
    drawn = labels if frame == "upright" else stored(labels, orientation)
    (tmp_path / "labels").mkdir()
    Image.fromarray(drawn.astype(np.uint8)).save(tmp_path / "labels/a.png")
    sample = read_both(maps(annotated=frame), tmp_path)["a"]
    inside, outside = brightness(sample.image, sample.instance_map)
    assert inside > 165
    assert outside < 45
    assert np.array_equal(sample.instance_map, relabel(labels))
    told_by_size = orientation >= 5 and size == LONG
    assert sample.frame_is_assumed != told_by_size
    if told_by_size:
        other = {"upright": "stored", "stored": "upright"}[frame]
        assert np.array_equal(read_both(maps(annotated=other), tmp_path)["a"].instance_map, sample.instance_map)


def test_a_map_with_an_orientation_of_its_own_lies_where_viewers_show_it(tmp_path: Path) -> None:
    image, labels = discs(1, SQUARE)
    save(image, tmp_path / "images/a.png", 6)
    save(labels.astype(np.uint8), tmp_path / "labels/a.png", 3)
    for frame in ("upright", "stored"):
        sample = read_both(maps(annotated=frame), tmp_path)["a"]
        assert np.array_equal(sample.instance_map, relabel(labels))
        assert not sample.frame_is_assumed


def test_the_orientation_of_tiff_files_that_pillow_does_not_read(tmp_path: Path) -> None:
    image, labels = discs(1, LONG)
    for folder, pixels in (("images", image[..., 0].astype(np.float64)), ("labels", labels.astype(np.int64))):
        (tmp_path / folder).mkdir()
        tag = [(274, "H", 1, 8, True)]
        tifffile.imwrite(tmp_path / folder / "a.tif", stored(pixels, 8), extratags=tag)
    sample = read_both(maps(), tmp_path)["a"]
    assert np.array_equal(sample.instance_map, relabel(labels))
    assert brightness(sample.image, sample.instance_map)[0] > 165


@pytest.mark.parametrize("frame", ["upright", "stored"])
@pytest.mark.parametrize("size", [LONG, SQUARE])
def test_masks_lie_on_their_pictures(tmp_path: Path, size: tuple[int, int], frame: str) -> None:
    image, labels = discs(2, size)
    save(image, tmp_path / "a/images/a.jpg", 6)
    (tmp_path / "a/masks").mkdir()
    drawn = labels if frame == "upright" else stored(labels, 6)
    for value in np.unique(labels[labels > 0]):
        Image.fromarray(255 * (drawn == value).astype(np.uint8)).save(tmp_path / f"a/masks/{value}.png")
    sample = read_both(masks(annotated=frame), tmp_path)["a"]
    assert np.array_equal(sample.instance_map > 0, labels > 0)
    assert brightness(sample.image, sample.instance_map)[0] > 165
    assert sample.frame_is_assumed == (size == SQUARE)


@pytest.mark.parametrize("frame", ["upright", "stored"])
@pytest.mark.parametrize(("size", "orientation"), [(LONG, 6), (LONG, 3), (SQUARE, 8)])
def test_coco_masks_lie_on_their_pictures(tmp_path: Path, size: tuple[int, int], orientation: int, frame: str) -> None:
    image, labels = discs(3, size)
    save(image, tmp_path / "images/a.jpg", orientation)
    drawn = labels if frame == "upright" else stored(labels, orientation)
    shapes = [dict(encode_rle(drawn == value)) for value in np.unique(labels[labels > 0])]
    entry = {"id": 1, "file_name": "a.jpg", "height": drawn.shape[0], "width": drawn.shape[1]}
    objects = [
        {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": shape}
        for number, shape in enumerate(shapes)
    ]
    document = {"images": [entry], "annotations": objects, "categories": [{"id": 1, "name": "disc"}]}
    (tmp_path / "train.json").write_text(json.dumps(document))
    sample = read_both(coco(annotated=frame), tmp_path)["a.jpg"]
    assert np.array_equal(sample.instance_map > 0, labels > 0)
    assert brightness(sample.image, sample.instance_map)[0] > 165


def test_a_size_of_neither_frame_is_refused(tmp_path: Path) -> None:
    save(np.zeros((16, 24, 3), np.uint8), tmp_path / "images/a.png", 6)
    save(np.zeros((16, 25), np.uint8), tmp_path / "labels/a.png", 1)
    with pytest.raises(BadSampleError, match=r"a\.png: 16 x 25 pixels, its picture has 16 x 24; correct one of them"):
        open_split(maps(), tmp_path, "train").read("a")


def test_broken_exif_is_no_orientation(tmp_path: Path) -> None:
    image = np.zeros((16, 24, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    assert read_picture(tmp_path / "a.jpg").orientation == 1
    exif = Image.Exif()
    exif[0x0112] = 42
    Image.fromarray(image).save(tmp_path / "b.jpg", exif=exif)
    assert read_picture(tmp_path / "b.jpg").size == (16, 24)


def test_init_and_check_say_what_size_cannot_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_maps(tmp_path / "leaves", [f"p{number}" for number in range(6)])
    for number in (0, 1, 2):
        path = tmp_path / f"leaves/images/p{number}.png"
        with Image.open(path) as image:
            save(np.asarray(image), path, 3)
    assert rsis(monkeypatch, "init", "leaves") == 0
    note = "note: 3 pictures are turned by EXIF orientation, and the size does not tell"
    advice = "taken as drawn on the turned one; datasets.leaves.annotated: stored says otherwise"
    printed = " ".join(capsys.readouterr().err.split())
    assert note in printed
    assert advice in printed
    assert rsis(monkeypatch, "check", "leaves") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert note in printed
    assert advice in printed
    text = Path("params.yaml").read_text().replace("    splits:", "    annotated: stored\n    splits:", 1)
    Path("params.yaml").write_text(text)
    assert rsis(monkeypatch, "check", "leaves") == 0
    assert "taken as drawn on the stored one" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("size", "drawn"), [(LONG, "upright"), (LONG, "stored"), (SQUARE, "upright")])
def test_pictures_of_benchmarks_lie_under_their_annotation(tmp_path: Path, size: tuple[int, int], drawn: str) -> None:
    """The annotation stays as it is, since the benchmark's scorer reads it so; the picture is turned to fit it."""
    image, labels = discs(4, size)
    save(image, tmp_path / "A1/plant001_rgb.png", 6)
    kept = relabel(labels if drawn == "upright" else stored(labels, 6))
    Image.fromarray(kept.astype(np.uint8)).save(tmp_path / "A1/plant001_label.png")
    split = {"folder": "A1"}
    dataset = CvpppDataset.model_validate(
        {"format": "cvppp", "source": SOURCE, "size": (32, 32), "splits": {"train": split}}
    )
    sample = open_split(dataset, tmp_path, "train").read("plant001")
    assert np.array_equal(sample.instance_map, kept)
    assert np.array_equal(load_ground_truth(dataset, tmp_path, "train").instance_map("plant001"), kept)
    assert brightness(sample.image, sample.instance_map)[0] > 165
    assert sample.frame_is_assumed == (size == SQUARE)
