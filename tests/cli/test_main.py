"""The command line as a user sees it: one line and exit code 2 for every error that the user can correct."""

import contextlib
import json
import re
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import in_process
from support.command_line import TINY, refused, rsis
from support.reference_data import REPOSITORY

from rsis.files.atomic import MARK


@contextlib.contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Limit the size of files that this process writes to so many bytes."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def files(folder: Path) -> set[str]:
    """All files except locks, which are never removed."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith("state/locks/")}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every stage has run."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "params.yaml").write_text(TINY)
    for stage, name in (
        ("download", "plants"),
        ("prepare", "plants"),
        ("train", "demo"),
        ("predict", "demo"),
        ("score", "demo"),
        ("report", "demo"),
    ):
        result = in_process.rsis(folder, stage, name)
        assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(trained, tmp_path / "project"))


@pytest.mark.pipeline
def test_every_stage_without_dvc(trained: Path) -> None:
    metrics = json.loads((trained / "metrics/demo.json").read_text())
    assert {"cvppp/sbd", "cvppp/abs_dic", "cvppp/dic", "cvppp/fg_bg_dice", "coco/AP", "coco/AP50"} <= set(metrics)
    assert 0 <= metrics["cvppp/sbd"] <= 1
    for name in ("demo.md", "demo.html", "demo.csv"):
        assert (trained / "reports" / name).stat().st_size > 500
    hidden = {path.name for path in map(Path, files(trained)) if any(part.startswith(".") for part in path.parts)}
    assert hidden == {MARK}  # no temporary files are left


@pytest.mark.pipeline
def test_running_a_stage_again_changes_nothing(project: Path) -> None:
    before = {name: (project / name).read_bytes() for name in files(project)}
    for stage, name in (("download", "plants"), ("prepare", "plants"), ("train", "demo"), ("predict", "demo")):
        assert in_process.rsis(project, stage, name).returncode == 0
    assert {name: (project / name).read_bytes() for name in files(project)} == before


@pytest.mark.pipeline
def test_another_split_on_the_command_line(project: Path) -> None:
    for _ in range(2):  # the second time, rsis replaces its own file
        assert in_process.rsis(project, "predict", "demo", "--split", "val", "--out", "val.json").returncode == 0
    (project / "val-metrics.json").write_text("notes")
    files = ("--predictions", "val.json", "--metrics", "val-metrics.json", "--details", "val")
    command = ("score", "demo", "--split", "val", *files)
    refused(
        in_process.rsis(project, *command),
        "val-metrics.json: is there already and is not a file of figures that rsis wrote",
    )
    result = in_process.rsis(project, *command, "--force")
    assert result.returncode == 0, result.stderr
    assert "cvppp/sbd" in result.stdout
    assert json.loads((project / "val/protocol.json").read_text())["split"] == "val"
    unknown = in_process.rsis(project, "predict", "demo", "--split", "dev")
    assert unknown.returncode == 2
    assert "'dev' is not one of 'train', 'val', 'test'" in unknown.stderr


def test_help_explains_every_command() -> None:
    overview = rsis(REPOSITORY, "--help")
    assert overview.returncode == 0
    for command in ("download", "check", "prepare", "train", "predict", "score", "submit", "report"):
        assert command in overview.stdout
        page = in_process.rsis(REPOSITORY, command, "--help")
        assert page.returncode == 0
        assert "params.yaml" in page.stdout
    assert "[default: predictions/RUN.json]" in in_process.rsis(REPOSITORY, "score", "--help").stdout


def test_wrong_arguments_and_names(project: Path) -> None:
    assert in_process.rsis(project, "train").returncode == 2
    assert "Traceback" not in in_process.rsis(project, "trian", "demo").stderr
    refused(in_process.rsis(project, "train", "dmo"), "no run 'dmo'; it has demo")
    refused(in_process.rsis(project, "download", "plnts"), "no data set 'plnts'; it has plants")


def test_outside_a_project(tmp_path: Path) -> None:
    refused(rsis(tmp_path, "download", "plants"), "params.yaml: no such file")
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    ("stage", "name", "missing", "remedy"),
    [
        ("prepare", "plants", "data/raw/plants", "rsis download"),
        ("train", "demo", "data/processed/plants", "rsis prepare"),
        ("predict", "demo", "models/demo.safetensors", "rsis train demo"),
        ("score", "demo", "predictions/demo.json", "rsis predict"),
        ("report", "demo", "metrics/demo.json", "rsis score"),
    ],
)
def test_a_missing_input_names_the_command_that_makes_it(
    project: Path, stage: str, name: str, missing: str, remedy: str
) -> None:
    target = project / missing
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    shutil.rmtree(project / "state")
    before = files(project)
    refused(in_process.rsis(project, stage, name), missing, remedy)
    assert files(project) == before


def test_truncated_image_and_skip_bad(project: Path) -> None:
    """The manifest is made after the damage, as for a user's folder that was copied incompletely."""
    text = TINY.replace(
        "source: {kind: plants, seed: 3, image_size: [48, 48], training: 6, testing: 2, leaves: [4, 5]}",
        "source: {kind: folder, path: mine}",
    )
    shutil.move(project / "data/raw/plants", project / "mine")
    (project / "mine/MANIFEST.json").unlink()
    (project / "params.yaml").write_text(text)
    image = project / "mine/training/A1/plant002_rgb.png"
    image.write_bytes(image.read_bytes()[:200])
    assert in_process.rsis(project, "download", "plants").returncode == 0
    old = (project / "data/processed/plants/train.h5").read_bytes()
    refused(in_process.rsis(project, "prepare", "plants"), "plant002_rgb.png")
    assert (project / "data/processed/plants/train.h5").read_bytes() == old
    result = in_process.rsis(project, "prepare", "plants", "--skip-bad")
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[1:5] == [
        ["train", "val", "test"],
        ["pictures", "4", "2", "2"],
        ["used", "3", "2", "2"],
        ["left", "out", "1", "0", "0"],
    ]
    assert result.stderr.count("plant002") == 1


def test_raw_files_changed_after_the_download(project: Path) -> None:
    label = next((project / "data/raw/plants/training/A1").glob("*_label.png"))
    label.write_bytes(label.read_bytes() + b"x")
    refused(in_process.rsis(project, "prepare", "plants"), label.name, "rsis download")


def test_damaged_hdf5_and_another_schema(project: Path) -> None:
    split = project / "data/processed/plants/train.h5"
    content = split.read_bytes()
    split.write_bytes(content[: len(content) // 2])
    refused(in_process.rsis(project, "train", "demo", "--fresh"), "train.h5", "rsis prepare")


def test_checkpoint_of_another_architecture(project: Path) -> None:
    (project / "params.yaml").write_text(TINY.replace("hidden_widths: [8, 4]", "hidden_widths: [8, 8]"))
    refused(in_process.rsis(project, "predict", "demo"), "another architecture", "model.hidden_widths")


@pytest.mark.parametrize(
    ("stage", "name", "output", "limit"),
    [
        ("prepare", "plants", "data/processed/plants/train.h5", 4096),
        ("predict", "demo", "predictions/demo.json", 64),
        ("score", "demo", "metrics/demo.json", 64),
        ("report", "demo", "reports/demo.html", 2048),
    ],
)
def test_a_full_disk_keeps_the_old_file(project: Path, stage: str, name: str, output: str, limit: int) -> None:
    before, old = files(project), (project / output).read_bytes()
    with full_disk(limit):
        result = in_process.rsis(project, stage, name)
    refused(result)
    assert (project / output).read_bytes() == old
    assert files(project) == before


@pytest.mark.pipeline
def test_a_training_in_a_pipe_says_a_line_an_epoch(project: Path) -> None:
    talking = rsis(project, "train", "demo", "--fresh")
    lines = [line for line in talking.stderr.splitlines() if "epoch " in line]
    assert len(lines) == 2
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(rf"INFO     demo: epoch {number} of 2, 5 steps, training loss .*, \d+\.\d s", line)
    quiet = rsis(project, "train", "demo", "--fresh", "--quiet")
    assert (quiet.returncode, quiet.stderr) == (0, "")


def test_a_full_disk_while_training(project: Path) -> None:
    shutil.rmtree(project / "state")
    (project / "models/demo.safetensors").unlink()
    with full_disk(1_000_000):
        result = in_process.rsis(project, "train", "demo")
    refused(result, "cannot write")
    assert not (project / "models/demo.safetensors").exists()
