"""What stands in data/ was made from something else: every command that would use it notices, and says what to do."""

import contextlib
import re
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image
from support.command_line import refused
from support.in_process import rsis
from support.own_folders import write_maps
from support.params_text import change as changed

from rsis.cli.split_option import SplitOfRun
from rsis.config.params import load_params

PARAMS = """
datasets:
  leaves:
    format: maps
    source: {kind: folder, path: leaves}
    size: [32, 32]
    splits:
      train: {images: images, maps: labels, share: [0.0, 0.6]}
      val: {images: images, maps: labels, share: [0.6, 0.8]}
      test: {images: images, maps: labels, share: [0.8, 1.0]}
  plants:
    format: cvppp
    source: {kind: plants, seed: 3, image_size: [48, 48], training: 6, testing: 2, leaves: [4, 5]}
    size: [32, 32]
    splits:
      train: {folder: training/A1, take: [0, 4]}
      val: {folder: training/A1, take: [4, 6]}
runs:
  leaves: &run
    dataset: leaves
    model: {backbone: resnet18, stride: 8, hidden_widths: [8, 4]}
    train: {epochs: 1, batch_size: 2, num_steps: 5, workers: 0, lr: 1e-3, lr_encoder: 1e-3, keep: last}
    predict: {num_steps: 5}
    score: {scorers: [coco]}
  plants: {<<: *run, dataset: plants, predict: {num_steps: 5, split: val}}
default: {datasets: [], runs: {}}
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two prepared data sets, one of them of the user's pictures; leaves is trained."""
    folder = tmp_path_factory.mktemp("stale") / "project"
    names = [f"cell{number}" for number in range(10)]
    write_maps(folder / "leaves", names)
    write_maps(folder / "other", [*names, "cell10"])
    write_maps(folder / "leaves", names, "images2", "labels2")
    for name in names:  # equal names and sizes, other content
        for part in ("images2", "labels2"):
            path = folder / f"leaves/{part}/{name}.png"
            Image.open(path).transpose(Image.Transpose.ROTATE_180).save(path)
    (folder / "params.yaml").write_text(PARAMS)
    for command in ("download leaves", "prepare leaves", "download plants", "prepare plants", "train leaves --quiet"):
        assert rsis(folder, *command.split()).returncode == 0
    return folder


@pytest.fixture
def project(prepared: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(prepared, tmp_path / "copied"))


def edit(project: Path, key: str, value: object) -> None:
    path = project / "params.yaml"
    path.write_text(changed(path.read_text(), key, value))


def check(project: Path, name: str, *splits: str) -> None:
    """What train and predict do first."""
    with contextlib.chdir(project):
        SplitOfRun(load_params(), name, None).check_prepared(*splits)


def follow(project: Path, message: str) -> None:
    """Run the commands that a message names, in order."""
    commands = re.findall(r"`rsis ([^`]+)`", message)
    assert commands, message
    for command in commands:
        done = rsis(project, *command.split())
        assert done.returncode == 0, done.stderr


EDITS = [
    ("leaves", "source.path", "other", "lists the files of"),
    ("leaves", "size", [64, 32], "made with size [32, 32], but params.yaml has [64, 32]"),
    ("leaves", "class_name", "cell", "made with class_name object, but params.yaml has cell"),
    ("leaves", "splits.train.share", [0.0, 0.5], "made with split.share [0.0, 0.6], but params.yaml has [0.0, 0.5]"),
    ("leaves", "splits.train.seed", 3, "made with split.seed 0, but params.yaml has 3"),
    ("leaves", "splits.val.images", "images2", "made with split.images images, but params.yaml has images2"),
    ("leaves", "splits.val", ..., "has train, test, but no val"),
    ("plants", "source.seed", 4, "made with source.seed 3, but params.yaml has 4"),
    ("plants", "source.leaves", [4, 4], "made with source.leaves [4, 5], but params.yaml has [4, 4]"),
    ("plants", "splits.train.take", [0, 3], "made with split.take [0, 4], but params.yaml has [0, 3]"),
]


@pytest.mark.parametrize(("name", "key", "value", "said"), EDITS, ids=[edit[1] for edit in EDITS])
def test_an_edited_data_set_is_noticed(project: Path, name: str, key: str, value: object, said: str) -> None:
    edit(project, f"datasets.{name}.{key}", value)
    message = refused(rsis(project, "train", name, "--quiet"), said, "run `rsis ")
    status = rsis(project, "status", name)
    assert f"note: {message.removeprefix('rsis: ')}" in status.stderr.splitlines()
    assert "done" not in status.stdout
    if key in ("size", "source.path"):
        edit(project, f"runs.{name}.predict.split", "train")
        refused(rsis(project, "predict", name), said)
    if key.startswith("source"):
        refused(rsis(project, "prepare", name), said)
        refused(rsis(project, "score", name), said)
        refused(rsis(project, "submit", name), said)
    follow(project, message)
    check(project, name, "train", "val")
    assert "note" not in rsis(project, "status", name).stderr


@pytest.mark.parametrize(
    ("key", "value"),
    [("splits.test.share", [0.9, 1.0]), ("skip_bad", True), ("source.obtain", "ask"), ("splits.test", ...)],
)
def test_an_edit_that_changes_nothing_of_a_training_makes_it_not_stale(project: Path, key: str, value: object) -> None:
    edit(project, f"datasets.leaves.{key}", value)
    check(project, "leaves", "train", "val")
    done = rsis(project, "train", "leaves", "--quiet")
    assert "nothing to do" in done.stderr


def test_a_split_that_the_data_set_lacks_is_named_with_those_there_are(project: Path) -> None:
    edit(project, "runs.plants.predict.split", "test")
    message = refused(rsis(project, "predict", "plants"), "has train, val, but no test", "predict.split")
    assert "`rsis prepare" not in message  # that would change nothing
    edit(project, "runs.leaves.predict.split", "test")
    edit(project, "datasets.leaves.splits.test.share", [0.9, 1.0])
    status = rsis(project, "status", "leaves")
    assert status.stdout.splitlines()[1].split()[:2] == ["leaves", "done"]  # the training
    assert "note: data/processed/leaves/test.h5: made with split.share" in status.stderr


def test_data_of_another_variable_is_noticed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(project, "datasets.leaves.source.env", "LEAVES")
    check(project, "leaves", "train")
    monkeypatch.setenv("LEAVES", str(project / "other"))
    message = refused(rsis(project, "train", "leaves", "--quiet"), "lists the files of", "other")
    follow(project, message)
    check(project, "leaves", "train", "val")


def test_a_moved_project_is_still_done(project: Path) -> None:
    moved = project.rename(project.with_name("moved"))
    for command in ("train leaves --quiet", "prepare leaves", "train leaves --quiet"):
        done = rsis(moved, *command.split())
        assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stderr


def test_an_absolute_path_that_a_move_made_wrong_is_corrected(project: Path) -> None:
    old = project / "leaves"
    edit(project, "datasets.leaves.source.path", str(old))
    assert rsis(project, "download", "leaves").returncode == 0
    moved = project.rename(project.with_name("moved"))
    for command in ("prepare leaves", "score leaves"):
        message = refused(
            rsis(moved, *command.split()), f"{old}: no such folder", "correct datasets.leaves.source.path"
        )
        assert "split" not in message
    assert rsis(moved, "train", "leaves").returncode == 0  # it needs no pictures, and what was prepared is whole
    edit(moved, "datasets.leaves.source.path", "leaves")
    check(moved, "leaves", "train", "val")
    assert rsis(moved, "prepare", "leaves").returncode == 0


def test_a_copied_project_does_not_use_the_old_ones_files_in_silence(project: Path) -> None:
    edit(project, "datasets.leaves.source.path", str(project / "leaves"))
    assert rsis(project, "download", "leaves").returncode == 0
    copy = Path(shutil.copytree(project, project.with_name("copy")))
    message = refused(rsis(copy, "train", "leaves"), f"the source of leaves is {project / 'leaves'}")
    follow(copy, message)
    check(copy, "leaves", "train", "val")


def test_a_folder_that_is_gone_is_named(project: Path) -> None:
    gone = project / "leaves"
    gone.rename(project / "kept")
    message = refused(rsis(project, "prepare", "leaves"), "leaves: no such folder", "put it there, or correct")
    assert "restore it" not in message
    check(project, "leaves", "train", "val")  # which need the prepared files alone
    edit(project, "datasets.leaves.source.path", "kept")
    follow(project, refused(rsis(project, "prepare", "leaves"), "lists the files of"))
    check(project, "leaves", "train", "val")


def test_files_that_no_split_uses_change_nothing(project: Path) -> None:
    for name in ("Thumbs.db", "images/.DS_Store", "notes.txt", "labels/table.xlsx", "desktop.ini", "export.zip"):
        (project / "leaves" / name).write_text("x")
    for again in range(2):
        for command in ("prepare leaves", "download leaves", "train leaves --quiet"):
            done = rsis(project, *command.split())
            assert done.returncode == 0, done.stderr
        assert "nothing to do" in done.stderr
        for name in ("Thumbs.db", "notes.txt"):
            (project / "leaves" / name).write_text(f"changed {again}")
    (project / "leaves/notes.txt").unlink()
    assert rsis(project, "prepare", "leaves").returncode == 0


def test_a_picture_that_a_split_would_use_is_noticed(project: Path) -> None:
    write_maps(project / "leaves", ["new1"])
    message = refused(rsis(project, "prepare", "leaves"), "new1.png: not recorded", "`rsis download leaves`")
    follow(project, message)
    assert rsis(project, "prepare", "leaves").returncode == 0


def test_prepare_says_each_thing_once(project: Path) -> None:
    done = rsis(project, "prepare", "leaves")
    lines = (done.stdout + done.stderr).splitlines()
    rows = [line.split() for line in lines]
    assert rows[1:3] == [["train", "val", "test"], ["pictures", "6", "2", "2"]]
    assert len(lines) == len(set(lines)) == 6


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are always text there")
def test_a_name_that_is_no_text_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    write_maps(tmp_path / "leaves", [f"cell{number}" for number in range(6)])
    for part in ("images", "labels"):
        (tmp_path / f"leaves/{part}/cell3.png").rename(tmp_path / f"leaves/{part}/z\udce4hl.png")
    refused(rsis(tmp_path, "init", "leaves"), "z\\xe4hl", "is not UTF-8; rename it")
    assert not (tmp_path / "params.yaml").exists()
    for part in ("images", "labels"):
        (tmp_path / f"leaves/{part}/z\udce4hl.png").rename(tmp_path / f"leaves/{part}/zaehl.png")
    for command in ("init leaves", "download leaves", "prepare leaves"):
        assert rsis(tmp_path, *command.split()).returncode == 0
