"""`rsis predict-images` and `rsis info`: the files and the output that they write."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence
from pycocotools.coco import COCO
from support.in_process import exit_code as rsis
from support.predictions import predict_one
from support.small_model import CLASSES, write_small_model

from rsis import RSIS


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures of two formats in two folders, a damaged picture, and a file that is not a picture."""
    folder = tmp_path / "pictures"
    random = np.random.default_rng(3)
    (folder / "more").mkdir(parents=True)
    for name, size in (("a.png", (40, 50)), ("b.jpg", (60, 48)), ("more/a.png", (48, 64))):
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(folder / name)
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes()[:300])
    (folder / "notes.txt").write_text("no picture")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_overlays_maps_and_tables(
    checkpoint: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    command = ["predict-images", pictures, "--checkpoint", checkpoint, "--out", out]
    assert rsis(monkeypatch, *command, "--animate") == 0
    output = capsys.readouterr()
    assert "skipped" in output.err
    assert "c.png: not a readable image" in output.err
    assert "3 images, " in output.out
    assert ", 1 skipped" in output.out

    model = RSIS.from_checkpoint(checkpoint)
    images, objects = rows(out / "images.csv"), rows(out / "objects.csv")
    assert [Path(row["image"]).relative_to(pictures).as_posix() for row in images] == ["a.png", "b.jpg", "more/a.png"]
    assert [row["name"] for row in images] == ["pictures_a_png", "b", "more_a_png"]
    coco = COCO()
    coco.dataset = json.loads((out / "coco.json").read_text())
    coco.createIndex()
    assert [item["name"] for item in coco.dataset["categories"]] == list(CLASSES)
    for number, row in enumerate(images, start=1):
        expected = predict_one(model, row["image"])
        with Image.open(out / "instance_maps" / f"{row['name']}.png") as stored:
            assert stored.mode == "I;16"
            assert np.array_equal(np.asarray(stored), expected.to_instance_map())
        with Image.open(out / "animations" / f"{row['name']}.gif") as animation:
            assert (
                sum(1 for _ in ImageSequence.Iterator(animation)) <= len(expected.instances) + 1
            )  # equal frames become one
        assert (out / "overlays" / f"{row['name']}.png").is_file()
        assert int(row["count"]) == len(expected.instances) == len(coco.getAnnIds(imgIds=number))
        of_image = [item for item in objects if item["image"] == row["image"]]
        assert [int(item["area"]) for item in of_image] == [item.area for item in expected.instances]
        assert [item["class"] for item in of_image] == [item.class_name for item in expected.instances]

    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert rsis(monkeypatch, *command) == 2
    assert "is there already; use --force" in capsys.readouterr().err
    (out / "mine.txt").write_text("stays")
    assert rsis(monkeypatch, *command, "--force") == 0
    assert before == {path: path.read_bytes() for path in before}
    assert (out / "mine.txt").is_file()


def test_a_pattern_and_tiles(checkpoint: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    arguments = ["--checkpoint", checkpoint, "--out", out, "--tile", 32, 32, "--steps", 2]
    assert rsis(monkeypatch, "predict-images", pictures / "*.jpg", *arguments) == 0
    assert [row["name"] for row in rows(out / "images.csv")] == ["b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["pictures/c.png"], "of 1 files none could be read"),
        (["pictures", "--mask-threshold", "3"], "mask_threshold is 3.0"),
        (["pictures", "--device", "abacus"], "device abacus: cannot be used"),
        (["pictures", "--tile", "0", "4"], "tiles of (0, 4)"),
    ],
)
def test_refusals_leave_nothing(
    checkpoint: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert rsis(monkeypatch, "predict-images", *arguments, "--checkpoint", checkpoint, "--out", "out") == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_info_prints_what_a_checkpoint_says(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rsis(monkeypatch, "info", checkpoint) == 0
    text = capsys.readouterr().out
    for line in ("run: small", '  backbone: "resnet18"', "  val/total: 0.5", "  mean: [0.485, 0.456, 0.406]"):
        assert line in text.splitlines()
    assert rsis(monkeypatch, "info", checkpoint, "--json") == 0
    assert json.loads(capsys.readouterr().out)["predict"]["num_steps"] == 3
    assert rsis(monkeypatch, "info", "nowhere.safetensors") == 2
    assert "nowhere.safetensors: no such checkpoint" in capsys.readouterr().err
