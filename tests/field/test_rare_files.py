"""Rare files of users, each of which once ended in a traceback or in wrong pixels."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.in_process import rsis
from support.own_folders import write_maps

from rsis.data.readers.pictures import read_picture
from rsis.errors import UserError
from rsis.eval.truths.images import read_image
from rsis.own_data.examine import Wishes, examine
from rsis.splits.pictures import PictureFiles

NAMES = [f"cell{number}" for number in range(8)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_tiff_files_without_compression(tmp_path: Path, orientation: int) -> None:
    """Given a path, Pillow maps those of 8 bits into memory with the wrong width."""
    path = tmp_path / "turned.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32), np.uint8)
    tifffile.imwrite(path, pixels, extratags=[(274, "H", 1, orientation, True)])
    upright = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.T,
        6: pixels.T[:, ::-1],
        7: pixels.T[::-1, ::-1],
        8: pixels.T[::-1],
    }[orientation]
    assert (read_picture(path).image[..., 0] == upright).all()
    assert (np.asarray(read_image(path, "")) == upright).all()


@pytest.mark.parametrize("values", [(700, 700), (20_000_000, 20_000_010)])
def test_deep_pictures_of_hardly_any_range(tmp_path: Path, values: tuple[int, int]) -> None:
    write_maps(tmp_path / "cells", NAMES)
    for path in (tmp_path / "cells/images").iterdir():
        deep = np.full((48, 64), values[0], np.uint32)
        deep[:, 32:] = values[1]
        tifffile.imwrite(path.with_suffix(".tif"), deep)
        path.unlink()
    low, high = examine(tmp_path / "cells", "cells", Wishes("cell")).reading.keys["intensity"]
    assert low < high
    assert low <= values[0] <= values[1] <= max(high, values[1])


def _fault(folder: Path) -> str:
    try:
        examine(folder, "coco", Wishes("cell"))
    except UserError as error:
        return str(error)
    return ""


def test_a_split_all_of_whose_pictures_are_lacking(tmp_path: Path) -> None:
    write_maps(tmp_path / "cells", NAMES)
    found = examine(tmp_path / "cells", "cells", Wishes("cell"))
    assert found.findings.images["val"] == 1
    content = [path.name for path in (tmp_path / "cells/images").iterdir()]
    images = [{"id": n, "file_name": name, "height": 48, "width": 64} for n, name in enumerate(content)]
    shape = [[1, 1, 20, 1, 20, 20, 1, 20]]
    objects = [{"id": n, "image_id": n, "category_id": 1, "segmentation": shape} for n in range(len(content))]
    folder = tmp_path / "coco"
    (tmp_path / "cells/images").rename(folder)
    document = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "cell"}]}
    (folder / "all.json").write_text(json.dumps(document))
    faults = {}
    for name in content:
        (folder / name).rename(tmp_path / name)
        faults[name] = _fault(folder)
        (tmp_path / name).rename(folder / name)
    refused = {name: fault for name, fault in faults.items() if fault}
    assert len(refused) == 1  # the picture of val
    assert all("images of val can be used" in fault and name in fault for name, fault in refused.items())


def test_a_float_map_with_infinity_is_named(tmp_path: Path) -> None:
    write_maps(tmp_path / "cells", NAMES)
    path = tmp_path / "cells/labels/cell3.png"
    numbers = np.asarray(Image.open(path)).astype(np.float32)
    numbers[0, 0] = -np.inf
    tifffile.imwrite(path.with_suffix(".tif"), numbers)
    path.unlink()
    found = examine(tmp_path / "cells", "cells", Wishes("cell"))
    assert [line for line in found.findings.problems if "cell3.tif" in line]


def test_pictures_without_a_suffix_belong_to_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_maps(tmp_path / "cells", NAMES)
    folder = tmp_path / "cells/images"
    images, objects = [], []
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / path.stem)
        images.append({"id": number, "file_name": path.stem, "height": 48, "width": 64})
        shape = [[1, 1, 20, 1, 20, 20, 1, 20]]
        objects.append({"id": number, "image_id": number, "category_id": 1, "segmentation": shape})
    document = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "cell"}]}
    (folder / "all.json").write_text(json.dumps(document))
    for command in ("init cells/images --name leaves", "download leaves", "prepare leaves --workers 1"):
        assert rsis(tmp_path, *command.split()).returncode == 0
    Image.new("L", (64, 48), 9).save(folder / "cell3", format="PNG")
    changed = rsis(tmp_path, "prepare", "leaves", "--workers", "1")
    assert changed.returncode == 2
    assert "cell3: " in changed.stderr


def test_names_with_many_folders_are_found_soon(tmp_path: Path) -> None:
    """The number of comparisons once rose with the third power of the number of pictures."""
    for number in range(300):
        (tmp_path / f"c{number}").mkdir()
        (tmp_path / f"c{number}/image.png").touch()
    files = PictureFiles(tmp_path)
    for number in range(300):
        assert files.find(f"/home/mia/c{number}/image.png") == (tmp_path / f"c{number}/image.png",)
    assert len(files.find("/elsewhere/image.png")) == 300
