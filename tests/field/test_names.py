"""Names of pictures as file systems and archives make them, and names of runs: each works, or is one clear line."""

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from support.command_line import TINY, refused
from support.in_process import rsis
from support.own_folders import discs, write_maps
from support.reference_data import REPOSITORY
from support.small_model import write_small_model

from rsis.config.params import load_params
from rsis.errors import UserError


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors")


def write(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        path = folder / "pics" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:  # Pillow cannot open a name that is not UTF-8 for writing
            Image.fromarray(discs(number)[0]).save(file, "PNG")


def found(folder: Path, checkpoint: Path, *options: str) -> list[dict[str, str]]:
    """Predict all pictures; return the rows of images.csv after comparing them with the other files."""
    command = ["predict-images", "pics", "--checkpoint", str(checkpoint), "--out", "found", *options]
    done = rsis(folder, *command)
    assert done.returncode == 0, done.stderr
    with (folder / "found/images.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    document = json.loads((folder / "found/coco.json").read_text(encoding="utf-8"))
    assert [item["file_name"] for item in document["images"]] == [row["image"] for row in rows]
    names = sorted(row["name"].removeprefix("'") for row in rows)  # the table's cells are safe for spreadsheets
    for kind in ("overlays", "instance_maps"):
        assert sorted(path.stem for path in (folder / "found" / kind).iterdir()) == names
    return rows


def test_a_name_that_is_not_utf_8(tmp_path: Path, checkpoint: Path) -> None:
    write(tmp_path, "a.png", "z\udce4hl.png")
    assert [(row["image"], row["name"]) for row in found(tmp_path, checkpoint)] == [
        ("pics/a.png", "a"),
        ("pics/z\\xe4hl.png", "z_hl"),
    ]


def test_a_folder_that_is_not_utf_8(tmp_path: Path, checkpoint: Path) -> None:
    write(tmp_path, "b\udcfc/a.png", "c/a.png")
    assert [row["name"] for row in found(tmp_path, checkpoint)] == ["b__a_png", "c_a_png"]
    assert len({row["name"] for row in found(tmp_path, checkpoint, "--force")}) == 2


@pytest.mark.parametrize("length", [180, 181, 245, 251])
def test_the_longest_names(tmp_path: Path, checkpoint: Path, length: int) -> None:
    write(tmp_path, "short.png", "b" * length + ".png", "b" * (length - 1) + "c.png")
    names = [row["name"] for row in found(tmp_path, checkpoint, "--animate")]
    assert all(len(name) <= 200 for name in names)
    assert len(set(names)) == 3


def test_names_equal_but_for_case_accents_suffix_or_folder(tmp_path: Path, checkpoint: Path) -> None:
    write(tmp_path, "e\N{COMBINING ACUTE ACCENT}.png", "\N{LATIN SMALL LETTER E WITH ACUTE}.png", "A.png", "a.png")
    write(
        tmp_path, "x.png", "x.tif", "d.e/y.png", "d_e/y.png", "d/e_y.png", "100%_20.png", "-dash.png", "q'u\"o te.png"
    )
    names = [row["name"] for row in found(tmp_path, checkpoint)]
    assert len({os.path.normcase(name).casefold() for name in names}) == len(names) == 12
    assert {"100%_20", "'-dash", "q'u\"o te"} <= set(names)


def test_linked_folders_are_followed_once(tmp_path: Path, checkpoint: Path) -> None:
    write(tmp_path, "a.png", "sub/b.png")
    write(tmp_path / "store", "c.png")
    (tmp_path / "pics/more").symlink_to(tmp_path / "store/pics")
    (tmp_path / "pics/again").symlink_to("sub")
    (tmp_path / "pics/sub/circle").symlink_to(tmp_path / "pics")
    (tmp_path / "store/pics/back").symlink_to(tmp_path / "pics/sub")
    (tmp_path / "pics/nowhere").symlink_to("gone")
    assert [row["image"] for row in found(tmp_path, checkpoint)] == ["pics/a.png", "pics/more/c.png", "pics/sub/b.png"]


def test_a_picture_that_cannot_be_read_costs_that_picture_only(tmp_path: Path, checkpoint: Path) -> None:
    write(tmp_path, "a.png", "cut.png", "z.png")
    pics = tmp_path / "pics"
    (pics / "cut.png").write_bytes((pics / "cut.png").read_bytes()[:200])
    (pics / "empty.png").touch()
    (pics / "text.jpg").write_text("no picture")
    (pics / "gone.png").symlink_to("nowhere.png")
    Image.fromarray(np.zeros((1, 1), np.float32)).save(pics / "one.tif")
    Image.new("RGB", (1, 1)).save(pics / "dot.png")
    Image.new("RGB", (3000, 2)).save(pics / "line.png")
    names = {row["name"] for row in found(tmp_path, checkpoint, "--animate")}
    assert {"a", "z", "dot", "line"} <= names
    with Image.open(tmp_path / "found/overlays/line.png") as overlay:
        assert max(overlay.size) <= 4096


@pytest.mark.parametrize(
    "name", ["my run", "lr0.01", "v+1", "a/b", "-x", "", ".", "..", "a\n", "ä", "x" * 101, "$x", "a;b"]
)
@pytest.mark.parametrize("section", ["datasets", "runs", "comparisons"])
def test_names_that_engines_or_shells_read_otherwise_are_refused(tmp_path: Path, section: str, name: str) -> None:
    content = yaml.safe_load(TINY.replace("1e-3", "0.001"))
    content.setdefault("comparisons", {"both": ["demo"]})
    content[section] = {name: next(iter(content[section].values()))}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    with pytest.raises(UserError, match=re.escape("1 to 100 letters, digits, _ and -")):
        load_params(path)


@pytest.mark.parametrize("name", ["CON", "_x", "9", "a-b_C", "x" * 100])
def test_usual_names_are_accepted(tmp_path: Path, name: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(re.sub(r"(?<!kind: )\bplants\b", json.dumps(name), TINY))
    assert list(load_params(path).datasets) == [name]


def test_init_refuses_a_name_of_the_wrong_kind(tmp_path: Path) -> None:
    write_maps(tmp_path / "leaves", [f"cell{number}" for number in range(6)])
    for name in ("my run", "a/b", "lr0.01", "--x"):
        refused(rsis(tmp_path, "init", "leaves", f"--name={name}"), "--name: found")
    assert not (tmp_path / "params.yaml").exists()


def test_names_in_command_lines_of_both_engines_need_no_quotes() -> None:
    """`rsis.config.types.Name` allows no character that a shell reads otherwise."""
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    lines = [stage["do"]["cmd"] for stage in stages.values() if "do" in stage]
    assert all(re.fullmatch(r"rsis \w+ \$\{(item|key)\}", line) for line in lines), lines
