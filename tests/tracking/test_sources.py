"""The availability of data sets before and after a download; with real folders and without a server."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from support.command_line import TINY
from support.in_process import rsis
from support.own_folders import write_coco, write_masks
from support.plant_folder import PLANTS, plant_section, write_plant_folder
from support.reference_data import REPOSITORY

from rsis.config.datasets import AnyDataset, Dataset
from rsis.config.params import load_params
from rsis.data.download.run import download
from rsis.tracking.sources import look, table_of


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project without credentials."""
    monkeypatch.chdir(tmp_path)
    for name in ("CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD", "CITYSCAPES_DIR", "CVPPP_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path


def seen(dataset: AnyDataset, name: str = "x") -> tuple[str, str]:
    status = look(name, dataset, Path("data/raw") / name)
    assert "\n" not in status.text
    return status.state, status.text


def masks(source: dict[str, Any], **more: Any) -> AnyDataset:
    section = {"format": "masks", "source": source, "size": (16, 16), "splits": {"train": {}}}
    return TypeAdapter(Dataset).validate_python(section | more)


def test_generated_data(here: Path) -> None:
    dataset = plant_section(PLANTS)
    assert seen(dataset) == ("generated", "4 pictures of 24 x 24 pixels")
    download("x", dataset, Path("data/raw/x"))
    assert seen(dataset) == ("there", "train 2, test 1 images in data/raw/x")
    picture = min(Path("data/raw/x/testing/A1").glob("*_rgb.png"))
    picture.write_bytes(b"cut")
    state, text = seen(dataset)
    assert state == "broken"
    assert f"{picture.name}: 3 bytes, recorded as" in text
    picture.unlink()
    assert f"{picture.name}: recorded by `rsis download`, not there now" in seen(dataset)[1]
    Path("data/raw/x/MANIFEST.json").write_text("{}")
    assert seen(dataset)[0] == "broken"


def test_every_data_set_of_the_repository_in_a_bare_clone() -> None:
    params = load_params(REPOSITORY / "params.yaml")
    found = {name: seen(dataset, name) for name, dataset in params.datasets.items() if "../" not in str(dataset.source)}
    assert {found[name][0] for name in ("plants", "scenes", "streets")} == {"generated"}
    assert found["scenes"][1] == "480 pictures of 96 x 96 pixels"
    assert found["streets"][1] == "370 pictures of 128 x 256 pixels"
    assert found["pascal"] == (
        "to fetch",
        "2.0 GB and 1 file of unknown size from thor.robots.ox.ac.uk, www2.eecs.berkeley.edu",
    )
    assert found["nuclei_full"] == ("to fetch", "1 file of unknown size from data.broadinstitute.org")
    state, text = found["cvppp"]
    assert state == "missing"
    for piece in ("data/cvppp: no such folder", "form at https://www.plant-phenotyping.org/datasets", "CVPPP_DIR"):
        assert piece in text
    state, text = found["cityscapes"]
    assert state == "missing"
    for piece in ("account", "/register/", "CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD", "CITYSCAPES_DIR"):
        assert piece in text


def test_archives_that_were_fetched_before(here: Path) -> None:
    files = {"a.zip": {"urls": ("https://a.example/a.zip",), "size": 82_900_000}}
    files |= {"b.zip": {"urls": ("https://b.example/b", "https://a.example/b"), "size": 100_000}}
    dataset = masks({"kind": "archives", "files": files})
    assert seen(dataset) == ("to fetch", "83 MB from a.example, b.example")
    kept = Path("data/raw/.archives/x")
    kept.mkdir(parents=True)
    (kept / "a.zip").touch()
    assert seen(dataset)[1].startswith("83 MB")
    (kept / "b.zip").touch()
    assert seen(dataset) == ("to fetch", "fetched before, to be unpacked from data/raw/.archives/x")


def test_a_folder_of_the_users(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = masks({"kind": "folder", "path": "mine", "env": "MINE", "obtain": "ask her for it;"})
    expected = "mine: no such folder; ask her for it; put it there, or correct datasets.x.source.path or set the "
    assert seen(dataset) == ("missing", f"{expected}environment variable MINE")
    write_masks(here / "mine", ["a", "b", "c"])
    assert seen(dataset) == ("there", "train 3 images in mine")
    download("x", dataset, Path("data/raw/x"))
    assert seen(dataset) == ("there", "train 3 images in mine")
    (here / "mine/b/images/b.png").unlink()
    assert seen(dataset)[0] == "broken"
    write_masks(here / "other", ["d"])
    monkeypatch.setenv("MINE", str(here / "other"))  # the manifest is that of the first folder
    assert seen(dataset) == ("there", "train 1 images in other")
    (here / "other/d/images/d.png").unlink()
    state, text = seen(dataset)
    assert state == "broken"
    assert "other: no folder in it has a folder images with a picture" in text or "holds 0 pictures" in text


def test_images_that_are_left_out_are_not_counted(here: Path) -> None:
    write_coco(here / "mine/all.json", here / "mine/images", ["a", "b"])
    (here / "mine/images/a.png").unlink()
    section = {
        "format": "coco",
        "source": {"kind": "folder", "path": "mine"},
        "size": (16, 16),
        "splits": {"train": {"annotations": "all.json", "images": "images"}},
    }
    coco = TypeAdapter(Dataset).validate_python
    assert seen(coco(section))[0] == "broken"
    assert seen(coco(section | {"skip_bad": True})) == ("there", "train 1 images in mine")


def test_the_hdf5_files_of_the_leaf_challenge(here: Path) -> None:
    (here / "lsc").mkdir()
    (here / "lsc/CVPPP2017_training_images.h5").touch()
    dataset = plant_section({"kind": "folder", "path": "lsc"})
    assert seen(dataset) == ("there", "1 .h5 files in lsc, which `rsis download x` writes out")
    write_plant_folder(here / "plants")
    assert seen(plant_section({"kind": "folder", "path": "plants"})) == ("there", "train 2, test 1 images in plants")


def test_cityscapes_by_account_by_hand_and_by_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = load_params(REPOSITORY / "params.yaml").dataset("cityscapes")
    assert seen(dataset)[0] == "missing"
    monkeypatch.setenv("CITYSCAPES_USERNAME", "member")
    assert seen(dataset)[0] == "missing"
    monkeypatch.setenv("CITYSCAPES_PASSWORD", "s3cret")
    state, text = seen(dataset)
    assert (state, text) == (
        "to fetch",
        "2 packages from www.cityscapes-dataset.com, with CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD",
    )
    kept = Path("data/raw/.archives/x")
    kept.mkdir(parents=True)
    for name in ("gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip"):
        zipfile.ZipFile(kept / name, "w").close()
    assert seen(dataset)[1].startswith("fetched before")
    monkeypatch.setenv("CITYSCAPES_DIR", str(here / "typo"))
    state, text = seen(dataset)
    assert state == "missing"
    assert "CITYSCAPES_DIR" in text


def test_data_sets_that_lack_the_same_are_explained_once() -> None:
    params = load_params(REPOSITORY / "params.yaml")
    names = ("cvppp", "plants", "cvppp_500")
    _, rows = table_of([look(name, params.datasets[name], Path("data/raw") / name) for name in names])
    assert rows[1:] == [
        ("plants", "generated", "480 pictures of 96 x 96 pixels"),
        ("cvppp_500", "missing", "as cvppp"),
    ]


def test_the_command_reads_no_picture_and_fails_only_for_what_is_broken(here: Path) -> None:
    leaves = (
        "  leaves: {format: cvppp, source: {kind: folder, path: leaves}, size: [8, 8], splits: {train: {folder: a}}}\n"
    )
    text = TINY.replace("datasets:\n", f"datasets:\n{leaves}", 1).replace("[plants]", "[plants, leaves]")
    Path("params.yaml").write_text(text)
    done = rsis(here, "check", "--all")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:3]] == [
        ["plants", "generated"],
        ["leaves", "missing"],
    ]
    assert "no picture" in done.stdout.splitlines()[3]
    assert sorted(path.name for path in here.iterdir()) == ["params.yaml"]
    assert rsis(here, "download", "plants").returncode == 0
    picture = min((here / "data/raw/plants/testing/A1").glob("*_rgb.png"))
    picture.write_bytes(bytes(picture.stat().st_size))  # of the right size, but not an image
    assert "plants    there" in rsis(here, "check", "--all").stdout
    assert rsis(here, "check", "plants").returncode == 2
    picture.unlink()
    done = rsis(here, "check", "--all")
    assert done.returncode == 2
    assert done.stderr == "rsis: plants: broken, see above; restore what is named there, or download it again\n"
    assert rsis(here, "check", "--all", "--note", "state/sources.txt").returncode == 0  # a download repairs it
    assert rsis(here, "download", "leaves").returncode == 2
    assert not (here / "state/sources.txt").exists()


def test_the_command_takes_names_or_all(here: Path) -> None:
    Path("params.yaml").write_text(TINY)
    for arguments in ((), ("plants", "--all")):
        done = rsis(here, "check", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("rsis: check: name data sets, or give --all")
    assert "no data set 'x'" in rsis(here, "check", "x").stderr
    assert rsis(here, "download", "plants").returncode == 0
    text = TINY.replace(
        "runs:", TINY[TINY.index("  plants:") : TINY.index("runs:")].replace("plants:", "more:") + "runs:", 1
    )
    Path("params.yaml").write_text(text)
    assert rsis(here, "download", "more").returncode == 0
    assert rsis(here, "check", "plants", "more").stdout.count("per image, mean") == 2
