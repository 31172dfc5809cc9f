"""Tests of the stage `download`: data is made once, recorded, made again when needed, and never replaces user files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter
from support.plant_folder import PLANT_SPLITS, PLANTS, plant_section, snapshot

from rsis.config.datasets import CityscapesDataset, CocoDataset, VocDataset
from rsis.data.download.run import download
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.files.atomic import MARK
from rsis.files.manifest import read_manifest, verify


def test_plants_are_made_recorded_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "plants"
    manifest = download("plants", plant_section(PLANTS), folder)
    assert manifest == read_manifest(folder)
    assert manifest.root == folder.resolve()
    assert manifest.dataset == "plants"
    assert len(manifest.files) == 4 * 4 + 2
    verify(manifest)
    assert open_split(plant_section(PLANTS), manifest.root, "train").image_ids == ("plant001", "plant002")
    before = snapshot(folder)
    assert download("plants", plant_section(PLANTS), folder) == manifest
    assert snapshot(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["plants"]


def test_plants_are_made_again_when_parameters_or_files_changed(tmp_path: Path) -> None:
    folder = tmp_path / "plants"
    first = download("plants", plant_section(PLANTS), folder)
    other = download("plants", plant_section({**PLANTS, "seed": 3}), folder)
    assert other.digest != first.digest
    (folder / "training" / "A1" / "A1.csv").write_text("spoilt")
    assert download("plants", plant_section({**PLANTS, "seed": 3}), folder) == other
    verify(other)


def test_folder_is_recorded_where_it_stands(own: Path, tmp_path: Path) -> None:
    dataset, before = plant_section({"kind": "folder", "path": str(own)}), snapshot(own)
    manifest = download("mine", dataset, tmp_path / "raw" / "mine")
    assert manifest.root == own.resolve()
    assert {path.name for path in (tmp_path / "raw" / "mine").iterdir()} == {"MANIFEST.json", MARK}
    assert snapshot(own) == before
    recorded = snapshot(tmp_path / "raw")
    assert download("mine", dataset, tmp_path / "raw" / "mine") == manifest
    assert snapshot(tmp_path / "raw") == recorded
    (own / "training" / "A1" / "notes.txt").write_text("more")
    verify(manifest)  # no file of the data set
    (own / "training" / "A1" / "extra.png").write_text("more")
    with pytest.raises(UserError, match=r"extra.png: not recorded"):
        verify(manifest)
    verify(download("mine", dataset, tmp_path / "raw" / "mine"))


def test_environment_variable_replaces_the_path(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAVES_DIR", str(own))
    dataset = plant_section({"kind": "folder", "path": "nowhere", "env": "LEAVES_DIR"})
    assert download("mine", dataset, tmp_path / "mine").root == own.resolve()
    monkeypatch.delenv("LEAVES_DIR")
    with pytest.raises(UserError, match=r"nowhere: no such folder") as caught:
        download("mine", dataset, tmp_path / "mine")
    assert "datasets.mine.source.path" in str(caught.value)
    assert "LEAVES_DIR" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_in_the_raw_folder_itself_is_refused(own: Path) -> None:
    """DVC would remove this folder before it runs the stage."""
    before = snapshot(own)
    with pytest.raises(UserError, match=r"your data lies where rsis writes.*; move it elsewhere and correct datasets"):
        download("own", plant_section({"kind": "folder", "path": str(own)}), own)
    assert snapshot(own) == before


def test_foreign_files_are_never_replaced(own: Path) -> None:
    before = snapshot(own)
    with pytest.raises(UserError, match="which rsis did not write there"):
        download("own", plant_section(PLANTS), own)
    assert snapshot(own) == before
    assert before.items() <= snapshot(own).items()


def test_split_that_does_not_open_leaves_nothing(own: Path, tmp_path: Path) -> None:
    splits = {**PLANT_SPLITS, "val": {"folder": "training/A1", "take": (2, 9)}}
    for source in (PLANTS, {"kind": "folder", "path": str(own)}):
        with pytest.raises(UserError, match=r"has 3 plants, cannot take \[2, 9\]"):
            download("plants", plant_section(source, splits), tmp_path / "raw" / "plants")
        assert not (tmp_path / "raw").exists() or list((tmp_path / "raw").iterdir()) == []


def test_coco_folder(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    root.mkdir()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(root / "a.png")
    images = [{"id": 1, "file_name": "a.png", "height": 4, "width": 4}]
    content = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "cell"}]}
    (root / "cells.json").write_text(json.dumps(content))
    section: dict[str, Any] = {
        "format": "coco",
        "source": {"kind": "folder", "path": str(root)},
        "size": (4, 4),
        "splits": {"train": {"annotations": "cells.json", "images": "."}},
    }
    manifest = download("cells", CocoDataset.model_validate(section), tmp_path / "raw" / "cells")
    assert list(manifest.files) == ["a.png", "cells.json"]
    made = CocoDataset.model_validate({**section, "source": PLANTS})
    with pytest.raises(UserError, match=r"datasets\.cells: format is coco"):
        download("cells", made, tmp_path / "raw" / "made")


def test_missing_folder_tells_where_to_get_it(tmp_path: Path) -> None:
    source = {
        "kind": "folder",
        "path": str(tmp_path / "nowhere"),
        "env": "A1_DIR",
        "obtain": "it is given\n  for a signed form at https://example.org/data.",
    }
    with pytest.raises(UserError) as caught:
        download("cvppp", plant_section(source), tmp_path / "raw")
    assert str(caught.value) == (
        f"{tmp_path / 'nowhere'}: no such folder; it is given for a signed form at https://example.org/data; "
        "put it there, or correct datasets.cvppp.source.path or set the environment variable A1_DIR"
    )


def test_source_of_another_format_is_refused(tmp_path: Path) -> None:
    streets = {
        "kind": "streets",
        "seed": 1,
        "image_size": (64, 128),
        "train": 1,
        "val": 1,
        "test": 1,
        "objects": (1, 2),
    }
    with pytest.raises(UserError, match=r"datasets\.x: format is cvppp, a source of kind streets makes cityscapes"):
        download("x", plant_section(streets), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_generated_scenes_and_streets(tmp_path: Path) -> None:
    common = {"seed": 1, "image_size": (64, 128), "train": 2, "val": 1, "objects": (1, 2)}
    sections: dict[str, dict[str, Any]] = {
        "scenes": {
            "format": "voc",
            "source": {"kind": "scenes", "sbdataset": 1, **common},
            "voc": "VOCdevkit/VOC2012",
            "sbdataset": "benchmark_RELEASE/dataset",
            "splits": {"train": {"image_sets": ("train",), "sbdataset": ("train",)}, "test": {"image_sets": ("val",)}},
        },
        "streets": {
            "format": "cityscapes",
            "source": {"kind": "streets", "test": 1, **common},
            "splits": {"train": {"folder": "train"}, "val": {"folder": "val"}},
        },
    }
    for name, section in sections.items():
        dataset: VocDataset | CityscapesDataset = TypeAdapter(VocDataset | CityscapesDataset).validate_python(
            {"size": (32, 64), **section}
        )
        folder = tmp_path / name
        manifest = download(name, dataset, folder)
        before = snapshot(folder)
        assert download(name, dataset, folder) == manifest
        assert snapshot(folder) == before
        assert "generator" in manifest.source
