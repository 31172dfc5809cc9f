"""Results are never replaced in silence, and their tables run no formulas."""

import csv
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from support.in_process import rsis
from support.made_up_run import make_run
from support.small_model import SIZE, write_small_model

from rsis.errors import UserError
from rsis.eval.scores import Scores, read_scores, write_scores
from rsis.files.cells import as_cell, from_cell
from rsis.files.durable import sweep_folder
from rsis.machine.lock import alone_in


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors")


def predict(folder: Path, checkpoint: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    return rsis(folder, "predict-images", "pics", "--checkpoint", str(checkpoint), "--out", "o", *more)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "pics").mkdir()
    for name in ("=cmd()", "-a", "b"):
        Image.new("RGB", SIZE).save(tmp_path / "pics" / f"{name}.png")
    return tmp_path


HOLD = """
import sys
from pathlib import Path
from rsis.machine.lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("more", [(), ("--force",)])
def test_of_two_that_write_to_one_folder_the_second_is_refused(
    pictures: Path, checkpoint: Path, more: tuple[str, ...]
) -> None:
    command = [sys.executable, "-c", HOLD, str(pictures / "o")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        ended = predict(pictures, checkpoint, *more)
        assert ended.returncode == 2
        assert ended.stderr == "rsis: o: another process writes there; wait for its end, or name another folder\n"
        assert [path.name for path in (pictures / "o").iterdir()] == [".rsis.lock"]
        other.communicate()
    assert not (pictures / "o").exists()
    assert predict(pictures, checkpoint, *more).returncode == 0
    assert sorted(path.name for path in (pictures / "o").iterdir()) == [
        *("coco.json", "images.csv", "instance_maps", "objects.csv", "overlays")
    ]


def test_a_lock_that_a_killed_process_left_hinders_nobody(pictures: Path, checkpoint: Path) -> None:
    (pictures / "o/overlays").mkdir(parents=True)
    (pictures / "o/.rsis.lock").touch()
    left = [pictures / "o/.coco.rsis-abcdefgh.json", pictures / "o/overlays/.b.rsis-12345678.png"]
    mine = pictures / "o/overlays/.b.png"
    for path in (*left, mine):
        path.touch()
    assert predict(pictures, checkpoint).returncode == 0
    assert [path.exists() for path in left] == [False, False]
    assert mine.exists()
    assert not (pictures / "o/.rsis.lock").exists()


def test_only_leftovers_are_swept(tmp_path: Path) -> None:
    names = [".a.rsis-abcdefgh.png", ".a.rsis-short.png", "a.rsis-abcdefgh.png", ".a.png"]
    for name in names:
        (tmp_path / name).touch()
    sweep_folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
    sweep_folder(tmp_path / "nowhere")


def test_a_folder_is_left_as_it_was_found(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing"), alone_in(tmp_path / "a/b/c"):
        raise UserError("nothing")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with alone_in(tmp_path / "mine"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_tables_of_pictures_run_no_formula(pictures: Path, checkpoint: Path) -> None:
    ended = rsis(pictures / "pics", "predict-images", "./=cmd().png", "--checkpoint", str(checkpoint), "--out", "../o")
    assert ended.returncode == 0, ended.stderr
    with (pictures / "o/images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["name"]) for row in rows] == [("'=cmd().png", "'=cmd()")]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "'", "'=1", "leaf", "", "a=1"])
def test_cells_come_back(text: str) -> None:
    assert as_cell(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert from_cell(as_cell(text)) == text


def test_tables_of_scores_run_no_formula_and_come_back(tmp_path: Path) -> None:
    make_run(tmp_path)
    metrics, folder = tmp_path / "metrics/mine.json", tmp_path / "scores/mine"
    scores = read_scores(metrics, folder)
    named = scores.per_image.assign(image_id=[f"=cmd({number})" for number in range(len(scores.per_image))])
    changed = Scores(**{**vars(scores), "per_image": named})
    write_scores(changed, metrics, folder)
    lines = (folder / "per_image.csv").read_text().splitlines()
    assert all(line.startswith("'=cmd(") for line in lines[1:])
    pd.testing.assert_frame_equal(read_scores(metrics, folder).per_image, named)
