"""`rsis init` suggests parameters from the data, and changes nothing else in params.yaml."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from support.command_line import TINY
from support.in_process import exit_code as rsis
from support.own_folders import write_coco, write_maps, write_masks
from support.reference_data import REPOSITORY

from rsis.config.datasets import MapsDataset
from rsis.config.params import load_params
from rsis.errors import UserError
from rsis.own_data.findings import Findings
from rsis.own_data.suggest import suggest

NAMES = [f"p{number:02d}" for number in range(20)]


def findings(counts: list[int], side: float = 20.0, size: tuple[int, int] = (256, 320), train: int = 70) -> Findings:
    sides = np.full(max(1, sum(counts)), side)
    images = {"train": train, "val": 15}
    return Findings(images, np.array(counts), np.array([size] * len(counts)), sides, {"cell": sum(counts)})


def test_numbers_follow_from_the_data() -> None:
    found = suggest(findings([3, 7, 5]))
    assert found.size == (192, 224)  # an object of 20 pixels a side keeps 14
    assert found.num_steps == 8
    assert found.notes == ()
    assert suggest(findings([3, 7, 5], side=6)).size == (256, 320)
    many = suggest(findings([3, 100]))
    assert many.num_steps == 51
    assert "1 of 2 images have more objects than the 50" in many.notes[0]
    with pytest.raises(UserError, match="no image has an object"):
        suggest(Findings({"train": 1}, np.array([0]), np.array([[4, 4]]), np.array([]), {}))


def test_a_large_picture_keeps_its_shape_and_what_gets_lost_is_said() -> None:
    found = suggest(findings([3], side=10, size=(2000, 3000)))
    assert found.size == (352, 512)
    (note,) = found.notes
    assert "under 1.7 pixels a side at the network's size, 352 x 512: cut the pictures" in note
    assert suggest(findings([3], side=30, size=(100, 1000))).size == (64, 512)


@pytest.mark.parametrize(
    ("train", "batch", "epochs"),
    [(70, 8, 188), (70_000, 8, 10), (63, 4, 100), (20, 4, 160), (8, 4, 160), (3, 3, 300), (1, 1, 300)],
)
def test_the_training_has_1500_steps_where_there_are_images_for_it(train: int, batch: int, epochs: int) -> None:
    found = suggest(findings([3], train=train))
    assert (found.batch_size, found.epochs) == (batch, epochs)
    assert found.epochs * (train // batch) >= (1500 if train >= 40 else max(300, 40 * train))


def test_the_file_stays_as_it_was_but_for_two_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_masks(tmp_path / "My cells!", NAMES)
    before = (REPOSITORY / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(before)

    assert rsis(monkeypatch, "init", "My cells!", "--class-name", "nucleus") == 0

    output = capsys.readouterr().out
    assert "a folder for each picture, with a mask for each object" in output
    assert "rsis train my_cells" in output
    after = (tmp_path / "params.yaml").read_text()
    kept = iter(after.splitlines())
    assert all(line in kept for line in before.splitlines())  # all old lines, in their order, around the new entries
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
    write_coco(tmp_path / "mine/all.json", tmp_path / "mine/images", NAMES)
    assert rsis(monkeypatch, "init", "mine", "--name", "things", "--dry-run") == 0
    assert "    format: coco\n" in capsys.readouterr().out
    assert not (tmp_path / "params.yaml").exists()
    assert rsis(monkeypatch, "init", "mine", "--name", "things") == 0
    assert "an epoch" not in capsys.readouterr().out
    assert load_params(tmp_path / "params.yaml").run("things").score.scorers == ("coco",)
    assert rsis(monkeypatch, "init", "mine", "--name", "timed", "--estimate") == 0
    printed = capsys.readouterr().out
    assert re.search(r"^training: about \d+ s an epoch on this machine, \d+ (s|min) in all$", printed, re.MULTILINE)
    assert printed.index("an epoch") < printed.index("rsis run timed")
    assert rsis(monkeypatch, "init", "mine", "--name", "no/name") == 2


def test_no_other_byte_of_a_file_changes_whatever_ends_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_maps(tmp_path / "cells", NAMES[:3])
    before = (REPOSITORY / "params.yaml").read_bytes().replace(b"\n", b"\r\n").rstrip()
    (tmp_path / "elsewhere.yaml").write_bytes(before)
    (tmp_path / "params.yaml").symlink_to("elsewhere.yaml")
    assert rsis(monkeypatch, "init", "cells") == 0
    assert (tmp_path / "params.yaml").is_symlink()
    after = (tmp_path / "elsewhere.yaml").read_bytes()
    assert b"\n" not in after.replace(b"\r\n", b"")
    rest = after
    for key in (b"    format: maps", b"    dataset: cells"):
        begin = rest.index(b"\r\n  cells:\r\n" + key)
        end = min(rest.index(top, begin) for top in (b"\r\n\r\nruns:", b"\r\n\r\ndefault:") if top in rest[begin:])
        rest = rest[:begin] + rest[end + 2 :]
    assert rest == before


@pytest.mark.parametrize("name", ["2018", "null", "on", "1e3", "my-cells"])
def test_names_that_yaml_takes_for_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_maps(tmp_path / "a folder", NAMES[:3])
    assert rsis(monkeypatch, "init", "a folder", "--name", name, "--class-name", "[/x]: 'a' # .5") == 0
    dataset = load_params(tmp_path / "params.yaml").dataset(name)
    assert isinstance(dataset, MapsDataset)
    assert dataset.class_name == "[/x]: 'a' # .5"
    assert yaml.safe_load((tmp_path / "params.yaml").read_text())["runs"][name]["dataset"] == name
    assert rsis(monkeypatch, "download", name) == 0


def test_what_is_refused_leaves_the_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_maps(tmp_path, NAMES[:3])
    assert rsis(monkeypatch, "init", ".", "--name", "all") == 2
    assert "the folder you are in is part of it" in capsys.readouterr().err
    assert not (tmp_path / "params.yaml").exists()
    write_maps(tmp_path / "cells", NAMES[:3])
    before = TINY + "comparisons: {both: [demo]}\n"
    (tmp_path / "params.yaml").write_text(before)
    for name, message in (("demo", "runs has demo already"), ("both", "comparisons has both already")):
        assert rsis(monkeypatch, "init", "cells", "--name", name) == 2
        assert message in capsys.readouterr().err
    assert rsis(monkeypatch, "init", "cells", "--class-name", "") == 2
    assert "--class-name: found ''" in capsys.readouterr().err
    inline = before.replace("datasets:\n  plants:", "datasets:\n  plants: &it", 1).replace(
        "runs:\n", "runs: !!map\n", 1
    )
    (tmp_path / "params.yaml").write_text(inline)
    assert rsis(monkeypatch, "init", "cells") == 2
    assert "has no line `runs:` of its own" in capsys.readouterr().err
    assert (tmp_path / "params.yaml").read_text() == inline
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["params.yaml"]


def test_a_picture_without_a_map_is_named_and_left_out_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_maps(tmp_path / "cells", NAMES[:8])
    (tmp_path / "cells/labels/p03.png").unlink()
    assert rsis(monkeypatch, "init", "cells", "--class-name", "cell") == 0
    output = capsys.readouterr()
    assert output.err.count("p03.png: has no instance map of that name") == 1
    rows = [line.split() for line in output.out.splitlines()]
    assert ["pictures", "5", "1", "2"] in rows
    assert ["left", "out", "1", "0", "0"] in rows
    assert rsis(monkeypatch, "download", "cells") == 0
    assert rsis(monkeypatch, "prepare", "cells", "--workers", 1) == 0
    captured = capsys.readouterr()
    assert ["used", "4", "1", "2"] in [line.split() for line in captured.out.splitlines()]
    params = tmp_path / "params.yaml"
    lines = [line for line in params.read_text().splitlines() if "skip_bad" not in line]
    params.write_text("\n".join(lines))
    assert rsis(monkeypatch, "download", "cells") == 2
    assert "p03.png: has no instance map" in capsys.readouterr().err


@pytest.mark.pipeline
def test_from_a_folder_to_a_report_and_new_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk-through in the documentation, with twenty pictures and one epoch."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(TINY)
    write_maps(tmp_path / "cells", NAMES)
    assert rsis(monkeypatch, "init", "cells") == 0
    text = (tmp_path / "params.yaml").read_text()
    head, own = text.split("  cells:\n    dataset: cells")
    for line in ("epochs: ", "validate_every: "):
        place = own.index(line) + len(line)
        own = own[:place] + "1" + own[place:].lstrip("0123456789")
    own = own.replace("objectness_threshold: 0.4", "objectness_threshold: 0.0").replace(
        "num_steps: 100", "num_steps: 3"
    )
    (tmp_path / "params.yaml").write_text(f"{head}  cells:\n    dataset: cells{own}")
    for command in ("download", "check", "prepare", "train", "predict", "score", "report"):
        assert rsis(monkeypatch, command, "cells") == 0, command
    assert (tmp_path / "reports/cells.html").is_file()
    shutil.copytree(tmp_path / "cells/images", tmp_path / "new")
    arguments = ["--checkpoint", "models/cells.safetensors", "--out", "found", "--tile", 32, 32]
    assert rsis(monkeypatch, "predict-images", "new", *arguments) == 0
    assert len(list((tmp_path / "found/overlays").iterdir())) == 20
