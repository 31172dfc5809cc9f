"""`rsis init` recognises the three forms, says what follows from the data, and leaves params.yaml whole."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from own_folders import write_coco, write_maps, write_masks
from PIL import Image
from test_cli import TINY

from rsis.cli import main
from rsis.config import load_params
from rsis.errors import UserError
from rsis.own_data.recognize import recognize
from rsis.own_data.suggest import Findings, inspect, suggest

REPOSITORY = Path(__file__).parents[2]
NAMES = [f"p{number:02d}" for number in range(20)]


def rsis(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["rsis", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def split_names(folder: Path) -> dict[str, str]:
    """Format, and of each split its files and share, in one line each."""
    found = recognize(folder)
    return {"format": found.format} | {
        split: " ".join(str(value) for value in section.values()) for split, section in found.splits.items()
    }


def test_maps_in_two_folders_or_in_one(tmp_path: Path) -> None:
    write_maps(tmp_path / "two", NAMES[:4], "pictures", "masks", "_mask")
    write_maps(tmp_path / "one", NAMES[:4], ".", ".", "_label")
    assert split_names(tmp_path / "two") == {
        "format": "maps",
        "train": "pictures masks _mask (0.0, 0.7)",
        "val": "pictures masks _mask (0.7, 0.85)",
        "test": "pictures masks _mask (0.85, 1.0)",
    }
    assert split_names(tmp_path / "one")["train"] == ". . _label (0.0, 0.7)"


def test_folders_named_like_splits_are_the_splits(tmp_path: Path) -> None:
    write_maps(tmp_path / "Train", NAMES[:4])
    write_maps(tmp_path / "test", NAMES[4:6])
    assert split_names(tmp_path) == {
        "format": "maps",
        "train": "Train/images Train/labels (0.0, 0.85)",
        "val": "Train/images Train/labels (0.85, 1.0)",
        "test": "test/images test/labels",
    }


def test_a_folder_for_each_picture(tmp_path: Path) -> None:
    write_masks(tmp_path / "stage1_train", NAMES[:4])
    assert split_names(tmp_path)["train"] == "stage1_train (0.0, 0.85)"
    assert split_names(tmp_path / "stage1_train")["val"] == ". (0.7, 0.85)"


def test_coco_by_the_names_of_its_files(tmp_path: Path) -> None:
    write_coco(tmp_path / "annotations/instances_train2017.json", tmp_path / "train", NAMES[:4])
    write_coco(tmp_path / "annotations/instances_val2017.json", tmp_path / "val", NAMES[4:6])
    assert split_names(tmp_path) == {
        "format": "coco",
        "train": "annotations/instances_train2017.json train",
        "val": "annotations/instances_val2017.json val",
    }
    write_coco(tmp_path / "single/all.json", tmp_path / "single/images", NAMES[:4])
    assert split_names(tmp_path / "single")["test"] == "all.json images (0.85, 1.0)"


def test_what_is_none_of_them_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no: no such folder; expected one of: a COCO instance JSON"):
        recognize(tmp_path / "no")
    Image.new("L", (4, 4)).save(tmp_path / "lonely.png")
    with pytest.raises(UserError, match=r"found lonely\.png; expected one of"):
        recognize(tmp_path)
    for name in ("a.json", "b.json"):
        write_coco(tmp_path / name, tmp_path / "images", NAMES[:2])
    with pytest.raises(UserError, match=r"a\.json and b\.json could both be the annotations"):
        recognize(tmp_path)


def findings(counts: list[int], side: float = 20.0, size: tuple[int, int] = (256, 320), train: int = 70) -> Findings:
    sides = np.full(max(1, sum(counts)), side)
    return Findings(
        {"train": train, "val": 15}, np.array(counts), np.array([size] * len(counts)), sides, {"cell": sum(counts)},
        (), 0,
    )  # fmt: skip


def test_numbers_follow_from_the_data() -> None:
    found = suggest(findings([3, 7, 5]))
    assert found.size == (64, 96)  # 6 of 20 pixels are left of an object
    assert found.num_steps == 8
    assert found.epochs == 300  # eight steps each
    assert found.tiling == ""
    assert suggest(findings([3, 7, 5], side=6)).size == (256, 320)
    assert suggest(findings([3], side=2, size=(2000, 3000))).size == (512, 512)
    assert suggest(findings([3], train=70_000)).epochs == 10
    many = suggest(findings([3, 100]))
    assert many.num_steps == 21
    assert "1 of 2 images have more objects than the 20" in many.tiling
    assert "--tile 81 101" in many.tiling
    with pytest.raises(UserError, match="no image has an object"):
        suggest(Findings({"train": 1}, np.array([0]), np.array([[4, 4]]), np.array([]), {}, (), 0))


def test_odd_data_is_noticed(tmp_path: Path) -> None:
    write_maps(tmp_path, NAMES)
    labels = sorted((tmp_path / "labels").iterdir())
    for path in labels:
        Image.fromarray(255 * (np.asarray(Image.open(path)) > 0).astype(np.uint8)).save(path)
    labels[0].write_bytes(b"x")
    Image.new("L", (64, 48)).save(labels[1])
    labels[2].unlink()
    from rsis.dataset_config import MapsDataset
    from rsis.own_split import MapsSplit
    from rsis.source_config import FolderSource

    split = MapsSplit(images="images", maps="labels")
    source = FolderSource(kind="folder", path=str(tmp_path))
    found = inspect(MapsDataset(format="maps", source=source, size=(32, 32), splits={"train": split}), tmp_path)
    said = "\n".join(found.problems)
    assert found.bad == 2
    assert "p00.png: not a readable image" in said
    assert "p02.png: has no instance map" in said
    assert "1 of 18 images have no object" in said
    assert "these may be masks of a class, not of each object" in said


def test_the_file_stays_as_it_was_but_for_two_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_masks(tmp_path / "My cells!", NAMES)
    before = (REPOSITORY / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(before)

    assert rsis(monkeypatch, "init", "My cells!", "--class-name", "nucleus") == 0

    said = capsys.readouterr().out
    assert "a folder for each picture, with a mask for each object" in said
    assert "rsis train my_cells" in said
    after = (tmp_path / "params.yaml").read_text()
    kept = iter(after.splitlines())
    assert all(line in kept for line in before.splitlines())  # in their order, with entries between them
    params = load_params(tmp_path / "params.yaml")
    assert params.dataset("my_cells").format == "masks"
    run = params.run("my_cells")
    assert (run.dataset, run.predict.split, run.score.scorers) == ("my_cells", "test", ("cvppp", "coco"))
    assert load_params(REPOSITORY / "params.yaml").run("demo") == params.run("demo")
    assert rsis(monkeypatch, "init", "My cells!") == 2
    assert "datasets has my_cells already; take another --name" in capsys.readouterr().err
    assert (tmp_path / "params.yaml").read_text() == after


def test_a_dry_run_writes_nothing_and_an_absent_file_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_coco(tmp_path / "data/all.json", tmp_path / "data/images", NAMES)
    assert rsis(monkeypatch, "init", "data", "--name", "things", "--dry-run") == 0
    assert "    format: coco\n" in capsys.readouterr().out
    assert not (tmp_path / "params.yaml").exists()
    assert rsis(monkeypatch, "init", "data", "--name", "things") == 0
    assert load_params(tmp_path / "params.yaml").run("things").score.scorers == ("coco",)
    assert rsis(monkeypatch, "init", "data", "--name", "no/name") == 2


@pytest.mark.pipeline
def test_from_a_folder_to_a_report_and_new_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk-through of the documentation, on twenty pictures and with one epoch."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(TINY)
    write_maps(tmp_path / "cells", NAMES)
    assert rsis(monkeypatch, "init", "cells") == 0
    text = (tmp_path / "params.yaml").read_text()
    head, own = text.split("  cells:\n    dataset: cells")
    for line in ("epochs: ", "validate_every: "):
        place = own.index(line) + len(line)
        own = own[:place] + "1" + own[place:].lstrip("0123456789")
    own = own.replace("hidden_widths: [64, 32, 8, 4]", "hidden_widths: [8, 4]").replace("exclusive: true", "exclusive: "
        "true, objectness_threshold: 0.0")  # fmt: skip
    (tmp_path / "params.yaml").write_text(f"{head}  cells:\n    dataset: cells{own}")
    for command in ("download", "check", "prepare", "train", "predict", "score", "report"):
        assert rsis(monkeypatch, command, "cells") == 0, command
    assert (tmp_path / "reports/cells.html").is_file()
    shutil.copytree(tmp_path / "cells/images", tmp_path / "new")
    arguments = ["--checkpoint", "models/cells.safetensors", "--out", "found", "--tile", 32, 32]
    assert rsis(monkeypatch, "predict-images", "new", *arguments) == 0
    assert len(list((tmp_path / "found/overlays").iterdir())) == 20
