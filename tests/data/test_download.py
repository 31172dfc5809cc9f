"""Downloads: made once, recorded, redone when they must be, and never over somebody's files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rsis.data.download import download
from rsis.data.readers import open_split
from rsis.data.synthetic import write_plants
from rsis.dataset_config import CocoDataset, CvpppDataset
from rsis.errors import UserError
from rsis.manifest import read_manifest, verify

SOURCE: dict[str, Any] = {
    "kind": "plants",
    "seed": 2,
    "image_size": (24, 24),
    "training": 3,
    "testing": 1,
    "leaves": (2, 3),
}
SPLITS = {"train": {"folder": "training/A1", "take": (0, 2)}, "test": {"folder": "testing/A1"}}


def _cvppp(source: dict[str, Any], splits: dict[str, Any] = SPLITS) -> CvpppDataset:
    return CvpppDataset.model_validate({"format": "cvppp", "source": source, "size": (24, 24), "splits": splits})


def _snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's folder in the CVPPP layout."""
    folder = tmp_path / "own"
    folder.mkdir()
    source = _cvppp(SOURCE).source
    assert source.kind == "plants"
    write_plants(folder, source)
    return folder


def test_plants_are_made_recorded_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "plants"
    manifest = download("plants", _cvppp(SOURCE), folder)
    assert manifest == read_manifest(folder)
    assert manifest.root == folder.resolve()
    assert manifest.dataset == "plants"
    assert len(manifest.files) == 4 * 4 + 2
    verify(manifest)
    assert open_split(_cvppp(SOURCE), manifest.root, "train").image_ids == ("plant001", "plant002")
    before = _snapshot(folder)
    assert download("plants", _cvppp(SOURCE), folder) == manifest
    assert _snapshot(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["plants"]


def test_plants_are_made_again_when_parameters_or_files_changed(tmp_path: Path) -> None:
    folder = tmp_path / "plants"
    first = download("plants", _cvppp(SOURCE), folder)
    other = download("plants", _cvppp({**SOURCE, "seed": 3}), folder)
    assert other.digest != first.digest
    (folder / "training" / "A1" / "A1.csv").write_text("spoilt")
    assert download("plants", _cvppp({**SOURCE, "seed": 3}), folder) == other
    verify(other)


def test_folder_is_recorded_where_it_stands(own: Path, tmp_path: Path) -> None:
    dataset, before = _cvppp({"kind": "folder", "path": str(own)}), _snapshot(own)
    manifest = download("mine", dataset, tmp_path / "raw" / "mine")
    assert manifest.root == own.resolve()
    assert [path.name for path in (tmp_path / "raw" / "mine").iterdir()] == ["MANIFEST.json"]
    assert _snapshot(own) == before
    recorded = _snapshot(tmp_path / "raw")
    assert download("mine", dataset, tmp_path / "raw" / "mine") == manifest
    assert _snapshot(tmp_path / "raw") == recorded
    (own / "training" / "A1" / "notes.txt").write_text("more")
    with pytest.raises(UserError, match=r"notes.txt: not recorded"):
        verify(manifest)
    verify(download("mine", dataset, tmp_path / "raw" / "mine"))


def test_environment_variable_replaces_the_path(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAVES_DIR", str(own))
    dataset = _cvppp({"kind": "folder", "path": "nowhere", "env": "LEAVES_DIR"})
    assert download("mine", dataset, tmp_path / "mine").root == own.resolve()
    monkeypatch.delenv("LEAVES_DIR")
    with pytest.raises(UserError, match=r"nowhere: no such folder") as caught:
        download("mine", dataset, tmp_path / "mine")
    assert "datasets.mine.source.path" in str(caught.value)
    assert "LEAVES_DIR" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_may_lie_in_the_raw_folder_itself(own: Path) -> None:
    dataset = _cvppp({"kind": "folder", "path": str(own)})
    manifest = download("own", dataset, own)
    assert json.loads((own / "MANIFEST.json").read_text())["root"] == "."
    assert download("own", dataset, own) == manifest


def test_foreign_files_are_never_replaced(own: Path) -> None:
    before = _snapshot(own)
    with pytest.raises(UserError, match="did not make; move them away"):
        download("own", _cvppp(SOURCE), own)
    assert _snapshot(own) == before
    download("own", _cvppp({"kind": "folder", "path": str(own)}), own)  # recorded, yet the user's
    with pytest.raises(UserError, match="did not make; move them away"):
        download("own", _cvppp(SOURCE), own)
    assert before.items() <= _snapshot(own).items()


def test_split_that_does_not_open_leaves_nothing(own: Path, tmp_path: Path) -> None:
    splits = {**SPLITS, "val": {"folder": "training/A1", "take": (2, 9)}}
    for source in (SOURCE, {"kind": "folder", "path": str(own)}):
        with pytest.raises(UserError, match=r"has 3 plants, cannot take \[2, 9\]"):
            download("plants", _cvppp(source, splits), tmp_path / "raw" / "plants")
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
    made = CocoDataset.model_validate({**section, "source": SOURCE})
    with pytest.raises(UserError, match=r"datasets\.cells: format is coco"):
        download("cells", made, tmp_path / "raw" / "made")
