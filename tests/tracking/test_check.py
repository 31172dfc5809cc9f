"""The statistics of `rsis check` against counts made by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import voc_folder
from support.cityscapes_folder import write_image
from support.plant_folder import PLANTS, plant_section

from rsis.cli.check_table import faults_of, table_of
from rsis.cli.console import print_table
from rsis.config.datasets import CityscapesDataset, CocoDataset, CvpppDataset
from rsis.config.sources import FolderSource
from rsis.data.download.run import download
from rsis.errors import UserError
from rsis.tracking.account import Account
from rsis.tracking.check import DatasetStatistics, SplitStatistics, check

SIZES = [(6, 8), (6, 8), (10, 4), (3, 3)]


def _coco(folder: Path, count: int = 4) -> CocoDataset:
    """Write images 0..count-1 with 0, 1, 2, 3, 0, ... objects in the classes cell and nucleus, and a val split of one.

    The size of image i is `SIZES[i % 4]`.
    """
    folder.mkdir()
    for split, number in (("train", count), ("val", 1)):
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for i in range(number):
            height, width = SIZES[i % 4]
            name = f"{split}{i:03d}.png"
            Image.fromarray(np.full((height, width), i, np.uint8)).save(folder / name)
            images.append({"id": i, "file_name": name, "height": height, "width": width})
            for column in range(i % 4):
                counts = [column * height, height, (width - column - 1) * height]
                category = 5 if column == 0 else 9
                segmentation = {"size": [height, width], "counts": counts}
                annotations.append({"image_id": i, "category_id": category, "segmentation": segmentation})
        categories = [{"id": 9, "name": "nucleus"}, {"id": 5, "name": "cell"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"{split}.json").write_text(json.dumps(content))
    section = {
        "format": "coco",
        "source": {"kind": "folder", "path": str(folder)},
        "size": (4, 4),
        "splits": {split: {"annotations": f"{split}.json", "images": "."} for split in ("train", "val")},
    }
    return CocoDataset.model_validate(section)


def test_figures_are_those_counted_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = _coco(tmp_path / "cells")
    download("cells", dataset, tmp_path / "raw" / "cells")
    found = check("cells", dataset, tmp_path / "raw" / "cells")
    train = SplitStatistics(
        split="train",
        images=4,
        broken=(),
        objects=6,
        fewest=0,
        most=3,
        without_objects=1,
        common_size=(6, 8),
        smallest_size=(3, 3),
        largest_size=(6, 8),
        class_counts={"cell": 3, "nucleus": 3},
        account=Account("train", 4, (), 6, {}),
    )
    assert found.splits[0] == train
    assert train.mean == 1.5
    assert (found.splits[1].images, found.splits[1].objects, found.splits[1].mean) == (1, 0, 0.0)
    assert found == DatasetStatistics("cells", tmp_path / "cells", found.splits, (), found.notes)
    (note,) = found.notes  # all pictures are black
    assert note.startswith("1 pictures are in two splits, so that scores flatter the network (the first: ")
    assert found.is_whole
    print_table(*table_of(found), numbers=True)
    assert capsys.readouterr().out.splitlines() == [
        "                         train    val",
        "pictures                     4      1",
        "  used                       4      1",
        "annotations                  6      0",
        "  used                       6      0",
        "images without objects       1      1",
        "objects per image, mean   1.50   0.00",
        "  fewest                     0      0",
        "  most                       3      0",
        "size, most frequent      6 x 8  6 x 8",
        "  smallest               3 x 3  6 x 8",
        "  largest                6 x 8  6 x 8",
        "class cell                   3      0",
        "class nucleus                3      0",
    ]


def test_processes_change_nothing(tmp_path: Path) -> None:
    dataset = _coco(tmp_path / "cells", count=45)
    download("cells", dataset, tmp_path / "raw")
    (tmp_path / "cells" / "train005.png").write_bytes(b"broken")
    alone, together = (check("cells", dataset, tmp_path / "raw", workers) for workers in (1, 2))
    assert alone == together
    assert alone.splits[0].images == 45
    assert len(alone.splits[0].broken) == 1


def test_broken_and_changed_files_are_named(tmp_path: Path) -> None:
    dataset = _coco(tmp_path / "cells", count=16)
    download("cells", dataset, tmp_path / "raw")
    for i in range(1, 13):
        (tmp_path / "cells" / f"train{i:03d}.png").write_bytes(b"broken")
    found = check("cells", dataset, tmp_path / "raw")
    assert not found.is_whole
    train = found.splits[0]
    assert (train.images, len(train.broken)) == (16, 12)
    assert train.objects == 0 + 1 + 2 + 3
    assert train.mean == 1.5
    lines = faults_of(found)
    named = [line for line in lines if line.startswith("broken: train: ")]
    assert len(named) == 10
    assert "train001.png: not a readable image" in named[0]
    assert "broken: 2 more" in lines
    assert f"missing: {tmp_path / 'cells' / 'train001.png'}: 6 bytes, recorded as" in "\n".join(lines)
    assert "missing: 2 more" in lines


def test_missing_files_leave_the_other_splits_counted(tmp_path: Path) -> None:
    dataset = _coco(tmp_path / "cells")
    download("cells", dataset, tmp_path / "raw")
    (tmp_path / "cells" / "val.json").unlink()
    found = check("cells", dataset, tmp_path / "raw")
    assert [split.split for split in found.splits] == ["train"]
    assert found.splits[0].objects == 6
    split, gone = found.missing
    assert gone == f"{tmp_path / 'cells' / 'val.json'}: recorded by `rsis download`, not there now"
    assert split.startswith("val: ")
    assert "no such file" in split


def test_a_missing_image_is_named_and_the_others_are_counted(tmp_path: Path) -> None:
    dataset = _coco(tmp_path / "cells", count=16)
    download("cells", dataset, tmp_path / "raw")
    for i in range(3, 16):
        (tmp_path / "cells" / f"train{i:03d}.png").unlink()
    recorded = check("cells", dataset, tmp_path / "raw")
    unrecorded = check("cells", dataset, tmp_path / "never-downloaded")
    for found in (recorded, unrecorded):
        assert [(split.images, split.objects) for split in found.splits] == [(3, 0 + 1 + 2), (1, 0)]
        assert len(found.missing) == 13
        assert not found.is_whole
        lines = [line for line in faults_of(found) if line.startswith("missing: ")]
        assert len(lines) == 11
        assert "train003.png" in lines[0]
        assert lines[-1] == "missing: 3 more"


def test_a_folder_is_counted_before_any_download(tmp_path: Path) -> None:
    dataset = _coco(tmp_path / "cells")
    found = check("cells", dataset, tmp_path / "raw")
    assert found.is_whole
    assert found.root == tmp_path / "cells"
    assert found.splits[0].objects == 6
    assert not (tmp_path / "raw").exists()


def test_missing_files_of_voc(tmp_path: Path) -> None:
    dataset = voc_folder.write_tree(tmp_path)
    dataset = dataset.model_copy(update={"source": FolderSource(kind="folder", path=str(tmp_path))})
    whole = check("pascal", dataset, tmp_path / "raw")
    assert whole.is_whole
    (tmp_path / "VOC2012/JPEGImages/img_v.jpg").unlink()
    found = check("pascal", dataset, tmp_path / "raw")
    before, after = ({split.split: split.images for split in item.splits} for item in (whole, found))
    assert after == before | {"test": before["test"] - 1}
    (message,) = found.missing
    assert "img_v.jpg: no such file" in message


def test_missing_files_of_streets(tmp_path: Path) -> None:
    for image_id in ("aachen_000000_000001", "aachen_000001_000001"):
        write_image(tmp_path, "val", image_id, np.full((4, 6), 26000, np.int32))
    content = {"format": "cityscapes", "source": {"kind": "folder", "path": str(tmp_path)}, "size": (4, 6)}
    dataset = CityscapesDataset.model_validate({**content, "splits": {"val": {"folder": "val"}}})
    truth = next((tmp_path / "gtFine/val/aachen").glob("aachen_000001*_instanceIds.png"))
    truth.unlink()
    found = check("streets", dataset, tmp_path / "raw")
    assert [(split.images, split.objects) for split in found.splits] == [(1, 1)]
    (message,) = found.missing
    assert f"{truth}: no such file" in message


def test_a_missing_label_of_a_plant_keeps_the_others_in_their_splits(tmp_path: Path) -> None:
    folder = tmp_path / "A1"
    folder.mkdir()
    for number in range(1, 5):
        Image.fromarray(np.full((6, 6, 3), 9, np.uint8)).save(folder / f"plant{number:03d}_rgb.png")
        Image.fromarray(np.eye(6, dtype=np.uint8)).save(folder / f"plant{number:03d}_label.png")
    content = {"format": "cvppp", "source": {"kind": "folder", "path": str(tmp_path)}, "size": (6, 6)}
    splits = {"train": {"folder": "A1", "take": (0, 2)}, "val": {"folder": "A1", "take": (2, 4)}}
    dataset = CvpppDataset.model_validate({**content, "splits": splits})
    (folder / "plant001_label.png").unlink()
    found = check("plants", dataset, tmp_path / "raw")
    assert [split.images for split in found.splits] == [1, 2]
    assert all("plant001_label.png is missing" in message for message in found.missing)


def test_split_without_a_readable_image(tmp_path: Path) -> None:
    dataset = _coco(tmp_path / "cells")
    download("cells", dataset, tmp_path / "raw")
    (tmp_path / "cells" / "val000.png").write_bytes(b"broken")
    val = check("cells", dataset, tmp_path / "raw").splits[1]
    assert (val.images, val.objects, val.fewest, val.most, val.mean, val.common_size) == (1, 0, 0, 0, 0.0, None)


def test_incomplete_plants_are_missing_and_no_download_is_an_error(tmp_path: Path) -> None:
    splits = {"train": {"folder": "training/A1"}, "test": {"folder": "testing/A1", "labels": False}}
    dataset = plant_section(PLANTS, splits)
    with pytest.raises(UserError, match="run `rsis download plants`"):
        check("plants", dataset, tmp_path / "plants")
    download("plants", dataset, tmp_path / "plants")
    found = check("plants", dataset, tmp_path / "plants")
    assert found.is_whole
    assert found.splits[1].without_objects == 1  # its instance map was not read
    more = dataset.model_copy(update={"plants": {"training/A1": 128}})
    (message,) = check("plants", more, tmp_path / "plants").missing
    assert "training/A1: has 3 plants, expected 128" in message
